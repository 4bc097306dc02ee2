#include "media/frame.h"

#include <stdlib.h>

struct frame *frame_new(struct buf *buf)
{
    struct frame *frame = buf ? calloc(1, sizeof(*frame)) : NULL;

    if (!frame) {
        buf_unref(buf);
        return NULL;
    }
    atomic_init(&frame->refs, 1);
    frame->buf = buf;
    frame->segment = SEGMENT_NONE;
    return frame;
}

struct frame *frame_ref(struct frame *frame)
{
    if (frame)
        atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (!frame || atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) != 1)
        return;
    buf_unref(frame->buf);
    free(frame);
}
