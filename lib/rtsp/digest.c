#include "rtsp/digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/digest.h"

enum { VALUE_MAX = 4096, CHALLENGES_MAX = 8, NONCE_GOOD_US = 300 * 1000000, NONCE_MAC_BYTES = 12 };

static void hex_write(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* One name=value of a header's list; moves *at on. False at the end. */
struct parameter {
    char name[32];
    char value[DIGEST_URI_MAX];
};

static void take_quoted(const char **at, struct parameter *out)
{
    size_t len = 0;

    for (++*at; **at && **at != '"'; ++*at) {
        if (**at == '\\' && (*at)[1])
            ++*at;
        if (len + 1 < sizeof(out->value))
            out->value[len++] = **at;
    }
    out->value[len] = '\0';
    *at += **at == '"';
}

static void take_bare(const char **at, struct parameter *out)
{
    size_t len = strcspn(*at, ", \t"),
           kept = len < sizeof(out->value) ? len : sizeof(out->value) - 1;

    memcpy(out->value, *at, kept);
    out->value[kept] = '\0';
    *at += len;
}

static bool take_parameter(const char **at, struct parameter *out)
{
    size_t len;

    *at += strspn(*at, ", \t");
    len = strcspn(*at, "= ,\t");
    if (!len || len >= sizeof(out->name))
        return false;
    memcpy(out->name, *at, len);
    out->name[len] = '\0';
    *at += len;
    *at += strspn(*at, " \t");
    out->value[0] = '\0';
    if (**at != '=')
        return true;
    ++*at;
    *at += strspn(*at, " \t");
    if (**at == '"')
        take_quoted(at, out);
    else
        take_bare(at, out);
    return true;
}

static int keep(const struct parameter *parameter, char *out, size_t room)
{
    size_t len = strlen(parameter->value);

    if (len >= room)
        return -ERR_TOO_LONG;
    memcpy(out, parameter->value, len + 1);
    return 0;
}

/* A word of a comma-separated list, any case. */
static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
        at += strspn(at, " ");
        if (strncasecmp(at, word, len) == 0 && (!at[len] || strchr(", ", at[len])))
            return true;
    }
    return false;
}

static enum auth_scheme scheme_of(const char *algorithm)
{
    if (!*algorithm || strcasecmp(algorithm, "MD5") == 0)
        return AUTH_SCHEME_MD5;
    return strcasecmp(algorithm, "SHA-256") == 0 ? AUTH_SCHEME_SHA256 : AUTH_SCHEME_NONE;
}

static bool take_scheme(const char **value, const char *scheme)
{
    size_t len = strlen(scheme);

    *value += strspn(*value, " ");
    if (strncasecmp(*value, scheme, len) != 0 || ((*value)[len] && (*value)[len] != ' '))
        return false;
    *value += len;
    return true;
}

/* Where a list of parameters ends because another challenge begins: at a word that is followed
 * by another word and not by "=". */
static bool is_scheme(const char *at)
{
    at += strspn(at, ", \t");
    at += strcspn(at, "= ,\t");
    return *at == ' ' && at[strspn(at, " \t")] != '=' && at[strspn(at, " \t")] != ',' &&
           at[strspn(at, " \t")];
}

/* One challenge; *at moves on to the next one. */
static int parse_challenge(struct digest_challenge *out, const char **at)
{
    struct parameter parameter;
    char algorithm[32] = "", qop[DIGEST_FIELD_MAX] = "";
    bool is_known;
    int err = 0;

    memset(out, 0, sizeof(*out));
    *at += strspn(*at, ", \t");
    if (take_scheme(at, "Basic"))
        out->scheme = AUTH_SCHEME_BASIC;
    is_known = out->scheme == AUTH_SCHEME_BASIC || take_scheme(at, "Digest");
    if (!is_known)
        *at += strcspn(*at, " ");
    while (!is_scheme(*at) && take_parameter(at, &parameter)) {
        if (err < 0 || !is_known)
            continue;
        if (strcasecmp(parameter.name, "realm") == 0)
            err = keep(&parameter, out->realm, sizeof(out->realm));
        else if (strcasecmp(parameter.name, "nonce") == 0)
            err = keep(&parameter, out->nonce, sizeof(out->nonce));
        else if (strcasecmp(parameter.name, "opaque") == 0)
            err = keep(&parameter, out->opaque, sizeof(out->opaque));
        else if (strcasecmp(parameter.name, "algorithm") == 0)
            err = keep(&parameter, algorithm, sizeof(algorithm));
        else if (strcasecmp(parameter.name, "qop") == 0)
            err = keep(&parameter, qop, sizeof(qop));
        else if (strcasecmp(parameter.name, "stale") == 0)
            out->is_stale = strcasecmp(parameter.value, "true") == 0;
    }
    if (!is_known)
        return -ERR_UNSUPPORTED;
    if (err < 0 || out->scheme == AUTH_SCHEME_BASIC)
        return err;
    out->scheme = scheme_of(algorithm);
    out->has_qop = has_word(qop, "auth");
    if (out->scheme == AUTH_SCHEME_NONE || (*qop && !out->has_qop))
        return -ERR_UNSUPPORTED;
    return *out->nonce ? 0 : -ERR_PROTOCOL;
}

