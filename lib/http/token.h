/* http/token.h: the alphabet of tokens, and lists of them (RFC 9110 section 5.6). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static inline bool token_has(uint8_t byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= '0' && byte <= '9'))
        return true;
    return byte && strchr("!#$%&'*+-.^_`|~", byte);
}

/* The next member of the comma-separated *list, without blanks around it, its length in *len;
 * NULL at the end. *list moves on. Empty members are skipped. */
static inline const char *token_next(const char **list, size_t *len)
{
    const char *at = *list;

    at += strspn(at, ", \t");
    *len = strcspn(at, ",");
    *list = at + *len;
    while (*len && (at[*len - 1] == ' ' || at[*len - 1] == '\t'))
        --*len;
    return *at ? at : NULL;
}

static inline bool token_is(const char *text, size_t len, const char *wanted)
{
    return strlen(wanted) == len && strncasecmp(text, wanted, len) == 0;
}

/* Whether the comma-separated list (may be NULL) has the token, whatever its case. */
static inline bool token_in(const char *list, const char *wanted)
{
    const char *at;
    size_t len;

    while (list && (at = token_next(&list, &len)))
        if (token_is(at, len, wanted))
            return true;
    return false;
}
