/* net/addr.h: socket addresses and networks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum { ADDR_TEXT = 64 };

struct addr {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* "192.168.1.10:554", "[::1]:443", or a bare address with port 0. Numbers only: -ERR_PROTOCOL. */
int addr_parse(struct addr *out, const char *text) MUST_CHECK;

/* "192.168.1.10:554"; writes at most ADDR_TEXT bytes and returns text. */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT]);

/* The same without the port. */
const char *addr_format_host(const struct addr *addr, char text[ADDR_TEXT]);

uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);

/* IPv4 written as IPv6 (mapped, 6to4, NAT64, compatible) becomes plain IPv4. */
struct addr addr_canonical(const struct addr *addr);

/* An IPv4 peer as a socket of both families sees it (::ffff:0:0/96) becomes plain IPv4. The other
 * forms stay: what is sent to them goes another way. */
struct addr addr_unmapped(const struct addr *addr);

/* The same place to send to: host and port, mapped or not, and the link where it is link-local. */
bool addr_is_same(const struct addr *a, const struct addr *b);

/* Same host, whatever the port and the form. */
bool addr_is_same_host(const struct addr *a, const struct addr *b);

/* And 0.0.0.0/8 and ::, which Linux connects to itself. */
bool addr_is_loopback(const struct addr *addr);
bool addr_is_multicast(const struct addr *addr);
bool addr_is_link_local(const struct addr *addr);

/* RFC 1918, RFC 6598 (CGNAT), unique local IPv6, loopback and link-local. */
bool addr_is_private(const struct addr *addr);

/* An address range in CIDR form: "10.0.0.0/8", "2001:db8::/32", or one address. */
struct addr_net {
    struct addr base;
    unsigned bits;
};

int addr_net_parse(struct addr_net *out, const char *text) MUST_CHECK;
bool addr_net_has(const struct addr_net *net, const struct addr *addr);
