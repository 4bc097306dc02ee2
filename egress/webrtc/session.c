/* One viewer's life, from the offer to the end, and which viewer a packet belongs to. */
#include "egress/webrtc/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "egress/webrtc/sctp.h"
#include "egress/webrtc/udp.h"
#include "media/packet.h"

static void free_session(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, gone);

    free(session->video.records);
    free(session->audio.records);
    free(session->offer);
    tracks_unref(session->tracks);
    free(session);
}

static void run_ending(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, ending);

    session_close(session, err_text(session->end_reason));
}

void session_end_later(struct session *session, int err)
{
    if (session->is_ending || session->state == SESSION_CLOSED)
        return;
    session->is_ending = true;
    session->end_reason = err;
    session->ending.run = run_ending;
    loop_defer(session->instance->env->loop, &session->ending);
}

/* ---- DTLS ------------------------------------------------------------------------------------ */

static void arm_handshake(struct session *session)
{
    int64_t wait_us = session->dtls ? dtls_wait_us(session->dtls) : -1;

    if (wait_us >= 0)
        loop_timer_start(&session->handshake, wait_us);
    else
        loop_timer_stop(&session->handshake);
}

static void on_handshake_timer(struct loop_timer *timer)
{
    struct session *session = list_entry(timer, struct session, handshake);

    dtls_tick(session->dtls);
    arm_handshake(session);
}

static void on_dtls_output(void *owner, const uint8_t *bytes, size_t len)
{
    session_send(owner, bytes, len);
}

static void on_dtls_ready(void *owner, const struct srtp_keys *keys)
{
    struct session *session = owner;
    int err = srtp_pair_open(&session->srtp, keys);

    if (err == 0) {
        session->state = SESSION_PLAYING;
        err = send_start(session);
    }
    if (err < 0) {
        session_end_later(session, err);
        return;
    }
    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "playing", KV_S("protocol", "webrtc"),
        KV_S("stream", session->slug),
        KV_S("path", ice_selected(&session->ice, loop_now_us(session->instance->env->loop))->tcp
                         ? "tcp"
                         : "udp"));
    if (session->wants_data)
        channel_open(session, 5000);
}

static void on_dtls_data(void *owner, const uint8_t *bytes, size_t len)
{
    struct session *session = owner;

    if (session->sctp)
        sctp_input(session->sctp, bytes, len);
}

