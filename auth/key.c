/* auth/key.c: the server's key, and tokens as texts: made and checked by HMAC. */
#include "auth/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/log.h"
#include "base/random.h"

enum {
    PREFIX = 4, /* "cv1_" */
    ID_DIGITS = 16,
    MAC_BYTES = 16,
    MAC_AT = PREFIX + ID_DIGITS + 1,
    TOKEN_LEN = MAC_AT + 2 * MAC_BYTES
};

/* As long as each other; what differs keeps a token's MAC from being a passphrase. */
static const char token_prefix[] = "cv1_", passphrase_prefix[] = "srt_";

static int write_key(int fd)
{
    uint8_t key[AUTH_KEY];
    ssize_t written;

    random_bytes(key, sizeof(key));
    written = write(fd, key, sizeof(key));
    OPENSSL_cleanse(key, sizeof(key));
    if (written < 0)
        return -errno;
    return written == AUTH_KEY && fsync(fd) == 0 ? 0 : -EIO;
}

/* Under another name first: the file is there whole or not at all. */
static int make_key(const char *path)
{
    char fresh[4096];
    int fd, err;

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    err = write_key(fd);
    close(fd);
    if (!err && link(fresh, path) && errno != EEXIST)
        err = -errno;
    unlink(fresh);
    return err;
}

static int read_key(struct auth *auth, int fd)
{
    uint8_t bytes[AUTH_KEY + 1];
    struct stat status;
    ssize_t len;

    if (fstat(fd, &status))
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -ERR_PROTOCOL;
    if (status.st_mode & 077)
        LOG(LOG_WARN, "auth", NULL, "key-file-open-to-others", KV_S("advice", "chmod 600"));
    len = read(fd, bytes, sizeof(bytes));
    if (len == AUTH_KEY)
        memcpy(auth->key, bytes, AUTH_KEY);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    if (len < 0)
        return -errno;
    return len == AUTH_KEY ? 0 : -ERR_PROTOCOL;
}

int auth_open(struct auth **out, const char *key_file)
{
    struct auth *auth = calloc(1, sizeof(*auth));
    int err = 0, fd;

    if (!auth)
        return -ENOMEM;
    fd = open(key_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        err = make_key(key_file);
        fd = err ? -1 : open(key_file, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 && !err)
        err = -errno;
    if (!err)
        err = read_key(auth, fd);
    if (fd >= 0)
        close(fd);
    if (err) {
        LOG(LOG_ERROR, "auth", NULL, "key-file-bad", KV_S("path", key_file), KV_ERR(err));
        auth_close(auth);
        return err;
    }
    *out = auth;
    return 0;
}

void auth_close(struct auth *auth)
{
    if (!auth)
        return;
    OPENSSL_cleanse(auth, sizeof(*auth));
    free(auth);
}

static void put_hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = 0;
}

void auth_token_id(char id[AUTH_TOKEN_ID])
{
    uint8_t bytes[ID_DIGITS / 2];

    random_bytes(bytes, sizeof(bytes));
    put_hex(id, bytes, sizeof(bytes));
}

/* out gets the MAC, in hex, of a prefix and the 16 digits at id; false without memory. */
static bool put_mac(const struct auth *auth, const char *prefix, const char *id,
                    char out[2 * MAC_BYTES + 1])
{
    uint8_t text[PREFIX + ID_DIGITS], mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool is_made;

    memcpy(text, prefix, PREFIX);
    memcpy(text + PREFIX, id, ID_DIGITS);
    is_made =
        HMAC(EVP_sha256(), auth->key, AUTH_KEY, text, sizeof(text), mac, &len) && len >= MAC_BYTES;
    if (is_made)
        put_hex(out, mac, MAC_BYTES);
    OPENSSL_cleanse(mac, sizeof(mac));
    return is_made;
}

/* text gets the whole token of the 16 digits at id; false without memory. */
static bool make_token(const struct auth *auth, const char *id, char text[TOKEN_LEN + 1])
{
    memcpy(text, token_prefix, PREFIX);
    memcpy(text + PREFIX, id, ID_DIGITS);
    text[MAC_AT - 1] = '_';
    return put_mac(auth, token_prefix, id, text + MAC_AT);
}

void auth_passphrase_text(const struct auth *auth, const char *id, char out[AUTH_PASSPHRASE_TEXT])
{
    out[0] = 0;
    if (strlen(id) == ID_DIGITS)
        (void)put_mac(auth, passphrase_prefix, id, out);
}

void auth_token_text(const struct auth *auth, const char *id, char out[AUTH_TOKEN_TEXT])
{
    char text[TOKEN_LEN + 1];

    out[0] = 0;
    if (strlen(id) == ID_DIGITS && make_token(auth, id, text))
        memcpy(out, text, sizeof(text));
    OPENSSL_cleanse(text, sizeof(text));
}

static bool has_shape(const char *token)
{
    if (!token || strnlen(token, TOKEN_LEN + 1) != TOKEN_LEN ||
        memcmp(token, token_prefix, PREFIX) || token[MAC_AT - 1] != '_')
        return false;
    for (int i = PREFIX; i < TOKEN_LEN; i++) {
        bool is_digit =
            (token[i] >= '0' && token[i] <= '9') || (token[i] >= 'a' && token[i] <= 'f');

        if (!is_digit && i != MAC_AT - 1)
            return false;
    }
    return true;
}

/* The same work whatever was shown: a text of another shape is compared as an empty one. */
int auth_token_check(const struct auth *auth, const char *token, char id[AUTH_TOKEN_ID])
{
    char shown[TOKEN_LEN + 1] = "cv1_0000000000000000_", ours[TOKEN_LEN + 1] = "";
    bool is_shaped = has_shape(token);
    bool is_ours;

    id[0] = 0;
    if (is_shaped)
        memcpy(shown, token, sizeof(shown));
    is_ours = make_token(auth, shown + PREFIX, ours);
    is_ours = CRYPTO_memcmp(shown, ours, TOKEN_LEN) == 0 && is_ours && is_shaped;
    if (is_ours) {
        memcpy(id, shown + PREFIX, ID_DIGITS);
        id[ID_DIGITS] = 0;
    }
    OPENSSL_cleanse(shown, sizeof(shown));
    OPENSSL_cleanse(ours, sizeof(ours));
    return is_ours ? 0 : -ERR_AUTH;
}
