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
    struct list sessions;  /* struct session */
    struct list lanes;     /* struct lane */
    struct loop_timer tick;
    uint64_t last_change; /* of the store, followed so far */
    unsigned unproved;    /* strangers, and sessions and lanes that are not let in yet */
    bool is_draining;
    bool is_closing; /* the relay isn't told any more: it ends too */
    struct wrong_codes wrong[TUNNEL_SOURCES];
    struct tunnel_counters counters;
};

/* Each takes the connection; its input so far is offered to it. */
void session_open(struct tunnel *tunnel, struct conn *conn);
void lane_open(struct tunnel *tunnel, struct conn *conn);

struct session;
struct lane;
void session_tick(struct session *session, int64_t now_us);
void session_drain(struct session *session);

/* Something changed in the store: is it still let in? May close. */
void session_review(struct session *session);
void lane_review(struct lane *lane);

/* Closes without a word, and frees as soon as nobody holds it. */
void session_close(struct session *session);
void lane_close(struct lane *lane);

struct session *session_of(struct list *link);
struct lane *lane_of(struct list *link);

/* Enrolment's part of a session (enrol.c). */
struct enrol_answer {
    struct store_agent agent;
    int err;
};
bool wrong_codes_is_over(struct tunnel *tunnel, const struct addr *host);
void wrong_codes_add(struct tunnel *tunnel, const struct addr *host);
