/* egress/srt/session.h: one viewer's life; private to egress/srt/.
 *
 * libsrt's threads receive and send; a session lives on a loop, asks who may watch, and hands media
 * over by calls that never wait.
 */
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "egress/srt/figures.h"
#include "egress/srt/wire.h"

struct question;

struct egress_instance {
    struct egress_env *env; /* borrowed */
    struct list sessions;
    size_t session_count;
    struct loop_timer tick;
    bool is_draining;
};

enum { START_BYTES_PER_S = 5000000 };

enum session_state {
    SESSION_ASKING,     /* libsrt's thread waits for the answer */
    SESSION_CONNECTING, /* let in: libsrt answers the handshake; maybe the camera still starts */
    SESSION_PROBING,    /* connected, as far as we know; the caller may not know it yet */
    SESSION_WAITING,    /* the camera still starts */
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
    int64_t since_us; /* let in */
    int probe_count;
    int64_t primed_us;    /* after since_us; 0: was not needed */
    int64_t opened_us;    /* when libsrt made the connection, on its clock */
    int64_t early_us;     /* frames are stamped with so much less than the time */
    bool is_starting;     /* what was there before it came is not sent yet */
    int64_t next_us;      /* while starting: the next packet's time, on libsrt's clock */
    int64_t progress_us;  /* the viewer last acknowledged something */
    int acknowledgements; /* by then */
    struct figures figures;
    struct figures_place *place; /* while playing; NULL without one */
    int64_t figures_us;          /* last logged */
};

/* Takes the question, and answers it. */
void srt_session_ask(struct egress_instance *instance, struct question *question);
void srt_session_close(struct session *session);

/* Its memory goes after the turn: libsrt's socket is closed already. */
void srt_session_finish(struct session *session);

/* Closes it for good: no loop runs any more. */
void srt_session_abort(struct session *session);

/* Twice a second: those who have gone, or take nothing. */
void srt_session_tick(struct egress_instance *instance);

/* egress/srt/connect.c: what happens between a caller's admission and its first picture. */
void srt_connect_init(struct session *session);
void srt_connect_start(struct session *session);

/* egress/srt/send.c: once it is connected and allowed; may close it. */
void srt_send_init(struct session *session);
void srt_send_start(struct session *session);
void srt_figures_take(struct session *session, int64_t now_us);
void srt_figures_log(const struct session *session, enum log_level level);

/* egress/srt/server.c: by loop; NULL when there is none. Only inside gate_ask, and on loops. */
struct egress_instance *instance_for(unsigned loop_index);
unsigned instance_count_all(void);
