/* base/buf.h: bytes that many hold.
 *
 * A buf is written by whoever made it until it is published (handed to a second holder),
 * and immutable from then on. References are counted atomically: any thread may hold one.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    atomic_uint refs;
    size_t len; /* may be lowered by the maker before it is published */
    uint8_t bytes[];
};

/* An owned buf of len bytes, not initialised, or NULL without memory. */
struct buf *buf_new(size_t len);

/* An owned copy, or NULL without memory. */
struct buf *buf_copy(const void *bytes, size_t len);

/* The same buf, with one more reference. NULL gives NULL. */
struct buf *buf_ref(struct buf *buf);

/* NULL is fine. */
void buf_unref(struct buf *buf);
