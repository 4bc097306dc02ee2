/* http/chunks.h: the chunked transfer coding of a request's body; pure (RFC 9112 section 7.1).
 *
 * Strict, since two readings of one body is how requests are smuggled: lines end with CRLF
 * and nothing else, sizes are hexadecimal without sign or space, extensions and trailers are
 * skipped but bounded, and no size can overflow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum chunks_state {
    CHUNKS_SIZE,      /* the size's digits */
    CHUNKS_EXTENSION, /* after ';' */
    CHUNKS_SIZE_LF,
    CHUNKS_DATA,
    CHUNKS_DATA_CR,
    CHUNKS_DATA_LF,
    CHUNKS_TRAILER_START, /* of a line: CR ends the body */
    CHUNKS_TRAILER_NAME,
    CHUNKS_TRAILER_VALUE,
    CHUNKS_TRAILER_LF,
    CHUNKS_LAST_LF,
    CHUNKS_DONE
};

struct chunks {
    enum chunks_state state;
    uint64_t left;   /* of the present chunk */
    unsigned digits; /* of its size */
    size_t overhead; /* bytes that were not data */
    size_t data;     /* bytes that were */
};

void chunks_init(struct chunks *chunks);

/* Reads on, up to the end of the body or of one run of data, which *data and *data_len then
 * name (data_len 0: none). Returns how many bytes it used, or -ERR_PROTOCOL, or -ERR_TOO_LONG
 * when framing outweighs the data. Call again while there are bytes and it is not done. */
ssize_t chunks_read(struct chunks *chunks, const uint8_t *bytes, size_t len, const uint8_t **data,
                    size_t *data_len) MUST_CHECK;

static inline bool chunks_is_done(const struct chunks *chunks)
{
    return chunks->state == CHUNKS_DONE;
}
