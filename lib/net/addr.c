#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct sockaddr_in *as_v4(const struct addr *addr)
{
    return (const struct sockaddr_in *)(const void *)&addr->storage;
}

static const struct sockaddr_in6 *as_v6(const struct addr *addr)
{
    return (const struct sockaddr_in6 *)(const void *)&addr->storage;
}

static struct addr make_v4(struct in_addr host, uint16_t port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *to = (struct sockaddr_in *)(void *)&addr.storage;

    to->sin_family = AF_INET;
    to->sin_addr = host;
    to->sin_port = htons(port);
    return addr;
}

static struct addr make_v6(struct in6_addr host, uint16_t port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *to = (struct sockaddr_in6 *)(void *)&addr.storage;

    to->sin6_family = AF_INET6;
    to->sin6_addr = host;
    to->sin6_port = htons(port);
    return addr;
}

/* The host's bytes in network order, 4 or 16 of them; 0 for other families. */
static size_t host_bytes(const struct addr *addr, const uint8_t **bytes)
{
    if (addr->storage.ss_family == AF_INET) {
        *bytes = (const uint8_t *)&as_v4(addr)->sin_addr;
        return 4;
    }
    if (addr->storage.ss_family == AF_INET6) {
        *bytes = as_v6(addr)->sin6_addr.s6_addr;
        return 16;
    }
    *bytes = NULL;
    return 0;
}

/* A decimal number of at most 5 digits, nothing else around it. */
static int parse_number(unsigned *out, const char *text, unsigned max)
{
    unsigned value = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return -ERR_PROTOCOL;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value > max)
        return -ERR_PROTOCOL;
    *out = value;
    return 0;
}

static int parse_v6(struct addr *out, char *text)
{
    char *scope = strchr(text, '%');
    struct in6_addr host;
    unsigned index = 0;

    if (scope) {
        *scope++ = '\0';
        index = if_nametoindex(scope);
        if (!index && parse_number(&index, scope, 65535) < 0)
            return -ERR_PROTOCOL;
    }
    if (inet_pton(AF_INET6, text, &host) != 1)
        return -ERR_PROTOCOL;
    *out = make_v6(host, 0);
    ((struct sockaddr_in6 *)(void *)&out->storage)->sin6_scope_id = index;
    return 0;
}

static int parse_host(struct addr *out, char *text)
{
    struct in_addr host;

    if (inet_pton(AF_INET, text, &host) == 1) {
        *out = make_v4(host, 0);
        return 0;
    }
    return parse_v6(out, text);
}

/* Cuts ":port" off text, and the brackets; port becomes NULL where there is none. */
static int split_port(char **host, char **port)
{
    char *text = *host, *colon = strchr(text, ':');

    *port = NULL;
    if (*text == '[') {
        char *end = strchr(text, ']');

        if (!end || (end[1] && end[1] != ':') || !strchr(text, ':'))
            return -ERR_PROTOCOL;
        *port = end[1] ? end + 2 : NULL;
        *end = '\0';
        *host = text + 1;
        return strchr(*host, ':') ? 0 : -ERR_PROTOCOL;
    }
    if (colon && colon == strrchr(text, ':')) {
        *colon = '\0';
        *port = colon + 1;
    }
    return 0;
}

int addr_parse(struct addr *out, const char *text)
{
    char copy[ADDR_TEXT + 16], *host = copy, *port;
    size_t len = strlen(text);
    struct addr addr;
    unsigned number = 0;

    if (len >= sizeof(copy))
        return -ERR_PROTOCOL;
    memcpy(copy, text, len + 1);
    if (split_port(&host, &port) < 0 || parse_host(&addr, host) < 0)
        return -ERR_PROTOCOL;
    if (port && parse_number(&number, port, 65535) < 0)
        return -ERR_PROTOCOL;
    addr_set_port(&addr, (uint16_t)number);
    *out = addr;
    return 0;
}

const char *addr_format_host(const struct addr *addr, char text[ADDR_TEXT])
{
    const uint8_t *bytes;
    size_t len = host_bytes(addr, &bytes);

    if (len == 0)
        snprintf(text, ADDR_TEXT, "%s", addr->storage.ss_family == AF_UNIX ? "unix" : "unknown");
    else if (!inet_ntop(addr->storage.ss_family, bytes, text, ADDR_TEXT))
        snprintf(text, ADDR_TEXT, "unknown");
    return text;
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT])
{
    char host[ADDR_TEXT];
    bool is_v6 = addr->storage.ss_family == AF_INET6;

    addr_format_host(addr, host);
    if (!is_v6 && addr->storage.ss_family != AF_INET)
        snprintf(text, ADDR_TEXT, "%s", host);
    else
        snprintf(text, ADDR_TEXT, is_v6 ? "[%.46s]:%u" : "%.46s:%u", host, addr_port(addr));
    return text;
}

uint16_t addr_port(const struct addr *addr)
{
    if (addr->storage.ss_family == AF_INET)
        return ntohs(as_v4(addr)->sin_port);
    if (addr->storage.ss_family == AF_INET6)
        return ntohs(as_v6(addr)->sin6_port);
    return 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    if (addr->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&addr->storage)->sin_port = htons(port);
    else if (addr->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&addr->storage)->sin6_port = htons(port);
}

/* Where an IPv4 address hides in an IPv6 one: after a prefix of so many bytes. */
static const struct {
    uint8_t prefix[12];
    size_t prefix_len, v4_at;
} embeddings[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12}, /* mapped, RFC 4291 2.5.5.2 */
    {{0x00, 0x64, 0xff, 0x9b}, 12, 12},                   /* NAT64, RFC 6052 */
    {{0x20, 0x02}, 2, 2},                                 /* 6to4, RFC 3056 */
    {{0}, 12, 12},                                        /* compatible, RFC 4291 2.5.5.1 */
};

