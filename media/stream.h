/* media/stream.h: the live media of a camera while it flows; lives on its home loop.
 *
 * Holds the frames since the last key frame, so that a packager which starts late is primed,
 * and the packagers in use. What they make goes to the views (media/view.h) of every loop
 * that has viewers, one message a packet and loop.
 */
#pragma once

#include "media/frame.h"
#include "media/track.h"
#include "media/view.h"

struct stream;

/* On hub's loop, which becomes its home. It takes its name, and a place in the views, with its
 * first tracks; an older stream of that name then loses them. 0 and an owned stream, or -ENOMEM. */
int stream_open(struct stream **out, struct hub *hub, const char *slug) MUST_CHECK;

/* The views stay, without their stream. NULL is fine. */
void stream_close(struct stream *stream);

/* Keeps its own reference; every view gets them. */
void stream_set_tracks(struct stream *stream, struct tracks *tracks);

/* Keeps its own reference. Frames of tracks that do not exist are dropped. */
void stream_push(struct stream *stream, struct frame *frame);

struct stream_counters {
    uint64_t frames, bytes, key_frames;
};
struct stream_counters stream_counters(const struct stream *stream);
