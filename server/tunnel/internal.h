/* server/tunnel/internal.h: what the tunnel's files share; private to server/tunnel/. */
#pragma once

#include "base/list.h"
#include "net/conn.h"
#include "server/tunnel/tunnel.h"

enum {
    TUNNEL_TICK_US = 500000,
    TUNNEL_STRANGERS_MAX = 1024, /* connections that have not shown yet who they are */
    TUNNEL_SOURCES = 64,         /* addresses remembered for wrong codes */
    TUNNEL_WRONG_CODES_MAX = 5
};

/* Who tried wrong enrolment codes lately. */
struct wrong_codes {
    struct addr host;
    unsigned count;
    int64_t since_us;
};

struct tunnel {
    struct tunnel_env env;
    struct list strangers; /* struct stranger: no preface yet */
    struct list sessions;  /* struct agent_session */
    struct list lanes;     /* struct ingest */
    struct loop_timer tick;
    uint64_t last_change; /* of the store, followed so far */
    unsigned unproved;    /* strangers, and sessions and lanes that are not let in yet */
    bool is_draining;
    bool is_closing; /* the relay isn't told any more: it ends too */
    struct wrong_codes wrong[TUNNEL_SOURCES];
    struct tunnel_counters counters;
};

/* Each takes the connection; its input so far is offered to it. */
void agent_session_open(struct tunnel *tunnel, struct conn *conn);
void ingest_open(struct tunnel *tunnel, struct conn *conn);

struct agent_session;
struct ingest;
void agent_session_tick(struct agent_session *session, int64_t now_us);
void agent_session_drain(struct agent_session *session);

/* Something changed in the store: is it still let in? May close. */
void agent_session_review(struct agent_session *session);
void ingest_review(struct ingest *ingest);

/* Closes without a word, and frees as soon as nobody holds it. */
void agent_session_close(struct agent_session *session);
void ingest_close(struct ingest *ingest);

struct agent_session *agent_session_of(struct list *link);
struct ingest *ingest_of(struct list *link);

/* Enrolment's part of a session (enrol.c). */
struct enrol_answer {
    struct store_agent agent;
    int err;
};
bool wrong_codes_is_over(struct tunnel *tunnel, const struct addr *host);
void wrong_codes_add(struct tunnel *tunnel, const struct addr *host);
