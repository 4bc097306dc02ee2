/* One viewer's life, from the offer to the end, and which viewer a packet belongs to. */
#include "egress/webrtc/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "egress/webrtc/datagram.h"
#include "egress/webrtc/sctp.h"
#include "egress/webrtc/tcp.h"
#include "media/packet.h"

enum { PEERS_MAX = 20000 }; /* on one loop */

static void free_peer(struct loop_task *task)
{
    struct peer *peer = list_entry(task, struct peer, gone);

    free(peer->video.records);
    free(peer->audio.records);
    free(peer->offer);
    tracks_unref(peer->tracks);
    free(peer);
}

static void run_ending(struct loop_task *task)
{
    struct peer *peer = list_entry(task, struct peer, ending);

    peer_close(peer, err_text(peer->end_reason));
}

void peer_end_later(struct peer *peer, int err)
{
    if (peer->is_ending || peer->state == PEER_CLOSED)
        return;
    peer->is_ending = true;
    peer->end_reason = err;
    peer->ending.run = run_ending;
    loop_defer(peer->instance->env->loop, &peer->ending);
}

/* ---- DTLS ------------------------------------------------------------------------------------ */

static void arm_handshake(struct peer *peer)
{
    int64_t wait_us = peer->dtls ? dtls_wait_us(peer->dtls) : -1;

    if (wait_us >= 0)
        loop_timer_start(&peer->handshake, wait_us);
    else
        loop_timer_stop(&peer->handshake);
}

static void on_handshake_timer(struct loop_timer *timer)
{
    struct peer *peer = list_entry(timer, struct peer, handshake);

    dtls_tick(peer->dtls);
    arm_handshake(peer);
}

static void on_dtls_output(void *owner, const uint8_t *bytes, size_t len)
{
    peer_send(owner, bytes, len);
}

static void on_dtls_ready(void *owner, const struct srtp_keys *keys)
{
    struct peer *peer = owner;
    int err = srtp_pair_open(&peer->srtp, keys);

    if (err == 0) {
        peer->state = PEER_PLAYING;
        err = send_start(peer);
    }
    if (err < 0) {
        peer_end_later(peer, err);
        return;
    }
    LOG(LOG_INFO, "viewer", peer->admission.viewer_id, "playing", KV_S("protocol", "webrtc"),
        KV_S("stream", peer->slug),
        KV_S("path", ice_selected(&peer->ice, loop_now_us(peer->instance->env->loop))->tcp
                         ? "tcp"
                         : "udp"));
    if (peer->sctp_port)
        channel_open(peer, peer->sctp_port);
}

static void on_dtls_data(void *owner, const uint8_t *bytes, size_t len)
{
    struct peer *peer = owner;

    if (peer->sctp)
        sctp_input(peer->sctp, bytes, len);
}

static void on_dtls_over(void *owner, int err)
{
    peer_end_later(owner, err);
}

static const struct dtls_handler dtls_handler = {
    .on_output = on_dtls_output,
    .on_ready = on_dtls_ready,
    .on_data = on_dtls_data,
    .on_over = on_dtls_over,
};

/* ---- begin and end ----------------------------------------------------------------------------
 */

static void on_live(struct view_watch *watch);

static void on_away(struct view_watch *watch)
{
    (void)watch; /* its picture stands still, and goes on when the stream is back */
}

struct peer *peer_new(struct egress_instance *instance)
{
    struct peer *peer;

    if (instance->peer_count >= PEERS_MAX)
        return NULL;
    peer = calloc(1, sizeof(*peer));
    if (!peer)
        return NULL;
    peer->instance = instance;
    peer->state = PEER_ASKING;
    peer->numbers.round_trip_us = -1;
    peer->watch = (struct view_watch){.on_live = on_live, .on_away = on_away};
    list_init(&peer->watch.link);
    loop_timer_init(&peer->handshake, instance->env->loop, on_handshake_timer);
    send_init(peer);
    estimate_init(&peer->estimate);
    list_append(&instance->peers, &peer->link);
    instance->peer_count++;
    return peer;
}

static void make_id(struct peer *peer)
{
    snprintf(peer->id, sizeof(peer->id), "%02x%016llx%016llx",
             loop_index(peer->instance->env->loop) & 0xff, (unsigned long long)random_u64(),
             (unsigned long long)random_u64());
}

