#include "server/cli/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/writer.h"
#include "crypto/digest.h"

enum { WAIT_S = 30, ANSWER_MAX = 16 << 20, READ_BYTES = 16384 };

static int say(struct reply *reply, int err, const char *what, const char *path)
{
    snprintf(reply->error, sizeof(reply->error), "%s %.120s: %s", what, path, err_text(err));
    return err;
}

static int explain_connect(struct reply *reply, int err, const char *path)
{
    const char *advice = "is --data-dir right?";

    if (err == -ECONNREFUSED || err == -ENOENT)
        advice = "start it (culvert serve), or name its folder with --data-dir";
    else if (err == -EACCES || err == -EPERM)
        advice = "run this as the user who runs the server, or as root";
    snprintf(reply->error, sizeof(reply->error), "no server answers at %.100s (%.40s): %s", path,
             err_text(err), advice);
    return err;
}

static int open_socket(const char *path, struct reply *reply)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd, err;

    if (strlen(path) >= sizeof(address.sun_path))
        return explain_connect(reply, -ENAMETOOLONG, path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return explain_connect(reply, -errno, path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        return fd;
    err = -errno;
    close(fd);
    return explain_connect(reply, err, path);
}

static int send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? -ERR_TIMEOUT : -errno;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static int send_request(int fd, const char *method, const char *target, const json_t *body)
{
    char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct writer writer;
    int err;

    writer_init(&writer, 1 << 20);
    writer_printf(&writer, "%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", method,
                  target);
    if (json)
        writer_printf(&writer, "content-type: application/json\r\ncontent-length: %zu\r\n",
                      strlen(json));
    writer_text(&writer, "\r\n");
    if (json)
        writer_text(&writer, json);
    err = writer.err ? writer.err : send_all(fd, writer.bytes, writer.len);
    if (json)
        secret_wipe(json, strlen(json));
    if (writer.bytes)
        secret_wipe(writer.bytes, writer.len);
    writer_fini(&writer);
    free(json);
    return err;
}

static int read_all(int fd, struct writer *answer)
{
    char bytes[READ_BYTES];

    for (;;) {
        ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? -ERR_TIMEOUT : -errno;
        if (len == 0)
            return 0;
        writer_put(answer, bytes, (size_t)len);
        if (answer->err)
            return answer->err;
    }
}

/* The digits after "HTTP/1.1 ". */
static unsigned parse_status(const char *bytes, size_t len)
{
    unsigned status = 0;

    if (len < 12 || memcmp(bytes, "HTTP/1.", 7) || bytes[8] != ' ')
        return 0;
    for (int i = 9; i < 12; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(bytes[i] - '0');
    }
    return status;
}

/* The value of content-length within the head; SIZE_MAX without one. */
static size_t parse_length(const char *head, size_t len)
{
    static const char name[] = "\r\ncontent-length:";

    for (size_t at = 0; at + sizeof(name) - 1 < len; at++) {
        if (!strncasecmp(head + at, name, sizeof(name) - 1))
            return (size_t)strtoull(head + at + sizeof(name) - 1, NULL, 10);
    }
    return SIZE_MAX;
}

int reply_parse(struct reply *reply, const char *bytes, size_t len)
{
    const char *end = len ? memmem(bytes, len, "\r\n\r\n", 4) : NULL;
    size_t head, body_len, said;

    reply->status = end ? parse_status(bytes, len) : 0;
    if (!reply->status)
        return -ERR_PROTOCOL;
    head = (size_t)(end - bytes) + 4;
    body_len = len - head;
    said = parse_length(bytes, head - 2);
    if (said != SIZE_MAX && body_len < said)
        return -ERR_CLOSED;
    if (!body_len)
        return 0;
    reply->json = json_loadb(bytes + head, body_len, JSON_REJECT_DUPLICATES, NULL);
    return reply->json ? 0 : -ERR_PROTOCOL;
}

int client_ask(const char *socket_path, const char *method, const char *target, const json_t *body,
               struct reply *reply)
{
    struct writer answer;
    int fd, err;

    memset(reply, 0, sizeof(*reply));
    fd = open_socket(socket_path, reply);
    if (fd < 0)
        return fd;
    writer_init(&answer, ANSWER_MAX);
    err = send_request(fd, method, target, body);
    if (!err)
        err = read_all(fd, &answer);
    close(fd);
    if (!err) /* text, so that strtoull ends */
        writer_put(&answer, "", 1);
    if (!err && !answer.err)
        err = reply_parse(reply, (const char *)answer.bytes, answer.len - 1);
    if (answer.bytes)
        secret_wipe(answer.bytes, answer.len);
    writer_fini(&answer);
    return err ? say(reply, err, "no good answer from the server at", socket_path) : 0;
}

void reply_fini(struct reply *reply)
{
    json_decref(reply->json);
    reply->json = NULL;
}
