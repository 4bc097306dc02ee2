#include "egress/webrtc/sdp_text.h"

#include <string.h>
#include <strings.h>

static void span_skip(struct span *span, size_t len)
{
    if (len) /* an empty span may point nowhere */
        span->at += len;
    span->len -= len;
}

struct span span_until(struct span *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    struct span found = {rest->at, end ? (size_t)(end - rest->at) : rest->len};

    span_skip(rest, found.len + (end ? 1 : 0));
    return found;
}

bool span_line(struct span *rest, struct span *line)
{
    if (!rest->len)
        return false;
    *line = span_until(rest, '\n');
    if (line->len && line->at[line->len - 1] == '\r')
        --line->len;
    return true;
}

struct span span_trim(struct span span)
{
    while (span.len && *span.at == ' ')
        span_skip(&span, 1);
    while (span.len && span.at[span.len - 1] == ' ')
        --span.len;
    return span;
}

struct span span_word(struct span *rest)
{
    while (rest->len && *rest->at == ' ')
        span_skip(rest, 1);
    return span_until(rest, ' ');
}

bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

bool span_is_nocase(struct span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.at, text, span.len) == 0;
}

/* 16 when it is none. */
static unsigned digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0');
    if (digit >= 'a' && digit <= 'f')
        return (unsigned)(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F')
        return (unsigned)(digit - 'A') + 10;
    return 16;
}

bool span_number(struct span span, unsigned base, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < span.len; i++) {
        unsigned digit = digit_value(span.at[i]);

        if (digit >= base)
            return false;
        value = value * base + digit;
        if (value > UINT32_MAX)
            return false;
    }
    *out = (uint32_t)value;
    return span.len > 0;
}

static bool is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool span_has_only(struct span span, const char *others)
{
    for (size_t i = 0; i < span.len; i++)
        if (!is_alphanumeric(span.at[i]) && (!span.at[i] || !strchr(others, span.at[i])))
            return false;
    return span.len > 0;
}

bool span_is_token(struct span span)
{
    return span_has_only(span, "!#$%&'*+-.^_`{|}~");
}

bool span_is_ice(struct span span)
{
    return span_has_only(span, "+/");
}

bool span_is_clean(struct span span)
{
    for (size_t i = 0; i < span.len; i++)
        if ((unsigned char)span.at[i] < ' ' || span.at[i] == 0x7f)
            return false;
    return true;
}

bool span_copy(struct span span, char *out, size_t room)
{
    out[0] = '\0';
    if (span.len >= room)
        return false;
    if (span.len)
        memcpy(out, span.at, span.len);
    out[span.len] = '\0';
    return true;
}
