/* media/audio/to_opus.h: AAC, MP3 and L16 to Opus (RFC 6716) in frames of 20 ms: decoded,
 * resampled, encoded. Pure: no thread, no clock but the frames' own. The only place that knows
 * libavcodec's decoders and encoders.
 *
 * Opus frames follow each other without a gap as long as the source's clock and its samples agree;
 * a small difference is stretched away, a large one is a jump.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "media/frame.h"
#include "media/track.h"

enum { OPUS_FRAME_US = 20 * 1000, OPUS_CLOCK_RATE = 48000 };

struct to_opus;

/* Where Opus frames go: borrowed for the call; an error ends the push that made them. */
struct to_opus_sink {
    int (*push)(struct to_opus_sink *sink, struct frame *opus);
};

/* Whether to_opus_open can take it. */
bool to_opus_can(const struct track *track);

/* 0 and an owned converter in *out; sink is borrowed as long as it lives, track for the call.
 * -ERR_UNSUPPORTED, -ERR_LIBRARY or -ENOMEM. Mono stays mono, all else becomes stereo. */
int to_opus_open(struct to_opus **out, const struct track *track,
                 struct to_opus_sink *sink) MUST_CHECK;

/* A frame of that track. What comes out has its track, times on its clocks, and is a key frame. An
 * error costs that frame only. */
int to_opus_push(struct to_opus *converter, const struct frame *frame) MUST_CHECK;

/* NULL is fine. What is incomplete is dropped. */
void to_opus_close(struct to_opus *converter);
