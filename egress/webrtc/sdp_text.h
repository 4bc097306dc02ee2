/* egress/webrtc/sdp_text.h: lines and words of a session description (RFC 8866), read in place.
 *
 * A span points into the text that it was taken from; nothing is copied until it was judged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *at; /* borrowed; not ended by NUL */
    size_t len;
};

/* The next line, without its end (CR LF, or LF), into *line; *rest moves on. False at the end. */
bool span_line(struct span *rest, struct span *line);

/* What comes before the first separator, or everything; *rest moves on behind it. */
struct span span_until(struct span *rest, char separator);

/* The next word between blanks; empty at the end. */
struct span span_word(struct span *rest);

/* Without blanks at either end. */
struct span span_trim(struct span span);

bool span_is(struct span span, const char *text);

/* The same, whatever the case of letters. */
bool span_is_nocase(struct span span, const char *text);

/* A decimal or hexadecimal number and nothing else, at most UINT32_MAX. */
bool span_number(struct span span, unsigned base, uint32_t *out);

/* Printable ASCII without what separates: RFC 8866's token, never empty. */
bool span_is_token(struct span span);

/* Letters, digits, '+' and '/': RFC 8839's ice-char. */
bool span_is_ice(struct span span);

/* No byte below the blank, and no DEL: nothing that ends a line for somebody else. */
bool span_is_clean(struct span span);

/* Copies it with a NUL; false, and "", when it doesn't fit in room. */
bool span_copy(struct span span, char *out, size_t room);
