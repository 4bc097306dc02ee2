/* media/audio/transcoder.h: to_opus on a thread of its own, for a stream on its home loop.
 *
 * The thread has one job at a time: the frames that came while it had the last one. What waits is
 * kept on the home loop, at most a second of it: then the oldest are dropped. Nothing is shared,
 * so there is no lock but the loops' own; and a stream that costs much time delays only itself.
 */
#pragma once

#include "base/loop.h"
#include "media/frame.h"
#include "media/track.h"

enum { TRANSCODER_QUEUE_US = 1000 * 1000, TRANSCODER_QUEUE_FRAMES = 256 };

struct transcoder;

/* Where Opus frames go, on the home loop: borrowed for the call. It may close the transcoder. */
struct transcoder_sink {
    void (*on_opus)(struct transcoder_sink *sink, struct frame *opus);
};

struct transcoder_counters {
    uint64_t taken;     /* frames pushed */
    uint64_t dropped;   /* of those, too old before their turn came */
    uint64_t failed;    /* of those, not to be decoded */
    uint64_t published; /* Opus frames */
};

/* On the loop that becomes its home; starts the thread. 0 and an owned transcoder in *out,
 * -ENOMEM, -EAGAIN without a thread, or -ERR_NOT_READY on a thread without a running loop. sink is
 * borrowed until close. */
int transcoder_open(struct transcoder **out, struct transcoder_sink *sink) MUST_CHECK;

/* What the frames from now on are. Keeps its own reference. What is under way of a track that is
 * not the same is dropped. -ERR_UNSUPPORTED, and all stays as it was, if it can't be transcoded. */
int transcoder_set_track(struct transcoder *transcoder, struct tracks *tracks,
                         unsigned index) MUST_CHECK;

/* A frame of that track. Keeps its own reference. The result comes in a later turn, so the error,
 * if any, is of an earlier frame, and told once. */
int transcoder_push(struct transcoder *transcoder, struct frame *frame) MUST_CHECK;

/* The sink hears nothing more. The thread ends in its own time; the loop is held (loop_hold) until
 * then. NULL is fine. On the home loop, or where none runs it any more. */
void transcoder_close(struct transcoder *transcoder);

struct transcoder_counters transcoder_counters(const struct transcoder *transcoder);
