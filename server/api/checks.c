/* server/api/checks.c: what texts from outside may look like. */
#include <ctype.h>
#include <string.h>

#include "net/addr.h"
#include "server/api/fields.h"

enum { NAME_CHARACTERS = 100, LIST_ITEMS = 48 };

static const char *wrong_slug(char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(text);

    if (len < 1 || len > STORE_SLUG - 1 || text[0] == '-' || strspn(text, letters) != len)
        return "must be 1 to 63 of a-z, 0-9 and - (not first)";
    return NULL;
}

/* The next code point of valid UTF-8 (JSON's parser saw to that), moving at. */
static uint32_t next_point(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    int more = bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : bytes[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more ? bytes[0] & (0x3fu >> more) : bytes[0];

    for (int i = 1; i <= more; i++)
        point = point << 6 | (bytes[i] & 0x3fu);
    *at += 1 + more;
    return point;
}

/* Characters that hide, break lines or turn the text around them. */
static bool is_deceitful(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x0, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
        {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    }
    return false;
}

static const char *wrong_label(char *text)
{
    const char *at = text;
    size_t count = 0;

    while (*at) {
        if (is_deceitful(next_point(&at)))
            return "must not have control, invisible or direction characters";
        if (++count > NAME_CHARACTERS)
            return "must be at most 100 characters";
    }
    return NULL;
}

static const char *wrong_name(char *text)
{
    size_t len = strlen(text);

    if (strspn(text, " ") == len || text[0] == ' ' || text[len - 1] == ' ')
        return "must be 1 to 100 characters, without spaces around";
    return wrong_label(text);
}

static const char *wrong_id(char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t len = strlen(text);

    if (len < 1 || len > STORE_SLUG - 1 || strspn(text, letters) != len)
        return "must be an id or a slug";
    return NULL;
}

static const char *wrong_network(char *text)
{
    struct addr_net net;

    if (strchr(text, ' ') || addr_net_parse(&net, text))
        return "must be networks like 192.0.2.0/24 or 2001:db8::/32";
    return NULL;
}

/* A port from 1 to 65535 in digits alone. */
static bool is_port(const char *text)
{
    long port = 0;

    if (!*text || strlen(text) > 5 || *text == '0' || strspn(text, "0123456789") != strlen(text))
        return false;
    for (; *text; text++)
        port = port * 10 + (*text - '0');
    return port <= 65535;
}

/* As browsers write it: lower case, no default port, no path. */
static const char *wrong_origin(char *text)
{
    static const char wrong[] = "must be web origins like https://example.org or "
                                "http://192.0.2.1:8080";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    bool is_https;
    char *host, *port;
    size_t len;

    for (char *at = text; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    is_https = !strncmp(text, "https://", 8);
    if (!is_https && strncmp(text, "http://", 7))
        return wrong;
    host = text + (is_https ? 8 : 7);
    if (host[0] == '[')
        len = strspn(host + 1, "0123456789abcdef:.") + 1;
    else
        len = strspn(host, letters);
    if (host[0] == '[' && host[len++] != ']')
        return wrong;
    if (len < 1 || len > 253 || host[0] == '.' || host[0] == '-')
        return wrong;
    port = host + len;
    if (!*port)
        return NULL;
    if (*port != ':' || !is_port(port + 1))
        return wrong;
    if (!strcmp(port, is_https ? ":443" : ":80"))
        *port = 0;
    return NULL;
}

static const char *wrong_word(char *text)
{
    size_t len = strlen(text);

    if (len < 1 || len > 15 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return "must be names of protocols";
    return NULL;
}

static const char *wrong_path(char *text)
{
    if (text[0] != '/')
        return "must be an absolute path";
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return "must not have control characters";
    }
    return NULL;
}

const struct field_check check_slug = {.check = wrong_slug};
const struct field_check check_name = {.check = wrong_name};
const struct field_check check_label = {.check = wrong_label};
const struct field_check check_id = {.check = wrong_id};
const struct field_check check_path = {.check = wrong_path};
const struct field_check check_networks = {.check = wrong_network, .items_max = LIST_ITEMS};
const struct field_check check_origins = {.check = wrong_origin, .items_max = LIST_ITEMS};
const struct field_check check_protocols = {.check = wrong_word, .items_max = LIST_ITEMS};
const struct field_check check_cameras = {.check = wrong_id, .items_max = LIST_ITEMS};
