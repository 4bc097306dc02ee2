/* media/format/still.h: a key frame as a JPEG picture (libavcodec, libswscale).
 *
 * Takes tens of milliseconds: for a thread, not for a loop. Pure.
 */
#pragma once

#include "base/err.h"
#include "media/track.h"

/* 0 and an owned JPEG file in *out. frame is as media/frame.h has it, of that track (H.264, H.265
 * or MJPEG). -ERR_UNSUPPORTED, -ERR_PROTOCOL if it can't be decoded, -ENOMEM. */
int still_make(struct buf **out, const struct track *track, struct buf *frame) MUST_CHECK;
