#include "http/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { AUTHORITY_MAX = 262 }; /* a DNS name and a port */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "%XX" at text, or -1. */
static int percent_byte(const char *text)
{
    int high = hex_digit(text[1]), low;

    if (high < 0)
        return -1;
    low = hex_digit(text[2]);
    return low < 0 ? -1 : high << 4 | low;
}

static int path_decode(char *path)
{
    char *to = path;

    for (const char *at = path; *at; at++) {
        int byte = (unsigned char)*at;

        if (byte == '%') {
            byte = percent_byte(at);
            at += byte < 0 ? 0 : 2;
        }
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            return -ERR_PROTOCOL;
        *to++ = (char)byte;
    }
    *to = '\0';
    return 0;
}

/* RFC 3986 section 5.2.4, but to climb above the root is an error. path starts with '/'. */
static int path_remove_dots(char *path)
{
    char *to = path;
    const char *at = path;

    while (*at) {
        size_t len = 1 + strcspn(at + 1, "/"); /* "/segment" */
        bool is_last = at[len] == '\0';

        if (len == 2 && at[1] == '.') {
            if (is_last)
                *to++ = '/';
        } else if (len == 3 && at[1] == '.' && at[2] == '.') {
            if (to == path)
                return -ERR_PROTOCOL;
            while (*--to != '/')
                ;
            if (is_last)
                *to++ = '/';
        } else {
            memmove(to, at, len);
            to += len;
        }
        at += len;
    }
    *to = '\0';
    return 0;
}

static bool has_bad_byte(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f || *text == '#')
            return true;
    return false;
}

static char *skip_scheme(char *text)
{
    if (strncasecmp(text, "http://", 7) == 0)
        return text + 7;
    if (strncasecmp(text, "https://", 8) == 0)
        return text + 8;
    return NULL;
}

/* Moves the authority of the absolute form to the front of text, where the scheme was, so that
 * it can end with a NUL; gives what follows it. */
static char *split_authority(struct target *out, char *text, char *authority)
{
    size_t len = strcspn(authority, "/?");

    memmove(text, authority, len);
    text[len] = '\0';
    out->authority = text;
    return target_is_authority(text) ? authority + len : NULL;
}

int target_parse(struct target *out, char *text)
{
    char *path = text, *query, *authority;
    int err;

    *out = (struct target){.path = "/", .query = ""};
    if (has_bad_byte(text))
        return -ERR_PROTOCOL;
    if (strcmp(text, "*") == 0) {
        out->path = "*";
        return 0;
    }
    authority = skip_scheme(text);
    if (authority)
        path = split_authority(out, text, authority);
    if (!path || (*path != '/' && !authority))
        return -ERR_PROTOCOL;
    query = strchr(path, '?');
    if (query) {
        *query = '\0';
        out->query = query + 1;
    }
    if (*path == '\0')
        return 0;
    err = path_decode(path);
    if (!err)
        err = path_remove_dots(path);
    out->path = path;
    return err;
}

bool target_is_authority(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > AUTHORITY_MAX || *text == ':')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-._~:[]", *text))
            return false;
    return true;
}

/* Decodes len bytes of value into out; false when it does not fit or is malformed. */
static bool value_decode(const char *value, size_t len, char *out, size_t room)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        int byte = value[i] == '+' ? ' ' : (unsigned char)value[i];

        if (byte == '%') {
            byte = i + 2 < len ? percent_byte(value + i) : -1;
            i += 2;
        }
        if (byte <= 0 || used + 1 >= room)
            return false;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return true;
}

bool target_query_value(const char *query, const char *name, char *out, size_t room)
{
    size_t name_len = strlen(name);

    if (room == 0)
        return false;
    for (const char *at = query; *at;) {
        size_t len = strcspn(at, "&");

        if (len > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
            at += name_len + 1;
            if (value_decode(at, len - name_len - 1, out, room))
                return true;
            break;
        }
        at += len + (at[len] == '&');
    }
    out[0] = '\0';
    return false;
}