struct addr addr_canonical(const struct addr *addr)
{
    static const uint8_t zeros[15];
    const uint8_t *bytes;

    /* :: and ::1 look compatible but are themselves. */
    if (host_bytes(addr, &bytes) != 16 || (!memcmp(bytes, zeros, 15) && bytes[15] <= 1))
        return *addr;
    for (size_t i = 0; i < sizeof(embeddings) / sizeof(*embeddings); i++)
        if (!memcmp(bytes, embeddings[i].prefix, embeddings[i].prefix_len)) {
            struct in_addr host;

            memcpy(&host, bytes + embeddings[i].v4_at, 4);
            return make_v4(host, addr_port(addr));
        }
    return *addr;
}

struct addr addr_unmapped(const struct addr *addr)
{
    if (addr->storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&as_v6(addr)->sin6_addr))
        return addr_canonical(addr);
    return *addr;
}

bool addr_is_same(const struct addr *a, const struct addr *b)
{
    struct addr x = addr_unmapped(a), y = addr_unmapped(b);
    const uint8_t *x_bytes, *y_bytes;
    size_t len = host_bytes(&x, &x_bytes);

    if (!len || len != host_bytes(&y, &y_bytes) || memcmp(x_bytes, y_bytes, len) != 0)
        return false;
    if (len == 16 && addr_is_link_local(&x) && as_v6(&x)->sin6_scope_id != as_v6(&y)->sin6_scope_id)
        return false;
    return addr_port(&x) == addr_port(&y);
}

bool addr_is_same_host(const struct addr *a, const struct addr *b)
{
    struct addr x = addr_canonical(a), y = addr_canonical(b);
    const uint8_t *x_bytes, *y_bytes;
    size_t len = host_bytes(&x, &x_bytes);

    return len && len == host_bytes(&y, &y_bytes) && !memcmp(x_bytes, y_bytes, len);
}

struct range {
    size_t len; /* 4 or 16: the family */
    uint8_t base[16];
    unsigned bits;
};

static bool range_has(const struct range *range, const uint8_t *bytes, size_t len)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (len != range->len || memcmp(range->base, bytes, whole) != 0)
        return false;
    return rest == 0 || ((range->base[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

static bool any_range_has(const struct range *ranges, size_t count, const struct addr *addr)
{
    struct addr plain = addr_canonical(addr);
    const uint8_t *bytes;
    size_t len = host_bytes(&plain, &bytes);

    for (size_t i = 0; len && i < count; i++)
        if (range_has(&ranges[i], bytes, len))
            return true;
    return false;
}

#define ANY(ranges, addr) any_range_has(ranges, sizeof(ranges) / sizeof(*(ranges)), addr)

bool addr_is_loopback(const struct addr *addr)
{
    static const struct range ranges[] = {
        {4, {127}, 8}, {4, {0}, 8}, {16, {0}, 128}, {16, {[15] = 1}, 128}};

    return ANY(ranges, addr);
}

bool addr_is_multicast(const struct addr *addr)
{
    static const struct range ranges[] = {
        {4, {224}, 4}, {4, {255, 255, 255, 255}, 32}, {16, {0xff}, 8}};

    return ANY(ranges, addr);
}

bool addr_is_link_local(const struct addr *addr)
{
    static const struct range ranges[] = {{4, {169, 254}, 16}, {16, {0xfe, 0x80}, 10}};

    return ANY(ranges, addr);
}

bool addr_is_private(const struct addr *addr)
{
    static const struct range ranges[] = {
        {4, {10}, 8}, {4, {172, 16}, 12}, {4, {192, 168}, 16}, {4, {100, 64}, 10}, {16, {0xfc}, 7}};

    return ANY(ranges, addr) || addr_is_loopback(addr) || addr_is_link_local(addr);
}

int addr_net_parse(struct addr_net *out, const char *text)
{
    char copy[ADDR_TEXT + 16], *slash;
    size_t len = strlen(text), host_len;
    const uint8_t *bytes;
    struct addr plain;

    if (len >= sizeof(copy))
        return -ERR_PROTOCOL;
    memcpy(copy, text, len + 1);
    slash = strchr(copy, '/');
    if (slash)
        *slash++ = '\0';
    if (parse_host(&out->base, copy) < 0)
        return -ERR_PROTOCOL;
    host_len = host_bytes(&out->base, &bytes);
    out->bits = (unsigned)host_len * 8;
    if (slash && parse_number(&out->bits, slash, out->bits) < 0)
        return -ERR_PROTOCOL;

    /* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
    plain = addr_canonical(&out->base);
    if (host_len == 16 && plain.storage.ss_family == AF_INET && out->bits >= 96 &&
        bytes[0] != 0x20) {
        out->base = plain;
        out->bits -= 96;
    }
    return 0;
}

static bool net_has(const struct addr_net *net, const struct addr *addr)
{
    const uint8_t *base, *bytes;
    struct range range = {.bits = net->bits};
    size_t len;

    range.len = host_bytes(&net->base, &base);
    if (range.len == 0 || range.bits > range.len * 8)
        return false;
    memcpy(range.base, base, range.len);
    len = host_bytes(addr, &bytes);
    return range_has(&range, bytes, len);
}

bool addr_net_has(const struct addr_net *net, const struct addr *addr)
{
    struct addr plain = addr_canonical(addr);

    return net_has(net, addr) || net_has(net, &plain);
}
