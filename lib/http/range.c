#include "http/range.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "http/token.h"

/* Digits at *at into *out, saturating; false when there are none. */
static bool take_number(const char **at, uint64_t *out)
{
    const char *digit = *at;

    *out = 0;
    for (; isdigit((unsigned char)*digit); digit++) {
        if (*out > (UINT64_MAX - 9) / 10)
            *out = UINT64_MAX / 10 - 9;
        *out = *out * 10 + (uint64_t)(*digit - '0');
    }
    if (digit == *at)
        return false;
    *at = digit;
    return true;
}

static enum range_result suffix(const char *at, size_t size, size_t *offset, size_t *len)
{
    uint64_t wanted;

    if (!take_number(&at, &wanted) || *at)
        return RANGE_NONE;
    if (wanted == 0 || size == 0)
        return RANGE_OUTSIDE;
    *len = wanted < size ? (size_t)wanted : size;
    *offset = size - *len;
    return RANGE_ONE;
}

enum range_result range_parse(const char *value, size_t size, size_t *offset, size_t *len)
{
    uint64_t first, last = UINT64_MAX;

    if (strncasecmp(value, "bytes=", 6) != 0)
        return RANGE_NONE;
    value += 6;
    if (*value == '-')
        return suffix(value + 1, size, offset, len);
    if (!take_number(&value, &first) || *value++ != '-')
        return RANGE_NONE;
    if (*value && (!take_number(&value, &last) || *value || last < first))
        return RANGE_NONE;
    if (first >= size)
        return RANGE_OUTSIDE;
    *offset = (size_t)first;
    *len = last < size ? (size_t)(last - first) + 1 : size - *offset;
    return RANGE_ONE;
}

/* Whether a weight such as ";q=0.5" is more than zero. */
static bool has_weight(const char *at, size_t len)
{
    const char *q = memchr(at, ';', len), *end = at + len;

    if (!q)
        return true;
    for (q++; q < end && (*q == ' ' || *q == '\t'); q++)
        ;
    if (end - q < 3 || (*q | 0x20) != 'q' || q[1] != '=')
        return false;
    for (q += 2; q < end; q++)
        if (*q >= '1' && *q <= '9')
            return true;
    return false;
}

bool range_accepts_gzip(const char *value)
{
    bool by_star = false;
    const char *at;
    size_t len;

    while (value && (at = token_next(&value, &len))) {
        size_t name = 0;

        while (name < len && token_has((uint8_t)at[name]))
            name++;
        if (token_is(at, name, "gzip") || token_is(at, name, "x-gzip"))
            return has_weight(at, len);
        if (token_is(at, name, "*"))
            by_star = has_weight(at, len);
    }
    return by_star;
}