int digest_challenge_parse(struct digest_challenge *out, const char *value)
{
    struct digest_challenge challenge, best = {.scheme = AUTH_SCHEME_NONE};
    int first_err = 0;

    memset(out, 0, sizeof(*out));
    if (strnlen(value, VALUE_MAX) >= VALUE_MAX)
        return -ERR_TOO_LONG;
    for (unsigned i = 0; i < CHALLENGES_MAX && *value; i++) {
        int err = parse_challenge(&challenge, &value);

        if (err == 0 && challenge.scheme > best.scheme)
            best = challenge;
        first_err = first_err ? first_err : err;
        value += strspn(value, ", \t");
        if (!is_scheme(value))
            break;
    }
    *out = best;
    if (best.scheme != AUTH_SCHEME_NONE)
        return 0;
    return first_err ? first_err : -ERR_PROTOCOL;
}

/* The hash of texts joined by colons (RFC 7616 section 3.4), in hex. */
static int hash_joined(enum auth_scheme scheme, const char *const *texts, char out[DIGEST_HEX])
{
    char joined[DIGEST_URI_MAX + 6 * DIGEST_FIELD_MAX];
    uint8_t hash[SHA256_BYTES];
    size_t len = 0;
    int err;

    for (; *texts; texts++) {
        int more = snprintf(joined + len, sizeof(joined) - len, len ? ":%s" : "%s", *texts);

        if (more < 0 || (size_t)more >= sizeof(joined) - len)
            return -ERR_TOO_LONG;
        len += (size_t)more;
    }
    err =
        scheme == AUTH_SCHEME_SHA256 ? sha256_make(joined, len, hash) : md5_make(joined, len, hash);
    secret_wipe(joined, len);
    if (err == 0)
        hex_write(hash, scheme == AUTH_SCHEME_SHA256 ? SHA256_BYTES : MD5_BYTES, out);
    return err;
}

/* What both ends compute: all but qop, nc and cnonce (NULL nc: RFC 2069) is always there. */
struct digest_input {
    enum auth_scheme scheme;
    const char *user, *realm, *password, *method, *uri, *nonce, *nc, *cnonce;
};

