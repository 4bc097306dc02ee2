/* egress/rtmp/session.h: one viewer: one connection, one stream; private to egress/rtmp/. */
#pragma once

#include "base/list.h"
#include "egress/egress.h"
#include "egress/rtmp/wire.h"
#include "media/feed.h"
#include "net/conn.h"
#include "net/listener.h"

/* All viewers of this protocol on one loop. */
struct egress_instance {
    struct egress_env *env; /* borrowed */
    struct listener_list listeners;
    struct list sessions;
    size_t session_count;
    bool is_draining;
};

enum session_state {
    SESSION_HELLO,     /* C0 and C1 are awaited */
    SESSION_GREETED,   /* C2 is */
    SESSION_OPEN,      /* connect is */
    SESSION_CONNECTED, /* it may make its stream, and play */
    SESSION_ASKING,    /* play waits for its admission; input waits with it */
    SESSION_PLAYING,
    SESSION_PAUSED,
    SESSION_CLOSED
};

struct session {
    struct list link;                 /* on the instance's sessions */
    struct egress_instance *instance; /* borrowed */
    struct conn *conn;                /* owned */
    enum session_state state;
    struct loop_task gone;
    struct rtmp_chunk_reader reader;
    bool has_part;          /* of a message: its deadline runs */
    unsigned idle_messages; /* that came while nothing played */
    uint32_t window_bytes;  /* the peer wants to hear each time when so many came; 0: it doesn't */
    uint32_t in_bytes, told_bytes;

    struct connect_request connect;
    bool has_stream; /* createStream was answered */
    bool wants_reset;
    struct admission admission;
    bool is_admitted;
    char slug[SLUG_MAX];

    struct tracks *tracks; /* owned reference: whose headers the viewer has; NULL before */
    bool takes[TRACKS_MAX];
    uint32_t last_ms;
    struct cursor cursor;
    bool has_feed;           /* a use of the view's feed is held */
    bool is_stuffed;         /* the connection takes no more for now */
    struct loop_timer stall; /* runs while stuffed */
    struct loop_timer away;  /* runs while the stream is away */
    struct view_watch watch;
};

/* Takes the connection. */
void rtmp_session_accept(struct egress_instance *instance, struct conn *conn);

/* Ends it at once, or after what is queued was sent, or after saying why. */
void rtmp_session_close(struct session *session);
void rtmp_session_close_flushed(struct session *session);
void rtmp_session_close_saying(struct session *session, const struct status *status);

/* Sets the state and arms its deadline. */
void rtmp_session_set_state(struct session *session, enum session_state state);

/* Reads on after an admission: input that came meanwhile has waited. */
void rtmp_session_continue(struct session *session);

/* Queues what out holds, and finishes it. Without memory the session is closed. */
void rtmp_session_send(struct session *session, struct writer *out);

/* egress/rtmp/commands.c: runs a command; it may close the session. */
void command_run(struct session *session, const struct command *command);

/* Ends what it watches; the connection stays, and may play something else. */
void rtmp_session_leave(struct session *session);

/* egress/rtmp/play.c: from the shared feed to this viewer. */

/* Which of the camera's tracks this viewer can have: NULL, or why it can't watch, in text. */
const struct status *rtmp_play_choose(struct session *session, const struct tracks *tracks);
int rtmp_play_start(struct session *session) MUST_CHECK;
void rtmp_play_stop(struct session *session);
void rtmp_play_resume(struct session *session); /* the connection was drained */
void rtmp_play_init(struct session *session);
void rtmp_play_fini(struct session *session);
