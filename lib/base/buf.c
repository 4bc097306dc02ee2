#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

struct buf *buf_new(size_t len)
{
    struct buf *buf;

    if (len > SIZE_MAX - sizeof(*buf))
        return NULL;
    buf = malloc(sizeof(*buf) + len);
    if (!buf)
        return NULL;
    atomic_init(&buf->refs, 1);
    buf->len = len;
    return buf;
}

struct buf *buf_copy(const void *bytes, size_t len)
{
    struct buf *buf = buf_new(len);

    if (buf && len)
        memcpy(buf->bytes, bytes, len);
    return buf;
}

struct buf *buf_ref(struct buf *buf)
{
    if (buf)
        atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

void buf_unref(struct buf *buf)
{
    if (buf && atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) == 1)
        free(buf);
}
