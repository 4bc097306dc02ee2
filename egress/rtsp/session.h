/* egress/rtsp/session.h: one viewer: one connection, one stream; private to egress/rtsp/. */
#pragma once

#include "base/list.h"
#include "egress/egress.h"
#include "media/feed.h"
#include "net/conn.h"
#include "net/listener.h"

struct rtsp_message;
struct udp_pair;

enum { SESSION_ID = 17, SETUP_TRACKS = TRACKS_MAX };

/* All viewers of this protocol on one loop. */
struct egress_instance {
    struct egress_env *env; /* borrowed */
    struct listener_list listeners;
    struct udp_pair *udp; /* owned; NULL where UDP is switched off */
    struct list sessions;
    size_t session_count;
    struct loop_timer report;
    uint8_t nonce_key[32]; /* Digest challenges are this loop's own */
    bool is_draining;
};

enum session_state {
    SESSION_OPEN,   /* connected; OPTIONS, DESCRIBE and the first SETUP are possible */
    SESSION_ASKING, /* a request waits for its admission; input waits with it */
    SESSION_READY,  /* admitted */
    SESSION_PLAYING,
    SESSION_CLOSED
};

enum track_transport { TRANSPORT_NONE, TRANSPORT_TCP, TRANSPORT_UDP };

struct session_track {
    enum track_transport transport;
    uint8_t channel;         /* TCP: of RTP; RTCP is the next one */
    struct addr rtp, rtcp;   /* UDP: where to */
    bool is_proven;          /* UDP: a packet came from there: we may send */
    bool has_report;         /* a packet was sent: reports have something to say */
    uint32_t ssrc, rtp_time; /* of the last packet sent */
    int64_t wall_us;         /* of rtp_time */
    uint32_t packet_count, octet_count;
};

struct session {
    struct list link;                 /* on the instance's sessions */
    struct egress_instance *instance; /* borrowed */
    struct conn *conn;                /* owned */
    enum session_state state;
    struct loop_task gone;
    bool has_part; /* of a request: its deadline runs */

    struct admission admission;
    bool is_admitted;
    char slug[SLUG_MAX];
    struct rtsp_message *pending; /* owned: the request that waits for its admission */

    char id[SESSION_ID];   /* "" before the first SETUP */
    struct tracks *tracks; /* owned reference: as the viewer was told */
    struct session_track track[SETUP_TRACKS];
    bool is_shared; /* every track over TCP on its default channel: whole packets go as they are */
    bool has_video;

    struct cursor cursor;
    bool has_feed;           /* a use of the view's feed is held */
    bool is_stuffed;         /* the connection takes no more for now */
    struct loop_timer stall; /* runs while stuffed */
    struct loop_timer away;  /* runs while the stream is away */
    struct view_watch watch;
};

/* Takes the connection. */
void session_accept(struct egress_instance *instance, struct conn *conn);

/* Ends it at once, or after what is queued was sent. */
void session_close(struct session *session);
void session_close_flushed(struct session *session);

/* Sets the state and arms its deadline; also shows that the viewer is alive. */
void session_set_state(struct session *session, enum session_state state);

/* Reads on after an admission: input that came meanwhile has waited. */
void session_continue(struct session *session);

/* UDP: was this packet from the viewer? Then media may go where it came from. */
bool session_prove_address(struct session *session, bool is_rtcp, const struct addr *from);

/* egress/rtsp/play.c: from the shared feed to this viewer. */
int play_start(struct session *session) MUST_CHECK;
void play_stop(struct session *session);
void play_resume(struct session *session); /* the connection was drained */
void play_init(struct session *session);
void play_fini(struct session *session);

/* egress/rtsp/report.c: RTCP sender reports. */
void report_send(struct session *session, unsigned track);
void report_send_all(struct egress_instance *instance);
