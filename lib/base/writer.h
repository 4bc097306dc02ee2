/* base/writer.h: appends bytes to a buffer that grows up to a limit; big-endian.
 *
 * The error (no memory, or past the limit) is sticky: check once, at the end.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct writer {
    uint8_t *bytes; /* owned */
    size_t len, room, limit;
    int err; /* 0, -ENOMEM or -ERR_TOO_LONG */
};

/* Allocates nothing yet. limit is the most bytes that it will hold. */
void writer_init(struct writer *writer, size_t limit);
void writer_fini(struct writer *writer);

/* Forgets the bytes and the error; keeps the memory. */
void writer_reset(struct writer *writer);

void writer_put(struct writer *writer, const void *bytes, size_t len);
void writer_text(struct writer *writer, const char *text);
__attribute__((format(printf, 2, 3))) void writer_printf(struct writer *writer, const char *format,
                                                         ...);

/* The lowest len bytes (1 to 8) of value. */
void writer_uint(struct writer *writer, uint64_t value, size_t len);

/* Drops the first len bytes (at most what there is). */
void writer_consume(struct writer *writer, size_t len);

/* 0 and an owned copy in *out, or the sticky error. The writer is left as it was. */
int writer_to_buf(const struct writer *writer, struct buf **out) MUST_CHECK;
