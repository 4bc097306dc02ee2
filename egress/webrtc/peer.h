/* egress/webrtc/peer.h: one viewer, and what the files of its parts do for it; private to
 * egress/webrtc/.
 */
#pragma once

#include "egress/webrtc/dtls.h"
#include "egress/webrtc/estimate.h"
#include "egress/webrtc/ice.h"
#include "egress/webrtc/instance.h"
#include "media/feed.h"

struct http_request;
struct sctp;

enum {
    PEER_ID = 35, /* two digits of the loop, 128 random bits, NUL */
    TOKEN_DIGEST = 32,
    ROUTE_KEY = 40,
    VIDEO_RECORDS = 256
};

/* An address proved to be a viewer's; UDP only, a TCP connection knows its peer. */
struct peer_route {
    struct map_node node;
    char key[ROUTE_KEY];
    struct peer *peer;
    bool is_used;
};

/* A run of RTP packets that went together: what a retransmission is found by. */
struct send_record {
    uint64_t again;     /* which of them went again since again_ms, by bits */
    uint32_t feed_seq;  /* of the packet in the feed: the low half */
    uint32_t time;      /* RTP's, as sent */
    uint32_t send_time; /* as abs-send-time had it */
    uint16_t seq, transport_seq, first_span, again_ms;
    uint8_t count;  /* at most BATCH_PACKETS; 0: empty place */
    uint8_t resent; /* how many of them, in all */
};

/* One track as this viewer gets it. */
struct sender {
    bool is_used, is_transcoded;
    uint8_t track, payload_type, rtx_payload_type;
    uint8_t abs_send_time_id, transport_cc_id, playout_delay_id;
    uint32_t ssrc, rtx_ssrc;
    uint16_t seq, rtx_seq;
    uint32_t live_time; /* the shared RTP time at which this viewer's live edge began */
    uint32_t last_time; /* as last sent */
    bool has_sent, is_live;
    int64_t wall_us; /* of last_time; 0: unknown */
    uint32_t packet_count, octet_count;
    struct send_record *records; /* owned ring; NULL: none are kept */
    unsigned record_next;
};

enum peer_state {
    PEER_ASKING,     /* the offer waits for its admission */
    PEER_CONNECTING, /* answered; ICE and DTLS are under way */
    PEER_PLAYING,
    PEER_CLOSED
};

struct peer_numbers {
    int64_t round_trip_us; /* -1: unknown */
    uint32_t jitter_us, lost;
    uint64_t retransmitted, key_wishes, skipped_groups;
};

struct peer {
    struct list link;                 /* on the instance's peers */
    struct egress_instance *instance; /* borrowed */
    enum peer_state state;
    struct loop_task gone;
    struct loop_task ending; /* closes after the turn: what its own parts ask for */
    bool is_ending;
    int end_reason;

    char id[PEER_ID];
    char slug[SLUG_MAX];
    uint8_t token_digest[TOKEN_DIGEST]; /* who may change or end it */
    struct map_node by_id, by_ufrag;
    struct admission admission;
    struct http_request *request; /* borrowed: the POST that waits for its answer */
    struct offer *offer;          /* owned */
    struct tracks *tracks;        /* owned reference: as the viewer was told */
    struct view_watch watch;
    struct ice ice;
    struct peer_route routes[ICE_PATHS_MAX];
    struct dtls *dtls;      /* owned */
    struct srtp_pair *srtp; /* owned; NULL before the handshake */
    struct sctp *sctp;      /* owned; NULL without a data channel */
    uint16_t sctp_port;     /* 0: no data channel was offered */
    bool is_data_open;
    struct loop_timer handshake; /* DTLS flights to send again */

    struct sender video, audio;
    struct cursor cursor, opus_cursor;
    bool has_feed, has_opus_feed;
    struct packet *pending; /* owned reference: a frame that is only partly sent */
    uint64_t pending_seq;   /* its number in the feed */
    unsigned pending_span;
    uint32_t pending_time; /* its RTP time as sent */
    uint64_t next_key; /* pictures are passed over up to a key frame from this number on; or 0 */

    struct loop_timer pace;
    int64_t allowance_bytes, allowance_us;
    int64_t edge_us; /* when the live edge was found */
    uint16_t transport_seq;
    int64_t key_wish_us, resend_us, news_us;
    uint64_t wished_key;     /* the group that was last sent again, by its key frame's number */
    int64_t key_wish_gap_us; /* until it may be sent once more; 0: none was */
    unsigned resend_allowance;
    struct estimate estimate;
    struct peer_numbers numbers;
};

/* egress/webrtc/peer.c */
struct peer *peer_new(struct egress_instance *instance) MUST_CHECK;
/* Credentials, DTLS; found by id and ufrag from here on. */
int peer_open(struct peer *peer, const char *remote_ufrag) MUST_CHECK;
void peer_close(struct peer *peer, const char *reason);
void peer_end_later(struct peer *peer, int err);
struct peer *peer_find(struct egress_instance *instance, const char *id);
void peer_tick(struct peer *peer, int64_t now_us);

/* A packet of a viewer's, or of a stranger's, came by that way; bytes are changed in place. */
void peer_take_packet(struct egress_instance *instance, const struct ice_route *from,
                      uint8_t *bytes, size_t len);
/* To where the viewer is now; lost while that is nowhere. */
void peer_send(struct peer *peer, const void *bytes, size_t len);
void peer_send_batch(struct peer *peer);

/* egress/webrtc/send.c: from the shared feeds to this viewer. */
void send_init(struct peer *peer);
int send_start(struct peer *peer) MUST_CHECK;
void send_stop(struct peer *peer);
void send_resume(struct peer *peer);
void send_again_from_key(struct peer *peer);

/* egress/webrtc/resend.c: one packet that was lost on the way. */
void send_again(struct peer *peer, uint32_t ssrc, uint16_t seq);

/* egress/webrtc/report.c: RTCP both ways. */
void peer_report_send(struct peer *peer);
void peer_report_take(struct peer *peer, const struct ice_route *from, uint8_t *bytes, size_t len);

/* egress/webrtc/channel.c: the data channel's news. */
void channel_open(struct peer *peer, uint16_t port);
void channel_tick(struct peer *peer);
