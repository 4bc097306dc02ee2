/* agent-proto/segmenter.h: numbers the segments of a camera's timeline, at the source.
 *
 * Any two servers that get this stream cut it at the same frames under the same numbers. A key
 * frame begins a segment when the last one began SEGMENTER_US before; without video an audio
 * frame does. Numbers only go up, also over restarts: whoever owns this keeps them on disk.
 */
#pragma once

#include <stdint.h>

#include "media/frame.h"
#include "media/track.h"

enum { SEGMENTER_US = 1900000 };

struct segmenter {
    int64_t next; /* the number that the next segment will have */
    int64_t begun_us;
    bool has_begun;
};

void segmenter_init(struct segmenter *segmenter, int64_t next);

/* The number that this frame carries, or SEGMENT_NONE. Frames in the order they are sent. */
int64_t segmenter_frame(struct segmenter *segmenter, const struct tracks *tracks,
                        const struct frame *frame);

/* The next key frame begins a segment, whatever the time: what comes doesn't go on from before. */
void segmenter_break(struct segmenter *segmenter);
