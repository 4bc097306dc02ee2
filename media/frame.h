/* media/frame.h: one access unit of video, or one frame of audio; immutable and counted.
 *
 * H.264 and H.265 bytes are NAL units, each behind its length in 4 bytes (big-endian), in
 * decoding order, without parameter sets (those are in the track) and access unit delimiters.
 * AAC is a raw_data_block without ADTS; MJPEG a whole JPEG file; PCM as RTP carries it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { FRAME_MAX_BYTES = 4 * 1024 * 1024, SEGMENT_NONE = -1 };

struct frame {
    atomic_uint refs;
    struct buf *buf;        /* owned reference */
    uint8_t track;          /* index into the stream's tracks */
    bool is_key;            /* video: decoding can start here; audio: always */
    bool is_discardable;    /* nothing refers to it */
    int64_t dts_us, pts_us; /* on the stream's clock; dts never goes back within a track */
    int64_t wall_us;        /* when it was captured, since 1970; 0 while unknown */
    int64_t segment;        /* a key frame that begins a segment of the source's timeline carries
                               its number, all others SEGMENT_NONE */
};

/* Takes buf's reference, also on failure. The rest is set by the caller before it is
 * published. NULL without memory. */
struct frame *frame_new(struct buf *buf);
struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame);