int peer_open(struct peer *peer, const char *remote_ufrag)
{
    struct egress_instance *instance = peer->instance;
    struct loop *loop = instance->env->loop;
    int err = ice_init(&peer->ice, loop_index(loop), remote_ufrag, loop_now_us(loop));

    if (err == 0 && strcmp(remote_ufrag, peer->offer->ufrag) == 0)
        memcpy(peer->ice.remote_password, peer->offer->password, PASSWORD_TEXT);
    if (err == 0)
        err = dtls_open(&peer->dtls, instance->identity, peer->offer->fingerprint, &dtls_handler,
                        peer);
    if (err < 0)
        return err;
    make_id(peer);
    map_insert(&instance->by_id, &peer->by_id, peer->id);
    map_insert(&instance->by_ufrag, &peer->by_ufrag, peer->ice.ufrag);
    peer->state = PEER_CONNECTING;
    for (unsigned i = 0; i < instance->udp_count; i++)
        datagrams_hurry(instance->udp[i]);
    view_watch_start(peer->admission.view, &peer->watch);
    return 0;
}

struct peer *peer_find(struct egress_instance *instance, const char *id)
{
    struct map_node *node = map_find(&instance->by_id, id);

    return node ? map_entry(node, struct peer, by_id) : NULL;
}

static void forget_route(struct peer_route *route)
{
    if (route->is_used)
        map_remove(&route->peer->instance->by_route, &route->node);
    route->is_used = false;
}

static void drop_paths(struct peer *peer)
{
    for (unsigned i = 0; i < ICE_PATHS_MAX; i++) {
        struct ice_path *path = &peer->ice.paths[i];

        if (path->checked_us && path->route.tcp)
            tcp_close(path->route.tcp);
        forget_route(&peer->routes[i]);
    }
}

static void forget(struct peer *peer)
{
    struct egress_instance *instance = peer->instance;

    if (*peer->id) {
        map_remove(&instance->by_id, &peer->by_id);
        map_remove(&instance->by_ufrag, &peer->by_ufrag);
    }
    list_remove(&peer->link);
    instance->peer_count--;
    view_watch_stop(&peer->watch);
}

void peer_close(struct peer *peer, const char *reason)
{
    struct egress_instance *instance = peer->instance;

    if (peer->state == PEER_CLOSED)
        return;
    if (peer->state == PEER_PLAYING)
        LOG(LOG_INFO, "viewer", peer->admission.viewer_id, "closed", KV_S("reason", reason),
            KV_I("lost", peer->numbers.lost),
            KV_I("estimate_kbps", peer->estimate.has_feedback ? peer->estimate.bps / 1000 : 0),
            KV_I("resent", (int64_t)peer->numbers.retransmitted),
            KV_I("key_wishes", (int64_t)peer->numbers.key_wishes),
            KV_I("skipped_groups", (int64_t)peer->numbers.skipped_groups));
    send_stop(peer);
    sctp_close(peer->sctp);
    peer->sctp = NULL;
    dtls_close(peer->dtls);
    peer->dtls = NULL;
    srtp_pair_close(peer->srtp);
    peer->srtp = NULL;
    loop_timer_stop(&peer->handshake);
    drop_paths(peer);
    forget(peer);
    peer->state = PEER_CLOSED;
    instance->env->leave(instance->env, &peer->admission);
    peer->gone.run = free_peer;
    loop_defer(instance->env->loop, &peer->gone);
}

/* Other codecs than the viewer was told need another answer: its player asks again. */
static void on_live(struct view_watch *watch)
{
    struct peer *peer = list_entry(watch, struct peer, watch);
    const struct tracks *now = peer->admission.view->tracks;

    for (unsigned i = 0; i < peer->tracks->count; i++)
        if (i >= now->count || now->track[i].codec != peer->tracks->track[i].codec ||
            now->track[i].has_b_frames != peer->tracks->track[i].has_b_frames) {
            peer_end_later(peer, -ERR_UNSUPPORTED);
            return;
        }
}

void peer_tick(struct peer *peer, int64_t now_us)
{
    if (peer->state == PEER_ASKING)
        return;
    if (ice_has_expired(&peer->ice, now_us)) {
        peer_close(peer, "consent");
        return;
    }
    if (peer->state != PEER_PLAYING)
        return;
    peer_report_send(peer);
    channel_tick(peer);
}

/* ---- packets ----------------------------------------------------------------------------------
 */

/* An address as the key of a map. */
static bool make_route_key(const struct addr *addr, char out[ROUTE_KEY])
{
    static const char digits[] = "0123456789abcdef";
    const struct sockaddr *name = (const struct sockaddr *)(const void *)&addr->storage;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)name;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)name;
    bool is_v4 = name->sa_family == AF_INET;
    const uint8_t *host = is_v4 ? (const uint8_t *)&v4->sin_addr : v6->sin6_addr.s6_addr;
    unsigned len = is_v4 ? 4 : 16, port = addr_port(addr), at = 0;

    if (!is_v4 && name->sa_family != AF_INET6)
        return false;
    for (unsigned i = 0; i < len; i++) {
        out[at++] = digits[host[i] >> 4];
        out[at++] = digits[host[i] & 15];
    }
    for (unsigned shift = 0; shift < 16; shift += 4)
        out[at++] = digits[port >> shift & 15];
    out[at] = '\0';
    return true;
}

