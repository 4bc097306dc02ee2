/* base/reader.h: a cursor over bytes from outside; big-endian, as networks are.
 *
 * The error is sticky: after reading past the end every read gives zero, and one check at
 * the end (reader_is_ok) is enough. Nothing is copied; pointers point into the input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct reader reader_of(const void *bytes, size_t len)
{
    return (struct reader){.at = bytes, .end = (const uint8_t *)bytes + len};
}

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline bool reader_is_ok(const struct reader *reader)
{
    return !reader->failed;
}

static inline bool reader_is_done(const struct reader *reader)
{
    return reader->failed || reader->at == reader->end;
}

/* The next len bytes, or NULL (and the sticky error) when there are fewer. */
static inline const uint8_t *reader_take(struct reader *reader, size_t len)
{
    const uint8_t *at = reader->at;

    if (reader->failed || reader_left(reader) < len) {
        reader->failed = true;
        reader->at = reader->end;
        return NULL;
    }
    reader->at += len;
    return at;
}

/* A reader over the next len bytes alone; it has failed when there are fewer. */
static inline struct reader reader_sub(struct reader *reader, size_t len)
{
    const uint8_t *at = reader_take(reader, len);

    if (!at)
        return (struct reader){.failed = true};
    return reader_of(at, len);
}

/* An unsigned number of len bytes (1 to 8), big-endian; 0 past the end. */
static inline uint64_t reader_uint(struct reader *reader, size_t len)
{
    const uint8_t *at = reader_take(reader, len);
    uint64_t value = 0;

    for (size_t i = 0; at && i < len; i++)
        value = value << 8 | at[i];
    return value;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)reader_uint(reader, 1);
}

static inline uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)reader_uint(reader, 2);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)reader_uint(reader, 4);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    return reader_uint(reader, 8);
}
