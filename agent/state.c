#include "agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "crypto/digest.h"

enum { FILE_MAX = 4096, CONNECTION_BITS = 20, SEGMENT_BLOCK = 64, SEGMENT_S = 2 };

struct camera_numbers {
    struct map_node node;
    char id[64];
    int64_t reserved; /* written down: numbers below it may have been used */
};

struct state {
    int fd; /* of the directory */
    int lock_fd;
    uint64_t epoch; /* the last one given out */
    bool has_booted;
    struct map cameras;
};

/* ---- files ---- */

static int read_at(int dir_fd, const char *name, char *out, size_t room)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len;

    if (fd < 0)
        return -errno;
    len = read(fd, out, room - 1);
    close(fd);
    if (len < 0)
        return -EIO;
    out[len] = '\0';
    return 0;
}

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len) {
        ssize_t wrote = write(fd, text, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        text += wrote;
        len -= (size_t)wrote;
    }
    return 0;
}

/* A crash leaves the old file or the new one, never a half. */
static int write_at(int dir_fd, const char *name, const char *text)
{
    char fresh[96];
    int fd, err;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", name);
    fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    err = write_all(fd, text);
    if (err == 0 && fsync(fd) < 0)
        err = -errno;
    close(fd);
    if (err == 0 && renameat(dir_fd, fresh, dir_fd, name) < 0)
        err = -errno;
    if (err == 0)
        (void)fsync(dir_fd);
    return err;
}

static int make_directories(const char *path)
{
    char part[1024];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return -ENAMETOOLONG;
    memcpy(part, path, len + 1);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)!mkdir(part, 0755); /* the last one says whether it worked */
        *at = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static int lock(struct state *state)
{
    state->lock_fd = openat(state->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (state->lock_fd < 0)
        return -errno;
    return flock(state->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -ERR_EXISTS : 0;
}

int state_open(struct state **out, const char *directory)
{
    struct state *state;
    int err = make_directories(directory);

    if (err < 0)
        return err;
    state = calloc(1, sizeof(*state));
    if (!state)
        return -ENOMEM;
    state->lock_fd = -1;
    err = map_init(&state->cameras);
    state->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (err == 0 && (state->fd < 0 || fchmod(state->fd, 0700) < 0))
        err = -errno;
    if (err == 0)
        err = lock(state);
    if (err < 0) {
        state_close(state);
        return err;
    }
    *out = state;
    return 0;
}

void state_close(struct state *state)
{
    struct map_node *node;

    if (!state)
        return;
    while (state->cameras.count && (node = map_next(&state->cameras, NULL))) {
        map_remove(&state->cameras, node);
        free(map_entry(node, struct camera_numbers, node));
    }
    map_fini(&state->cameras);
    if (state->lock_fd >= 0)
        close(state->lock_fd);
    if (state->fd >= 0)
        close(state->fd);
    free(state);
}

int state_read_file(const char *directory, const char *name, char *out, size_t room)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

    if (fd < 0)
        return -errno;
    err = read_at(fd, name, out, room);
    close(fd);
    return err;
}

int state_read_way(struct state *state, char *out, size_t room)
{
    int err = read_at(state->fd, "way", out, room);

    if (err == 0)
        out[strcspn(out, "\n")] = '\0';
    return err;
}

void state_write_way(struct state *state, const char *name)
{
    char text[64];
    int err;

    (void)snprintf(text, sizeof(text), "%s\n", name);
    err = write_at(state->fd, "way", text);
    if (err < 0)
        LOG(LOG_DEBUG, "agent", NULL, "way-not-written", KV_ERR(err));
}

void state_write_status(struct state *state, const char *text)
{
    int err = write_at(state->fd, "status", text);

    if (err < 0)
        LOG(LOG_DEBUG, "agent", NULL, "status-not-written", KV_ERR(err));
}

/* ---- who it is ---- */

static void put_hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(uint8_t *out, size_t len, const char *text, size_t text_len)
{
    if (text_len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The value of a "name = value" line, or NULL; not ended by NUL. */
static const char *find_value(const char *text, const char *name, size_t *len)
{
    size_t name_len = strlen(name);

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, name_len) != 0 || strncmp(line + name_len, " = ", 3) != 0)
            continue;
        *len = strcspn(line + name_len + 3, "\n");
        return line + name_len + 3;
    }
    return NULL;
}

static bool take_text(const char *text, const char *name, char *out, size_t room)
{
    size_t len = 0;
    const char *value = find_value(text, name, &len);

    if (!value || len >= room)
        return false;
    memcpy(out, value, len);
    out[len] = '\0';
    return true;
}

static bool take_bytes(const char *text, const char *name, uint8_t *out, size_t bytes)
{
    size_t len = 0;
    const char *value = find_value(text, name, &len);

    return value && take_hex(out, bytes, value, len);
}

