/* http/h1_wire.h: the head of an HTTP/1.1 request: bytes to fields; pure (RFC 9112).
 *
 * http-parser splits the head. It is lenient where leniency lets requests be smuggled past
 * another reader (bare LF, folded lines, blanks before the colon, sizes twice), so every line
 * is checked here as well, and framing is decided here alone.
 *
 * This file and its source are the only ones that see http-parser, whose names collide with
 * those of http.h: they do not include each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { H1_FIELDS_MAX = 128, H1_NAME_MAX = 255 };

struct h1_field {
    const char *name; /* lower case */
    const char *value;
};

struct h1_head {
    const char *method;
    char *target; /* for target_parse, which works in place */
    unsigned minor;
    size_t count;
    struct h1_field fields[H1_FIELDS_MAX];
};

struct h1_limits {
    size_t header_bytes, header_count, target_bytes;
};

/* How far an incomplete head was looked through; zero it for each head. */
struct h1_scan {
    size_t at, line;
    bool has_request_line;
};

/* Looks for the end of the head in all bytes that are there (the same ones as in the last
 * call, and more). Its length with the empty line; 0: not there yet; negative: a status of
 * an HTTP error (-400, -414, -431). An empty line before the request line belongs to it. */
ssize_t h1_head_find(struct h1_scan *scan, const struct h1_limits *limits, const uint8_t *bytes,
                     size_t len) MUST_CHECK;

/* Splits a complete head of len bytes, which is changed; out points into it. 0, or the status
 * of an HTTP error: 400, 414, 431, 501 (no such method), 505. */
unsigned h1_head_parse(struct h1_head *out, const struct h1_limits *limits, char *text,
                       size_t len) MUST_CHECK;

struct h1_framing {
    bool is_chunked;
    uint64_t length; /* of the body when it is not chunked */
    bool keeps_alive;
    bool expects_continue;
    const char *host; /* NULL only in HTTP/1.0 */
};

/* 0, or 400, 417 or 501 (a transfer coding that is not known). */
unsigned h1_head_framing(struct h1_framing *out, const struct h1_head *head) MUST_CHECK;
