/* http/range.h: Range and Accept-Encoding; pure (RFC 9110 sections 12.5.3 and 14.2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum range_result {
    RANGE_NONE,   /* malformed, another unit, or several: send all */
    RANGE_ONE,    /* *offset and *len say which */
    RANGE_OUTSIDE /* 416 */
};

enum range_result range_parse(const char *value, size_t size, size_t *offset, size_t *len);

/* Whether an Accept-Encoding (may be NULL) takes gzip. */
bool range_accepts_gzip(const char *value);
