/* server/tunnel/session.h: one agent's control connection; private to server/tunnel/.
 *
 * Held by its connection, by the relay from relay_agent_here until relay_agent_gone was run, and
 * by a write that was asked of the store: freed when the last one lets go.
 */
#pragma once

#include "agent-proto/control.h"
#include "agent-proto/message.h"
#include "server/tunnel/internal.h"

enum { SESSION_BACKLOG = 64 * 1024, SESSION_LOW_WATER = 16 * 1024 };

/* How far the list of cameras was sent. */
struct camera_listing {
    bool is_on, is_due; /* being sent; to be sent once more after that */
    char after[STORE_ID];
};

struct agent_command;
struct command_queue {
    struct agent_command *first, *last; /* owned */
    unsigned count;
};

struct agent_session {
    struct relay_agent relay; /* first: what the relay knows of it */
    struct conn *conn;        /* NULL once closed */
    struct control control;
    struct tunnel *tunnel; /* borrowed; NULL once closed */
    struct loop *loop;     /* borrowed */
    struct list link;
    struct loop_task gone;
    struct camera_listing listing;
    struct command_queue commands;
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

/* server/tunnel/cameras.c: sends what comes next of the list of the agent's cameras. */
int cameras_send_part(struct agent_session *session) MUST_CHECK;

/* server/tunnel/commands.c: the list of cameras; to start a camera, or to stop it (ticket NULL);
 * what of both can be sent now; all of it is forgotten. An error ends the session. */
int commands_list_cameras(struct agent_session *session) MUST_CHECK;
int commands_add(struct agent_session *session, const char *camera_id,
                 const uint8_t ticket[RELAY_TICKET]) MUST_CHECK;
int commands_pump(struct agent_session *session) MUST_CHECK;
void commands_drop(struct agent_session *session);