static int make_response(const struct digest_input *in, char out[DIGEST_HEX])
{
    char a1[DIGEST_HEX], a2[DIGEST_HEX];
    int err =
        hash_joined(in->scheme, (const char *const[]){in->user, in->realm, in->password, NULL}, a1);

    if (err == 0)
        err = hash_joined(in->scheme, (const char *const[]){in->method, in->uri, NULL}, a2);
    if (err < 0)
        return err;
    if (!in->nc)
        return hash_joined(in->scheme, (const char *const[]){a1, in->nonce, a2, NULL}, out);
    return hash_joined(in->scheme,
                       (const char *const[]){a1, in->nonce, in->nc, in->cnonce, "auth", a2, NULL},
                       out);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int answer_basic(const struct digest_request *request, char *out, size_t room)
{
    char text[2 * DIGEST_FIELD_MAX];
    int len = snprintf(text, sizeof(text), "%s:%s", request->user, request->password);
    size_t at = 6;

    if (len < 0 || (size_t)len >= sizeof(text) || room < 6 + ((size_t)len + 2) / 3 * 4 + 1)
        return -ERR_TOO_LONG;
    memcpy(out, "Basic ", 6);
    for (size_t i = 0; i < (size_t)len; i += 3) {
        size_t left = (size_t)len - i;
        uint32_t bits = (uint32_t)(uint8_t)text[i] << 16 |
                        (left > 1 ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0) |
                        (left > 2 ? (uint8_t)text[i + 2] : 0);

        for (unsigned k = 0; k < 4; k++)
            out[at++] = k <= left ? base64_digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    out[at] = '\0';
    secret_wipe(text, sizeof(text));
    return 0;
}

/* Appends name="text" as a quoted string (RFC 9110 section 5.6.4). */
static int put_quoted(char *out, size_t room, const char *name, const char *text)
{
    size_t len = strlen(out);
    int more = snprintf(out + len, room - len, "%s=\"", name);

    if (more < 0 || (size_t)more >= room - len)
        return -ERR_TOO_LONG;
    for (len += (size_t)more; *text; text++) {
        if (room - len < 5)
            return -ERR_TOO_LONG;
        if (*text == '"' || *text == '\\')
            out[len++] = '\\';
        out[len++] = *text;
    }
    if (room - len < 2)
        return -ERR_TOO_LONG;
    out[len] = '"';
    out[len + 1] = '\0';
    return 0;
}

static int put(char *out, size_t room, const char *text)
{
    size_t len = strlen(out), more = strlen(text);

    if (more >= room - len)
        return -ERR_TOO_LONG;
    memcpy(out + len, text, more + 1);
    return 0;
}

int digest_answer(const struct digest_challenge *challenge, const struct digest_request *request,
                  char *out, size_t room)
{
    char nc[9], response[DIGEST_HEX], tail[DIGEST_FIELD_MAX] = "";
    struct digest_input in = {.scheme = challenge->scheme,
                              .user = request->user,
                              .realm = challenge->realm,
                              .password = request->password,
                              .method = request->method,
                              .uri = request->uri,
                              .nonce = challenge->nonce,
                              .cnonce = request->cnonce};
    int err = 0;

    if (!room || challenge->scheme == AUTH_SCHEME_NONE)
        return -ERR_UNSUPPORTED;
    if (challenge->scheme == AUTH_SCHEME_BASIC)
        return answer_basic(request, out, room);
    if (challenge->has_qop) {
        snprintf(nc, sizeof(nc), "%08x", request->count);
        in.nc = nc;
        snprintf(tail, sizeof(tail), ", qop=auth, nc=%s, cnonce=\"%.100s\"", nc, request->cnonce);
    }
    err = make_response(&in, response);
    out[0] = '\0';
    err = err ? err : put_quoted(out, room, "Digest username", request->user);
    err = err ? err : put_quoted(out, room, ", realm", challenge->realm);
    err = err ? err : put_quoted(out, room, ", nonce", challenge->nonce);
    err = err ? err : put_quoted(out, room, ", uri", request->uri);
    err = err ? err : put_quoted(out, room, ", response", response);
    if (challenge->scheme == AUTH_SCHEME_SHA256)
        err = err ? err : put(out, room, ", algorithm=SHA-256");
    err = err ? err : put(out, room, tail);
    if (*challenge->opaque)
        err = err ? err : put_quoted(out, room, ", opaque", challenge->opaque);
    return err;
}

static int parse_basic(struct digest_credential *out, const char *value)
{
    char text[2 * DIGEST_FIELD_MAX], *colon;
    uint32_t bits = 0;
    size_t len = 0;
    unsigned have = 0;
    int err = 0;

    for (value += strspn(value, " "); *value && *value != '=' && *value != ' '; value++) {
        const char *digit = strchr(base64_digits, *value);

        if (!digit)
            return -ERR_PROTOCOL;
        bits = bits << 6 | (uint32_t)(digit - base64_digits);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (len + 1 >= sizeof(text))
            return -ERR_TOO_LONG;
        text[len++] = (char)(bits >> have);
    }
    text[len] = '\0';
    colon = strchr(text, ':');
    if (!colon || strlen(text) != len || colon - text >= DIGEST_FIELD_MAX ||
        strlen(colon + 1) >= DIGEST_FIELD_MAX)
        err = -ERR_PROTOCOL;
    if (err == 0) {
        memcpy(out->user, text, (size_t)(colon - text));
        memcpy(out->password, colon + 1, strlen(colon + 1));
    }
    secret_wipe(text, sizeof(text));
    return err;
}

static int keep_credential(struct digest_credential *out, const struct parameter *parameter,
                           char *algorithm, size_t algorithm_room)
{
    const struct {
        const char *name;
        char *to;
        size_t room;
    } rows[] = {
        {"username", out->user, sizeof(out->user)},
        {"realm", out->realm, sizeof(out->realm)},
        {"nonce", out->nonce, sizeof(out->nonce)},
        {"uri", out->uri, sizeof(out->uri)},
        {"response", out->response, sizeof(out->response)},
        {"cnonce", out->cnonce, sizeof(out->cnonce)},
        {"nc", out->count, sizeof(out->count)},
        {"algorithm", algorithm, algorithm_room},
    };

    if (strcasecmp(parameter->name, "qop") == 0)
        out->has_qop = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcasecmp(parameter->name, rows[i].name) == 0)
            return keep(parameter, rows[i].to, rows[i].room);
    return 0;
}

int digest_credential_parse(struct digest_credential *out, const char *value)
{
    struct parameter parameter;
    char algorithm[32] = "";
    int err = 0;

    memset(out, 0, sizeof(*out));
    if (strnlen(value, VALUE_MAX) >= VALUE_MAX)
        return -ERR_TOO_LONG;
    if (take_scheme(&value, "Basic")) {
        out->scheme = AUTH_SCHEME_BASIC;
        return parse_basic(out, value);
    }
    if (!take_scheme(&value, "Digest"))
        return -ERR_UNSUPPORTED;
    while (err == 0 && take_parameter(&value, &parameter))
        err = keep_credential(out, &parameter, algorithm, sizeof(algorithm));
    if (err < 0)
        return err;
    out->scheme = scheme_of(algorithm);
    if (out->scheme == AUTH_SCHEME_NONE)
        return -ERR_UNSUPPORTED;
    if (out->has_qop && (!*out->count || !*out->cnonce))
        return -ERR_PROTOCOL;
    return *out->user && *out->nonce && *out->response ? 0 : -ERR_PROTOCOL;
}

int digest_verify(const struct digest_credential *credential, const char *method,
                  const char *password)
{
    struct digest_input in = {.scheme = credential->scheme,
                              .user = credential->user,
                              .realm = credential->realm,
                              .password = password,
                              .method = method,
                              .uri = credential->uri,
                              .nonce = credential->nonce,
                              .nc = credential->has_qop ? credential->count : NULL,
                              .cnonce = credential->cnonce};
    char expected[DIGEST_HEX] = "", given[DIGEST_HEX] = "";

    if (make_response(&in, expected) < 0)
        return -ERR_AUTH;
    for (size_t i = 0; credential->response[i]; i++)
        given[i] = credential->response[i] >= 'A' && credential->response[i] <= 'F'
                       ? (char)(credential->response[i] | 0x20)
                       : credential->response[i];
    return secret_is_equal(expected, given, sizeof(expected)) ? 0 : -ERR_AUTH;
}

/* 16 hex digits of the time, then those of the MAC. */
static int nonce_write(const uint8_t key[32], uint64_t time_us, char out[DIGEST_NONCE])
{
    uint8_t mac[SHA256_BYTES];
    int err;

    snprintf(out, DIGEST_NONCE, "%016llx", (unsigned long long)time_us);
    err = hmac_make((struct hmac_key){key, 32}, out, 16, mac);
    if (err == 0)
        hex_write(mac, NONCE_MAC_BYTES, out + 16);
    return err;
}

int nonce_make(const uint8_t key[32], int64_t now_us, char out[DIGEST_NONCE])
{
    return nonce_write(key, (uint64_t)now_us, out);
}

int nonce_check(const uint8_t key[32], int64_t now_us, const char *nonce)
{
    char expected[DIGEST_NONCE] = "";
    unsigned long long made_us = 0;

    if (strlen(nonce) != 16 + 2 * NONCE_MAC_BYTES || sscanf(nonce, "%16llx", &made_us) != 1)
        return -ERR_AUTH;
    if (nonce_write(key, made_us, expected) < 0)
        return -ERR_AUTH;
    if (!secret_is_equal(expected, nonce, 16 + 2 * NONCE_MAC_BYTES))
        return -ERR_AUTH;
    return now_us - (int64_t)made_us > NONCE_GOOD_US ? -ERR_TIMEOUT : 0;
}
