/* agent/dial_http.h: the HTTP/1.1 that opens the way to the server; pure.
 *
 * CONNECT to a proxy (RFC 9110 section 9.3.6), and the upgrade to a WebSocket (RFC 6455 section
 * 4.1). Of replies only the head is read, and only what is asked for here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/writer.h"

struct proxy;

enum { REPLY_HEAD_MAX = 8 * 1024 };

/* Borrows the bytes that it was read from. */
struct http_reply {
    unsigned status;
    const char *fields; /* lines, each ended by LF */
    size_t fields_len;
};

/* How long the head is; 0: not whole yet; -ERR_PROTOCOL: no HTTP/1; -ERR_TOO_LONG. */
ssize_t http_reply_parse(struct http_reply *out, const uint8_t *bytes, size_t len);

/* The field's value, without blanks around it, as text in out; "" when it is absent, longer than
 * room or there twice. */
const char *http_reply_field(const struct http_reply *reply, const char *name, char *out,
                             size_t room);

struct http_authority {
    const char *host; /* without brackets */
    uint16_t port;
};

void connect_request(struct writer *to, struct http_authority server, const struct proxy *proxy);

/* What is wrong with the proxy's answer, for people; NULL: the way is open. */
const char *connect_refusal(const struct http_reply *reply, const struct proxy *proxy);

void upgrade_request(struct writer *to, struct http_authority server, const char *key);

/* The same for the server's answer to the upgrade under this key. */
const char *upgrade_refusal(const struct http_reply *reply, const char *key);