int state_read_identity(struct state *state, struct identity *out)
{
    char text[FILE_MAX], port[8];
    int err = read_at(state->fd, "identity", text, sizeof(text));
    bool ok;

    if (err < 0)
        return err;
    *out = (struct identity){.port = 0};
    ok = take_text(text, "agent", out->agent_id, sizeof(out->agent_id)) &&
         take_text(text, "name", out->name, sizeof(out->name)) &&
         take_text(text, "host", out->host, sizeof(out->host)) &&
         take_text(text, "port", port, sizeof(port)) &&
         take_bytes(text, "pin", out->pin, sizeof(out->pin)) &&
         take_bytes(text, "key", out->key, sizeof(out->key)) &&
         take_bytes(text, "seal-key", out->seal_key, sizeof(out->seal_key));
    if (ok)
        out->port = (uint16_t)strtoul(port, NULL, 10);
    secret_wipe(text, sizeof(text));
    return ok && out->port ? 0 : -ERR_PROTOCOL;
}

int state_write_identity(struct state *state, const struct identity *identity)
{
    char text[FILE_MAX], pin[2 * ENROL_PIN + 1], key[2 * ED25519_PRIVATE_KEY + 1],
        seal_key[2 * HPKE_PRIVATE_KEY + 1];
    int err;

    put_hex(pin, identity->pin, sizeof(identity->pin));
    put_hex(key, identity->key, sizeof(identity->key));
    put_hex(seal_key, identity->seal_key, sizeof(identity->seal_key));
    (void)snprintf(text, sizeof(text),
                   "agent = %s\nname = %s\nhost = %s\nport = %u\npin = %s\nkey = %s\n"
                   "seal-key = %s\n",
                   identity->agent_id, identity->name, identity->host, identity->port, pin, key,
                   seal_key);
    err = write_at(state->fd, "identity", text);
    secret_wipe(text, sizeof(text));
    secret_wipe(key, sizeof(key));
    secret_wipe(seal_key, sizeof(seal_key));
    return err;
}

/* ---- numbers that only go up ---- */

static int keep_epoch(struct state *state, uint64_t epoch)
{
    char text[32];
    int err;

    (void)snprintf(text, sizeof(text), "%" PRIu64 "\n", epoch);
    err = write_at(state->fd, "epoch", text);
    if (err == 0)
        state->epoch = epoch;
    return err;
}

int state_next_epoch(struct state *state, uint64_t *out)
{
    char text[32] = "";
    int err;

    if (!state->has_booted) {
        (void)!read_at(state->fd, "epoch", text, sizeof(text)); /* lost: the server tells */
        if (state->epoch < strtoull(text, NULL, 10))
            state->epoch = strtoull(text, NULL, 10);
        state->epoch = ((state->epoch >> CONNECTION_BITS) + 1) << CONNECTION_BITS;
        state->has_booted = true;
    }
    err = keep_epoch(state, state->epoch + 1);
    *out = state->epoch;
    return err;
}

void state_raise_epoch(struct state *state, uint64_t highest)
{
    uint64_t next = ((highest >> CONNECTION_BITS) + 1) << CONNECTION_BITS;

    if (next > state->epoch && next < INT64_MAX / 4)
        state->epoch = next;
}

static struct camera_numbers *find_numbers(struct state *state, const char *camera_id)
{
    struct map_node *node = map_find(&state->cameras, camera_id);
    struct camera_numbers *numbers;

    if (node)
        return map_entry(node, struct camera_numbers, node);
    numbers = calloc(1, sizeof(*numbers));
    if (!numbers)
        return NULL;
    (void)snprintf(numbers->id, sizeof(numbers->id), "%s", camera_id);
    map_insert(&state->cameras, &numbers->node, numbers->id);
    return numbers;
}

/* Ids come from the server: only such as make a plain file name. */
static bool segment_file(const char *camera_id, char *out, size_t room)
{
    size_t len =
        strspn(camera_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return len > 0 && camera_id[len] == '\0' &&
           snprintf(out, room, "segment-%s", camera_id) < (int)room;
}

int64_t state_first_segment(struct state *state, const char *camera_id, int64_t wall_us)
{
    struct camera_numbers *numbers = find_numbers(state, camera_id);
    int64_t kept = 0, by_clock = wall_us / (SEGMENT_S * 1000000LL);
    char name[80], text[32] = "";

    if (numbers && numbers->reserved)
        kept = numbers->reserved;
    else if (segment_file(camera_id, name, sizeof(name)) &&
             read_at(state->fd, name, text, sizeof(text)) == 0)
        kept = strtoll(text, NULL, 10);
    if (kept < 0 || kept > (int64_t)1 << 52)
        kept = 0;
    return kept > by_clock ? kept : by_clock;
}

void state_keep_segment(struct state *state, const char *camera_id, int64_t next)
{
    struct camera_numbers *numbers = find_numbers(state, camera_id);
    char name[80], text[32];
    int err;

    if (!numbers || next < numbers->reserved || !segment_file(camera_id, name, sizeof(name)))
        return;
    numbers->reserved = next + SEGMENT_BLOCK;
    (void)snprintf(text, sizeof(text), "%" PRId64 "\n", numbers->reserved);
    err = write_at(state->fd, name, text);
    if (err < 0)
        LOG(LOG_WARN, "camera", camera_id, "segment-not-kept", KV_ERR(err));
}
