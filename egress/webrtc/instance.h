/* egress/webrtc/instance.h: what the viewers of one loop share; private to egress/webrtc/. */
#pragma once

#include "base/map.h"
#include "egress/egress.h"
#include "egress/webrtc/batch.h"
#include "egress/webrtc/sdp.h"
#include "egress/webrtc/stun_link.h"
#include "net/listener.h"

struct datagrams;
struct dtls_identity;
struct painter;

enum { SOCKETS_MAX = 16 };

/* All viewers of this protocol on one loop. */
struct egress_instance {
    struct egress_env *env;               /* borrowed */
    const struct dtls_identity *identity; /* borrowed: the process's */
    struct datagrams *udp[SOCKETS_MAX];   /* owned; none where UDP is switched off */
    unsigned udp_count;
    struct listener_list listeners;
    struct answer_candidate candidates[ANSWER_CANDIDATES_MAX];
    unsigned candidate_count;
    char stun_link[STUN_LINK_TEXT];       /* of WHEP answers; "" for none */
    struct map by_id, by_ufrag, by_route; /* peers, and the addresses proved to be theirs */
    struct painter *painter;              /* borrowed: the process's */
    struct map shots;                     /* of snapshot.c, by slug */
    size_t asker_count;
    struct list peers, tcp_links;
    size_t peer_count, stranger_count; /* stranger: a TCP connection that has no peer yet */
    struct loop_timer tick;
    struct batch batch; /* what is being sent now */
    uint64_t dropped;   /* packets of strangers, and what was not authentic */
    bool is_draining;
};

/* egress/webrtc/whep.c */
int whep_add(struct egress_instance *instance) MUST_CHECK;

/* egress/webrtc/snapshot.c */
int snapshot_add(struct egress_instance *instance) MUST_CHECK;
void snapshot_tick(struct egress_instance *instance, int64_t now_us);
void snapshot_close_all(struct egress_instance *instance);

/* egress/webrtc/server.c: the instance of the loop with that index, or NULL. */
struct egress_instance *webrtc_instance_at(unsigned loop_index);