static void on_dtls_over(void *owner, int err)
{
    session_end_later(owner, err);
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

struct session *session_new(struct egress_instance *instance)
{
    struct session *session;

    if (instance->session_count >= SESSIONS_MAX)
        return NULL;
    session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->instance = instance;
    session->state = SESSION_ASKING;
    session->numbers.round_trip_us = -1;
    session->watch = (struct view_watch){.on_live = on_live, .on_away = on_away};
    list_init(&session->watch.link);
    loop_timer_init(&session->handshake, instance->env->loop, on_handshake_timer);
    send_init(session);
    estimate_init(&session->estimate);
    list_append(&instance->sessions, &session->link);
    instance->session_count++;
    return session;
}

static void make_id(struct session *session)
{
    snprintf(session->id, sizeof(session->id), "%02x%016llx%016llx",
             loop_index(session->instance->env->loop) & 0xff, (unsigned long long)random_u64(),
             (unsigned long long)random_u64());
}

int session_open(struct session *session)
{
    struct egress_instance *instance = session->instance;
    struct loop *loop = instance->env->loop;
    int err = ice_init(&session->ice, loop_index(loop), session->offer->ufrag, loop_now_us(loop));

    if (err == 0)
        err = dtls_open(&session->dtls, instance->identity, session->offer->fingerprint,
                        &dtls_handler, session);
    if (err < 0)
        return err;
    make_id(session);
    map_insert(&instance->by_id, &session->by_id, session->id);
    map_insert(&instance->by_ufrag, &session->by_ufrag, session->ice.ufrag);
    session->state = SESSION_CONNECTING;
    view_watch_start(session->admission.view, &session->watch);
    return 0;
}

struct session *session_find(struct egress_instance *instance, const char *id)
{
    struct map_node *node = map_find(&instance->by_id, id);

    return node ? map_entry(node, struct session, by_id) : NULL;
}

static void forget_route(struct session_route *route)
{
    if (route->is_used)
        map_remove(&route->session->instance->by_route, &route->node);
    route->is_used = false;
}

static void drop_paths(struct session *session)
{
    for (unsigned i = 0; i < ICE_PATHS_MAX; i++) {
        struct ice_path *path = &session->ice.paths[i];

        if (path->checked_us && path->route.tcp)
            tcp_close(path->route.tcp);
        forget_route(&session->routes[i]);
    }
}

static void forget(struct session *session)
{
    struct egress_instance *instance = session->instance;

    if (*session->id) {
        map_remove(&instance->by_id, &session->by_id);
        map_remove(&instance->by_ufrag, &session->by_ufrag);
    }
    list_remove(&session->link);
    instance->session_count--;
    view_watch_stop(&session->watch);
}

void session_close(struct session *session, const char *reason)
{
    struct egress_instance *instance = session->instance;

    if (session->state == SESSION_CLOSED)
        return;
    if (session->state == SESSION_PLAYING)
        LOG(LOG_INFO, "viewer", session->admission.viewer_id, "left", KV_S("protocol", "webrtc"),
            KV_S("reason", reason), KV_I("bytes", (int64_t)session->admission.out_bytes),
            KV_I("lost", session->numbers.lost));
    send_stop(session);
    sctp_close(session->sctp);
    session->sctp = NULL;
    dtls_close(session->dtls);
    session->dtls = NULL;
    srtp_pair_close(session->srtp);
    session->srtp = NULL;
    loop_timer_stop(&session->handshake);
    drop_paths(session);
    forget(session);
    session->state = SESSION_CLOSED;
    instance->env->leave(instance->env, &session->admission);
    session->gone.run = free_session;
    loop_defer(instance->env->loop, &session->gone);
}

/* Other codecs than the viewer was told need another answer: its player asks again. */
static void on_live(struct view_watch *watch)
{
    struct session *session = list_entry(watch, struct session, watch);
    const struct tracks *now = session->admission.view->tracks;

    for (unsigned i = 0; i < session->tracks->count; i++)
        if (i >= now->count || now->track[i].codec != session->tracks->track[i].codec ||
            now->track[i].has_b_frames != session->tracks->track[i].has_b_frames) {
            session_end_later(session, -ERR_UNSUPPORTED);
            return;
        }
}

void session_tick(struct session *session, int64_t now_us)
{
    if (session->state == SESSION_ASKING)
        return;
    if (ice_has_expired(&session->ice, now_us)) {
        session_close(session, "consent");
        return;
    }
    if (session->state != SESSION_PLAYING)
        return;
    report_send(session);
    channel_tick(session);
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

static struct session *find_by_route(struct egress_instance *instance, const struct ice_route *from)
{
    char key[ROUTE_KEY];
    struct map_node *node = NULL;

    if (from->tcp)
        return tcp_session(from->tcp);
    if (make_route_key(&from->remote, key))
        node = map_find(&instance->by_route, key);
    return node ? map_entry(node, struct session_route, node)->session : NULL;
}

/* The map of addresses follows ICE's paths: after each check that was authentic. */
static void follow_paths(struct session *session, const struct ice_route *from)
{
    struct egress_instance *instance = session->instance;

    if (from->tcp)
        tcp_set_session(from->tcp, session);
    for (unsigned i = 0; i < ICE_PATHS_MAX; i++) {
        const struct ice_path *path = &session->ice.paths[i];
        struct session_route *route = &session->routes[i];
        char key[ROUTE_KEY] = "";

        if (path->checked_us && !path->route.tcp && !make_route_key(&path->route.remote, key))
            key[0] = '\0';
        if (route->is_used && strcmp(route->key, key) != 0)
            forget_route(route);
        if (!*key || route->is_used || map_find(&instance->by_route, key))
            continue;
        memcpy(route->key, key, sizeof(key));
        route->session = session;
        route->is_used = true;
        map_insert(&instance->by_route, &route->node, route->key);
    }
}

static void reply_to(struct egress_instance *instance, const struct ice_route *to,
                     const uint8_t *bytes, size_t len)
{
    if (to->tcp)
        tcp_send(to->tcp, bytes, len);
    else
        udp_send(instance->udp, &to->remote, bytes, len);
}

static void take_stun(struct egress_instance *instance, const struct ice_route *from,
                      const uint8_t *bytes, size_t len)
{
    char ufrag[ICE_UFRAG_TEXT];
    struct map_node *node =
        ice_find_ufrag(bytes, len, ufrag) ? map_find(&instance->by_ufrag, ufrag) : NULL;
    struct session *session = node ? map_entry(node, struct session, by_ufrag) : NULL;
    uint8_t reply[STUN_REPLY_MAX];
    size_t reply_len;

    if (!session || (from->tcp && tcp_session(from->tcp) && tcp_session(from->tcp) != session)) {
        instance->dropped++;
        return;
    }
    reply_len = ice_input(&session->ice, from, bytes, len, reply, loop_now_us(instance->env->loop));
    if (!reply_len) {
        instance->dropped++;
        return;
    }
    follow_paths(session, from);
    reply_to(instance, from, reply, reply_len);
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

void session_take_packet(struct egress_instance *instance, const struct ice_route *from,
                         uint8_t *bytes, size_t len)
{
    struct session *session;

    if (stun_is(bytes, len)) {
        take_stun(instance, from, bytes, len);
        return;
    }
    session = len ? find_by_route(instance, from) : NULL;
    if (!session || session->is_ending || !ice_is_proven(&session->ice, from)) {
        instance->dropped++;
    } else if (is_dtls(bytes[0])) {
        dtls_input(session->dtls, bytes, len);
        arm_handshake(session);
    } else if (is_rtcp(bytes, len) && session->srtp) {
        report_take(session, bytes, len);
    } else {
        instance->dropped++;
    }
}

void session_send(struct session *session, const void *bytes, size_t len)
{
    int64_t now_us = loop_now_us(session->instance->env->loop);
    const struct ice_route *to = ice_selected(&session->ice, now_us);

    if (!to)
        return;
    reply_to(session->instance, to, bytes, len);
    session->admission.out_bytes += len;
}

void session_send_batch(struct session *session)
{
    struct egress_instance *instance = session->instance;
    const struct batch *batch = &instance->batch;
    const struct ice_route *to = ice_selected(&session->ice, loop_now_us(instance->env->loop));

    if (!to || !batch->count)
        return;
    if (to->tcp)
        tcp_send_framed(to->tcp, batch->bytes, batch->used);
    else
        udp_send_batch(instance->udp, &to->remote, batch);
    session->admission.out_bytes += batch->used;
}
