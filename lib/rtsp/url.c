#include "rtsp/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes once; a "%" that begins no escape stays as it is (passwords hold such). */
static int decode(const char *text, size_t len, char *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        int high = i + 2 < len && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

        if (at + 1 >= room)
            return -ERR_TOO_LONG;
        if (low < 0) {
            out[at++] = text[i];
            continue;
        }
        if ((high << 4 | low) < 0x20 || (high << 4 | low) == 0x7f)
            return -ERR_PROTOCOL; /* nothing that we read has a use for such a byte */
        out[at++] = (char)(high << 4 | low);
        i += 2;
    }
    out[at] = '\0';
    return 0;
}

static int copy(const char *text, size_t len, char *out, size_t room)
{
    if (len >= room)
        return -ERR_TOO_LONG;
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}

static int parse_userinfo(struct rtsp_url *out, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : len;
    int err = decode(text, user_len, out->user, sizeof(out->user));

    if (err == 0 && colon)
        err = decode(colon + 1, len - user_len - 1, out->password, sizeof(out->password));
    return err;
}

static int parse_port(struct rtsp_url *out, const char *text, size_t len)
{
    uint32_t port = 0;

    if (len > 5)
        return -ERR_PROTOCOL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -ERR_PROTOCOL;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (len && (port == 0 || port > 65535))
        return -ERR_PROTOCOL;
    if (len)
        out->port = (uint16_t)port;
    return 0;
}

/* host, host:port, [v6], [v6]:port */
static int parse_host(struct rtsp_url *out, const char *text, size_t len)
{
    const char *end = text + len, *stop;
    int err;

    if (len && *text == '[') {
        text++;
        stop = memchr(text, ']', (size_t)(end - text));
        if (!stop)
            return -ERR_PROTOCOL;
        err = copy(text, (size_t)(stop - text), out->host, sizeof(out->host));
        stop++;
    } else {
        stop = memchr(text, ':', len);
        stop = stop ? stop : end;
        err = copy(text, (size_t)(stop - text), out->host, sizeof(out->host));
    }
    if (err < 0)
        return err;
    if (!out->host[0] || strpbrk(out->host, " \"<>[\\]^`{|}%"))
        return -ERR_PROTOCOL;
    if (stop == end)
        return 0;
    return *stop == ':' ? parse_port(out, stop + 1, (size_t)(end - stop - 1)) : -ERR_PROTOCOL;
}

static bool has_bad_byte(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* The last "@" before the path ends user and password: both may hold one, unescaped. */
static int parse_authority(struct rtsp_url *out, const char *text, size_t len)
{
    const char *at = memrchr(text, '@', len);
    int err = 0;

    if (at) {
        err = parse_userinfo(out, text, (size_t)(at - text));
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    return err < 0 ? err : parse_host(out, text, len);
}

/* How long user, password, host and port are. People paste passwords with "/", "?" or "#" in
 * them: where what comes before the first of these can't be host and port, and an "@" follows,
 * it is a part of the password. */
static size_t authority_length(const char *text)
{
    size_t len = strcspn(text, "/?#");
    const char *colon = memchr(text, ':', len), *at = strrchr(text, '@');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

    if (!colon || !at || memchr(text, '@', len) || *text == '[' || colon + 1 + digits == text + len)
        return len;
    return (size_t)(at - text) + strcspn(at, "/?#");
}

int rtsp_url_parse(struct rtsp_url *out, const char *text)
{
    size_t len;
    int err;

    memset(out, 0, sizeof(*out));
    if (strnlen(text, RTSP_URL_MAX) >= RTSP_URL_MAX)
        return -ERR_TOO_LONG;
    out->is_tls = strncasecmp(text, "rtsps://", 8) == 0;
    if (!out->is_tls && strncasecmp(text, "rtsp://", 7) != 0)
        return -ERR_PROTOCOL;
    if (has_bad_byte(text))
        return -ERR_PROTOCOL;
    text += out->is_tls ? 8 : 7;
    out->port = out->is_tls ? 322 : 554;
    len = authority_length(text);
    err = parse_authority(out, text, len);
    text += len;
    len = strcspn(text, "?#");
    if (err == 0)
        err = copy(len ? text : "/", len ? len : 1, out->path, sizeof(out->path));
    text += len;
    if (err == 0 && *text == '?')
        err = copy(text + 1, strcspn(text + 1, "#"), out->query, sizeof(out->query));
    return err;
}

int rtsp_url_format(const struct rtsp_url *url, char *out, size_t room)
{
    bool is_v6 = strchr(url->host, ':') != NULL;
    int len = snprintf(out, room, "%s://%s%s%s:%u%s%s%s", url->is_tls ? "rtsps" : "rtsp",
                       is_v6 ? "[" : "", url->host, is_v6 ? "]" : "", url->port, url->path,
                       url->query[0] ? "?" : "", url->query);

    return len < 0 || (size_t)len >= room ? -ERR_TOO_LONG : 0;
}

/* The parameter's name and value within query, up to its "&"; NULL when absent. */
static const char *query_find(const char *query, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = query; *at; at += strcspn(at, "&") + (strchr(at, '&') != NULL))
        if (strncmp(at, name, len) == 0 && (at[len] == '=' || at[len] == '&' || !at[len]))
            return at;
    return NULL;
}

bool rtsp_query_value(const char *query, const char *name, char *out, size_t room)
{
    const char *at = query_find(query, name);

    if (room)
        *out = '\0';
    if (!at)
        return false;
    at += strlen(name);
    at += *at == '=';
    return decode(at, strcspn(at, "&/"), out, room) == 0;
}

void rtsp_query_remove(char *query, const char *name)
{
    const char *found = query_find(query, name);
    char *at;
    size_t len;

    if (!found)
        return;
    at = query + (found - query);
    len = strcspn(at, "&");
    if (at[len] == '&')
        len++;
    else if (at > query) {
        at--;
        len++;
    }
    memmove(at, at + len, strlen(at + len) + 1);
}
