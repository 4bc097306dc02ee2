/* agent/source.h: one camera being pulled by RTSP, for as long as it is wanted.
 *
 * Reconnects by itself with back-off. Gives tracks and frames on a timeline that goes on over
 * reconnects, and says how it is in words that a person understands.
 */
#pragma once

#include "base/loop.h"
#include "media/frame.h"
#include "media/track.h"

struct allow;
struct source;

enum source_state {
    SOURCE_CONNECTING,
    SOURCE_LIVE,
    SOURCE_UNREACHABLE,
    SOURCE_UNAUTHORISED,
    SOURCE_UNSUPPORTED,
    SOURCE_STALLED
};

struct source_handler {
    /* Borrowed: take a reference to keep. Tracks come before their frames. */
    void (*on_tracks)(void *owner, struct tracks *tracks);
    void (*on_frame)(void *owner, struct frame *frame); /* segment is set by the lane's side */
    void (*on_state)(void *owner, enum source_state state, const char *text);
};

struct source_config {
    struct loop *loop;         /* borrowed */
    const char *name;          /* for logs; copied */
    const char *url;           /* may hold a user and a password; copied, and never logged */
    const struct allow *allow; /* borrowed: addresses that may be dialled */
};

int source_open(struct source **out, const struct source_config *config,
                const struct source_handler *handler, void *owner) MUST_CHECK;
void source_close(struct source *source);
