/* egress/webrtc/painter.h: one thread of the process that turns key frames into JPEG pictures. */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "media/packet.h"

struct painter;

struct painting {
    /* Set by the caller, who owns it until it is back. */
    struct packet *key; /* borrowed: PACKET_KEY */
    struct loop *home;
    void (*on_done)(struct painting *painting); /* on home */

    /* Answered with. */
    struct buf *jpeg; /* owned by whoever gets it; NULL on an error */
    int err;

    struct loop_task task; /* the painter's own */
    struct painter *painter;
};

/* 0 and an owned painter, with its thread running; -ENOMEM, -EAGAIN. */
int painter_new(struct painter **out) MUST_CHECK;

/* Waits for what it is at; only when no painting is out any more. NULL is fine. */
void painter_free(struct painter *painter);

/* on_done follows, never from inside. -ERR_TOO_MANY: so much waits already that it would take
 * seconds; nothing follows. On any loop. */
int painter_paint(struct painter *painter, struct painting *painting) MUST_CHECK;