static struct peer *find_by_route(struct egress_instance *instance, const struct ice_route *from)
{
    char key[ROUTE_KEY];
    struct map_node *node = NULL;

    if (from->tcp)
        return tcp_peer(from->tcp);
    if (make_route_key(&from->remote, key))
        node = map_find(&instance->by_route, key);
    return node ? map_entry(node, struct peer_route, node)->peer : NULL;
}

/* The map of addresses follows ICE's paths: after each check that was authentic. */
static void follow_paths(struct peer *peer, const struct ice_route *from)
{
    struct egress_instance *instance = peer->instance;

    if (from->tcp)
        tcp_set_peer(from->tcp, peer);
    for (unsigned i = 0; i < ICE_PATHS_MAX; i++) {
        const struct ice_path *path = &peer->ice.paths[i];
        struct peer_route *route = &peer->routes[i];
        char key[ROUTE_KEY] = "";

        if (path->checked_us && !path->route.tcp && !make_route_key(&path->route.remote, key))
            key[0] = '\0';
        if (route->is_used && strcmp(route->key, key) != 0)
            forget_route(route);
        if (!*key || route->is_used || map_find(&instance->by_route, key))
            continue;
        memcpy(route->key, key, sizeof(key));
        route->peer = peer;
        route->is_used = true;
        map_insert(&instance->by_route, &route->node, route->key);
    }
}

static void reply_to(const struct ice_route *to, const uint8_t *bytes, size_t len)
{
    if (to->tcp)
        tcp_send(to->tcp, bytes, len);
    else
        datagrams_send(to->udp, &to->remote, bytes, len);
}

static void take_stun(struct egress_instance *instance, const struct ice_route *from,
                      const uint8_t *bytes, size_t len)
{
    char ufrag[ICE_UFRAG_TEXT];
    struct map_node *node =
        ice_find_ufrag(bytes, len, ufrag) ? map_find(&instance->by_ufrag, ufrag) : NULL;
    struct peer *peer = node ? map_entry(node, struct peer, by_ufrag) : NULL;
    uint8_t reply[STUN_REPLY_MAX];
    size_t reply_len;

    if (!peer || (from->tcp && tcp_peer(from->tcp) && tcp_peer(from->tcp) != peer)) {
        instance->dropped++;
        return;
    }
    reply_len = ice_input(&peer->ice, &(struct ice_packet){from, bytes, len}, reply,
                          loop_now_us(instance->env->loop));
    if (!reply_len) {
        instance->dropped++;
        return;
    }
    follow_paths(peer, from);
    reply_to(from, reply, reply_len);
    reply_len = ice_ask_back(&peer->ice, reply);
    if (reply_len)
        reply_to(from, reply, reply_len);
}

/* What a first byte says (RFC 7983). */
static bool is_dtls(uint8_t first)
{
    return first >= 20 && first <= 63;
}

static bool is_rtcp(const uint8_t *bytes, size_t len)
{
    return len >= 8 && bytes[0] >= 128 && bytes[0] <= 191 && bytes[1] >= 192 && bytes[1] <= 223;
}

void peer_take_packet(struct egress_instance *instance, const struct ice_route *from,
                      uint8_t *bytes, size_t len)
{
    struct peer *peer;

    if (stun_is(bytes, len)) {
        take_stun(instance, from, bytes, len);
        return;
    }
    peer = len ? find_by_route(instance, from) : NULL;
    if (!peer || peer->is_ending || !ice_is_proven(&peer->ice, from)) {
        instance->dropped++;
    } else if (is_dtls(bytes[0])) {
        dtls_input(peer->dtls, bytes, len);
        arm_handshake(peer);
    } else if (is_rtcp(bytes, len) && peer->srtp) {
        peer_report_take(peer, from, bytes, len);
    } else {
        instance->dropped++;
    }
}

void peer_send(struct peer *peer, const void *bytes, size_t len)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    const struct ice_route *to = ice_selected(&peer->ice, now_us);

    if (!to)
        return;
    reply_to(to, bytes, len);
    peer->admission.out_bytes += len;
}

void peer_send_batch(struct peer *peer)
{
    struct egress_instance *instance = peer->instance;
    const struct batch *batch = &instance->batch;
    const struct ice_route *to = ice_selected(&peer->ice, loop_now_us(instance->env->loop));

    if (!to || !batch->count)
        return;
    if (to->tcp)
        tcp_send_framed(to->tcp, batch->bytes, batch->used);
    else
        datagrams_send_batch(to->udp, &to->remote, batch);
    peer->admission.out_bytes += batch->used;
}
