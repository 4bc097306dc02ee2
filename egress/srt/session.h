/* egress/srt/session.h: one viewer's life; private to egress/srt/.
 *
 * libsrt's threads receive and send; a session lives on a loop, asks who may watch, and hands media
 * over by calls that never wait.
 */
#pragma once

#include "base/list.h"
#include "egress/srt/wire.h"

struct question;

struct egress_instance {
    struct egress_env *env; /* borrowed */
    struct list sessions;
    size_t session_count;
    struct loop_timer tick;
    bool is_draining;
};

enum session_state {
    SESSION_ASKING,     /* libsrt's thread waits for the answer */
    SESSION_CONNECTING, /* let in: libsrt answers the handshake; maybe the camera still starts */
    SESSION_WAITING,    /* connected, the camera still starts */
    SESSION_PLAYING,
    SESSION_LEAVING, /* over, but libsrt still connects it */
    SESSION_CLOSED
};

struct session {
    struct list link;
    struct egress_instance *instance; /* borrowed */
    struct question *question;        /* a reference, while asking */
    int socket;                       /* libsrt's; ours to close once it is let in */
    struct srt_request request;
    struct admission admission;
    struct view_watch watch;
    struct cursor cursor;
    struct feed *feed; /* in use, while playing */
    struct loop_timer poll, away;
    struct loop_task gone;
    enum session_state state;
    bool is_allowed;
    int64_t since_us;     /* let in */
    int64_t began_us;     /* libsrt's clock of this connection begins */
    int64_t progress_us;  /* the viewer last acknowledged something */
    int acknowledgements; /* by then */
};

/* Takes the question, and answers it. */
void srt_session_ask(struct egress_instance *instance, struct question *question);
void srt_session_close(struct session *session);

/* Closes it for good: no loop runs any more. */
void srt_session_abort(struct session *session);

/* Twice a second: those who have gone, or take nothing. */
void srt_session_tick(struct egress_instance *instance);

/* egress/srt/server.c: by loop; NULL when there is none. Only inside gate_ask, and on loops. */
struct egress_instance *instance_for(unsigned loop_index);
unsigned instance_count_all(void);
