/* egress/webrtc/sdp_line.h: pieces of a description's text, borrowed, never past their end; private
 * to the SDP files.
 */
#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define EXTENSION_ABS_SEND_TIME "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
#define EXTENSION_TRANSPORT_CC                                                                     \
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define EXTENSION_PLAYOUT_DELAY "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
#define EXTENSION_MID "urn:ietf:params:rtp-hdrext:sdes:mid"

enum { SCTP_PORT = 5000 };

struct span {
    const char *at;
    size_t len;
};

static inline struct span span_skip(struct span span, size_t len)
{
    return len > span.len ? (struct span){span.at + span.len, 0}
                          : (struct span){span.at + len, span.len - len};
}

/* The whole, whatever the case. */
static inline bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.at, text, span.len) == 0;
}

static inline bool span_take_char(struct span *span, char wanted)
{
    if (!span->len || *span->at != wanted)
        return false;
    *span = span_skip(*span, 1);
    return true;
}

static inline bool span_take_blank(struct span *span)
{
    bool has_some = false;

    while (span_take_char(span, ' ') || span_take_char(span, '\t'))
        has_some = true;
    return has_some;
}

/* What stands before the first such character, which goes too; all of it if there is none. */
static inline struct span span_take_until(struct span *span, char end)
{
    const char *found = span->len ? memchr(span->at, end, span->len) : NULL;
    struct span part = {span->at, found ? (size_t)(found - span->at) : span->len};

    *span = span_skip(*span, part.len + (found != NULL));
    return part;
}

/* The text at the start, as it is. */
static inline bool span_take_word(struct span *span, const char *word)
{
    size_t len = strlen(word);

    if (span->len < len || memcmp(span->at, word, len) != 0)
        return false;
    *span = span_skip(*span, len);
    return true;
}

/* A line without its end (LF, CR LF). False with a NUL in it, or a CR that ends nothing. */
static inline bool span_take_line(struct span *text, struct span *line)
{
    *line = span_take_until(text, '\n');
    if (line->len && line->at[line->len - 1] == '\r')
        line->len--;
    return !line->len || (!memchr(line->at, '\0', line->len) && !memchr(line->at, '\r', line->len));
}

static inline struct span span_trim(struct span span)
{
    while (span.len && (*span.at == ' ' || *span.at == '\t'))
        span = span_skip(span, 1);
    while (span.len && (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t'))
        span.len--;
    return span;
}

/* Decimal, at most nine digits. */
static inline bool span_take_number(struct span *span, uint32_t *out)
{
    size_t digits = 0;

    *out = 0;
    while (digits < span->len && digits < 9 && isdigit((unsigned char)span->at[digits]))
        *out = *out * 10 + (uint32_t)(span->at[digits++] - '0');
    if (!digits || (digits < span->len && isdigit((unsigned char)span->at[digits])))
        return false;
    *span = span_skip(*span, digits);
    return true;
}

static inline int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Two hexadecimal digits. */
static inline bool span_take_byte(struct span *span, uint8_t *out)
{
    int high = span->len >= 2 ? hex_digit(span->at[0]) : -1;
    int low = span->len >= 2 ? hex_digit(span->at[1]) : -1;

    if (high < 0 || low < 0)
        return false;
    *out = (uint8_t)(high << 4 | low);
    *span = span_skip(*span, 2);
    return true;
}

/* Six hexadecimal digits: a profile-level-id. out stays as it is without. */
static inline bool span_take_hex(struct span *span, uint32_t *out)
{
    uint8_t bytes[3];

    for (unsigned i = 0; i < 3; i++)
        if (!span_take_byte(span, &bytes[i]))
            return false;
    *out = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    return true;
}

/* Token characters (RFC 8866 section 9), and those of also. */
static inline bool span_is_token(struct span span, const char *also)
{
    for (size_t i = 0; i < span.len; i++) {
        unsigned char c = (unsigned char)span.at[i];

        if (!(isalnum(c) && c < 128) && !strchr("!#$%&'*+-.^_`{|}~", c) && !strchr(also, c))
            return false;
        if (!c)
            return false;
    }
    return span.len > 0;
}

/* Characters of ICE credentials (RFC 8839 section 5.4). */
static inline bool span_is_ice(struct span span)
{
    for (size_t i = 0; i < span.len; i++) {
        unsigned char c = (unsigned char)span.at[i];

        /* "-" and "_" are not in the RFC, and in some players' credentials all the same. */
        if (!(isalnum(c) && c < 128) && c != '+' && c != '/' && c != '-' && c != '_' && c != '=')
            return false;
    }
    return span.len > 0;
}

/* With a NUL; false if there is no room. */
static inline bool span_copy(struct span span, char *out, size_t room)
{
    if (span.len >= room)
        return false;
    memcpy(out, span.at, span.len);
    out[span.len] = '\0';
    return true;
}
