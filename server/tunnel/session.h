/* server/tunnel/session.h: one agent's control connection; private to server/tunnel/.
 *
 * Held by its connection, by the relay from relay_agent_here until relay_agent_gone was run, and
 * by a write that was asked of the store: freed when the last one lets go.
 */
#pragma once

#include "agent-proto/control.h"
#include "agent-proto/message.h"
#include "server/tunnel/internal.h"

struct agent_session {
    struct relay_agent relay; /* first: what the relay knows of it */
    struct conn *conn;        /* NULL once closed */
    struct control control;
    struct tunnel *tunnel; /* borrowed; NULL once closed */
    struct loop *loop;     /* borrowed */
    struct list link;
    struct loop_task gone;
    struct proto_proof proof; /* what the agent's signature must be over */
    unsigned holds;
    bool is_known; /* to the relay: relay_agent_here was called */
    bool is_let_in;
    bool is_challenged;
    uint8_t seal_key[STORE_SEAL_KEY];
};

struct agent_session_words {
    Culvert__Refused__Code code;
    const char *text;
    uint64_t highest_epoch;
};

/* Refuses in words and closes; always gives -ERR_DENIED. */
int agent_session_refuse(struct agent_session *session, struct agent_session_words words);
int agent_session_send(struct agent_session *session, Culvert__Envelope *envelope);
void agent_session_release(struct agent_session *session);

/* Closes after what was written has gone out. */
void agent_session_close_flushed(struct agent_session *session);

/* server/tunnel/hello.c: who is this agent? */
int hello_take(struct agent_session *session, const Culvert__Hello *hello) MUST_CHECK;

/* server/tunnel/enrol.c */
int enrol_take(struct agent_session *session, const Culvert__Enrol *enrol) MUST_CHECK;

/* server/tunnel/cameras.c: sends the list of the agent's cameras. */
int cameras_send(struct agent_session *session) MUST_CHECK;
