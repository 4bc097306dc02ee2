/* The protocol's instances, one a loop: options, sockets, candidates. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "egress/web.h"
#include "egress/webrtc/datagram.h"
#include "egress/webrtc/painter.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/sctp.h"
#include "egress/webrtc/tcp.h"
#include "egress/webrtc/webrtc.h"
#include "net/conn.h"
#include "net/listener.h"

enum { TICK_US = 500 * 1000, SCTP_TICK_US = 100 * 1000 };

static const struct option webrtc_options[] = {
    {"webrtc-port", OPTION_INT, "8189", 0, 65535, NULL, false,
     "first UDP and TCP port for WebRTC; each worker takes one (0: none, https-port's TCP alone)"},
    {"public-address", OPTION_LIST, "", 0, 0, NULL, false,
     "address under which WebRTC viewers reach this server; may be given again (default: "
     "public-host's, else this machine's own)"},
    {"webrtc-stun", OPTION_LIST, "", 0, 0, NULL, false,
     "STUN server that WHEP answers name, as stun:HOST:PORT; may be given again (none is needed)"},
    {.name = NULL},
};

/* What all loops share: made with the first instance, gone with the last. Instances start one after
 * the other, before any loop runs, and stop when none does. */
static struct egress_instance *instances[HUBS_MAX];
static unsigned instance_total;
static struct dtls_identity *identity;
static struct painter *painter;
static struct loop_timer sctp_timer;

struct egress_instance *webrtc_instance_at(unsigned loop_index)
{
    return loop_index < HUBS_MAX ? instances[loop_index] : NULL;
}

static void on_sctp_tick(struct loop_timer *timer)
{
    sctp_tick(SCTP_TICK_US / 1000);
    loop_timer_start(timer, SCTP_TICK_US);
}

static int shared_start(struct loop *loop)
{
    int err;

    if (instance_total++ > 0)
        return 0;
    err = srtp_pair_start();
    if (err == 0)
        err = sctp_start();
    if (err == 0)
        err = dtls_identity_new(&identity);
    if (err == 0)
        err = painter_new(&painter);
    loop_timer_init(&sctp_timer, loop, on_sctp_tick);
    loop_timer_start(&sctp_timer, SCTP_TICK_US);
    return err;
}

static void shared_stop(const struct loop *loop)
{
    if (sctp_timer.loop == loop)
        loop_timer_stop(&sctp_timer);
    if (--instance_total > 0)
        return;
    painter_free(painter);
    painter = NULL;
    dtls_identity_free(identity);
    identity = NULL;
    sctp_stop();
    srtp_pair_stop();
}

/* ---- candidates ------------------------------------------------------------------------------ */

static void add_candidate(struct egress_instance *instance, const struct addr *addr, uint16_t port,
                          bool is_tcp)
{
    struct answer_candidate candidate = {.addr = *addr, .is_tcp = is_tcp};
    char text[ADDR_TEXT], other[ADDR_TEXT];

    if (!port || instance->candidate_count == ANSWER_CANDIDATES_MAX)
        return;
    addr_set_port(&candidate.addr, port);
    addr_format(&candidate.addr, text);
    for (unsigned i = 0; i < instance->candidate_count; i++)
        if (instance->candidates[i].is_tcp == is_tcp &&
            strcmp(addr_format(&instance->candidates[i].addr, other), text) == 0)
            return;
    instance->candidates[instance->candidate_count++] = candidate;
}

static void add_address(struct egress_instance *instance, const struct addr *addr, uint16_t port)
{
    const struct options *options = instance->env->options;
    int64_t https = option_int(options, "public-port");

    if (!https)
        https = option_int(options, "https-port");
    if (instance->udp_count)
        add_candidate(instance, addr, port, false);
    if (instance->listeners.count)
        add_candidate(instance, addr, port, true);
    add_candidate(instance, addr, (uint16_t)https, true);
}

static void add_named(struct egress_instance *instance, const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        LOG(LOG_WARN, "webrtc", NULL, "unknown-address", KV_S("host", host));
        return;
    }
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        struct addr addr = {.len = at->ai_addrlen};

        memcpy(&addr.storage, at->ai_addr, at->ai_addrlen);
        add_address(instance, &addr, port);
    }
    freeaddrinfo(found);
}

static void add_interfaces(struct egress_instance *instance, uint16_t port)
{
    struct ifaddrs *found = NULL;

    if (getifaddrs(&found) < 0)
        return;
    for (const struct ifaddrs *at = found; at; at = at->ifa_next) {
        int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;
        struct addr addr = {.len = family == AF_INET ? sizeof(struct sockaddr_in)
                                                     : sizeof(struct sockaddr_in6)};

        if ((family != AF_INET && family != AF_INET6) || !(at->ifa_flags & IFF_UP))
            continue;
        memcpy(&addr.storage, at->ifa_addr, addr.len);
        if (!addr_is_loopback(&addr) && !addr_is_link_local(&addr))
            add_address(instance, &addr, port);
    }
    freeifaddrs(found);
}

static bool has_public_candidate(const struct egress_instance *instance)
{
    for (unsigned i = 0; i < instance->candidate_count; i++)
        if (!addr_is_loopback(&instance->candidates[i].addr))
            return true;
    return false;
}

static bool is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The addresses that are listened at, if they are named. */
static bool add_listened(struct egress_instance *instance, uint16_t port)
{
    const struct options *options = instance->env->options;
    size_t count = option_count(options, "listen");
    bool has_any = false;

    for (size_t i = 0; i < count; i++) {
        if (is_wildcard(option_item(options, "listen", i)))
            continue;
        add_named(instance, option_item(options, "listen", i), port);
        has_any = true;
    }
    return has_any;
}

/* What public-address names, and else public-host and what is listened at; on a machine that knows
 * only its own name for itself (localhost), the interfaces' too. */
static void find_candidates(struct egress_instance *instance, uint16_t port)
{
    const struct options *options = instance->env->options;
    size_t count = option_count(options, "public-address");
    bool is_bound;

    for (size_t i = 0; i < count; i++)
        add_named(instance, option_item(options, "public-address", i), port);
    if (count)
        return;
    add_named(instance, instance->env->public_host, port);
    is_bound = add_listened(instance, port);
    if (!is_bound && !has_public_candidate(instance))
        add_interfaces(instance, port);
}

/* ---- sockets ----------------------------------------------------------------------------------
 */

static void on_udp_packet(void *owner, struct datagrams *datagrams, const struct addr *from,
                          uint8_t *bytes, size_t len)
{
    struct ice_route route = {.remote = *from, .udp = datagrams};

    peer_take_packet(owner, &route, bytes, len);
}

/* Those who connect are answered at once. */
static bool may_rest(void *owner)
{
    struct egress_instance *instance = owner;

    list_for_each (link, after, &instance->peers) {
        if (list_entry(link, struct peer, link)->state == PEER_CONNECTING)
            return false;
    }
    return true;
}

static const struct datagrams_handler udp_handler = {on_udp_packet, may_rest};

static const struct conn_limits accept_limits = {
    .input_bytes = 4096,
    .backlog_bytes = 64 * 1024,
    .low_water_bytes = 16 * 1024,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 5 * 1000000,
};

static void on_tcp_accept(void *owner, int fd, const struct addr *peer)
{
    struct egress_instance *instance = owner;
    struct conn *conn;

    (void)peer;
    if (conn_accept(&conn, instance->env->loop, fd, NULL, &accept_limits) == 0)
        tcp_accept(instance, conn);
}

static const struct listener_handler tcp_listener = {on_tcp_accept};

static int open_udp_at(struct egress_instance *instance, const char *host, uint16_t port)
{
    struct addr addr;
    int err = addr_parse(&addr, host);

    if (err == 0 && instance->udp_count == SOCKETS_MAX)
        err = -ERR_TOO_MANY;
    if (err < 0)
        return err;
    addr_set_port(&addr, port);
    err = datagrams_open(&instance->udp[instance->udp_count], instance->env->loop, &addr,
                         &udp_handler, instance);
    if (err == 0)
        instance->udp_count++;
    return err;
}

/* The same addresses as listener_list_open's. */
static int open_udp(struct egress_instance *instance, uint16_t port)
{
    const struct options *options = instance->env->options;
    size_t count = option_count(options, "listen");
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = open_udp_at(instance, option_item(options, "listen", i), port);
    if (!count)
        err = open_udp_at(instance, "0.0.0.0", port);
    if (!count && err == 0)
        err = open_udp_at(instance, "::", port);
    if (err == -EAFNOSUPPORT && !count)
        return 0; /* a machine without IPv6 */
    if (err < 0)
        LOG(LOG_ERROR, "webrtc", NULL, "cannot-listen", KV_I("port", port), KV_ERR(err),
            KV_S("text", err_text(err)));
    return err;
}

/* ---- the instance -----------------------------------------------------------------------------
 */

static void on_tick(struct loop_timer *timer)
{
    struct egress_instance *instance = list_entry(timer, struct egress_instance, tick);
    int64_t now_us = loop_now_us(instance->env->loop);

    list_for_each (link, after, &instance->peers) {
        peer_tick(list_entry(link, struct peer, link), now_us);
    }
    snapshot_tick(instance, now_us);
    loop_timer_start(&instance->tick, TICK_US);
}

static void webrtc_stop(struct egress_instance *instance)
{
    if (!instance)
        return;
    loop_timer_stop(&instance->tick);
    instances[loop_index(instance->env->loop)] = NULL;
    while (!list_is_empty(&instance->peers))
        peer_close(list_entry(instance->peers.next, struct peer, link), "stopped");
    tcp_close_all(instance);
    snapshot_close_all(instance);
    listener_list_close(&instance->listeners);
    for (unsigned i = 0; i < instance->udp_count; i++)
        datagrams_close(instance->udp[i]);
    map_fini(&instance->by_id);
    map_fini(&instance->by_ufrag);
    map_fini(&instance->by_route);
    map_fini(&instance->shots);
    shared_stop(instance->env->loop);
    free(instance);
}

static int name_stun_servers(struct egress_instance *instance)
{
    const char *wrong = "";
    int err = stun_link_make(instance->env->options, "webrtc-stun", instance->stun_link, &wrong);

    if (err < 0)
        LOG(LOG_ERROR, "webrtc", NULL, "bad-option", KV_S("option", "webrtc-stun"),
            KV_S("value", wrong), KV_S("text", err_text(err)));
    return err;
}

static int open_instance(struct egress_instance *instance)
{
    int64_t first = option_int(instance->env->options, "webrtc-port");
    uint16_t port = (uint16_t)(first ? first + loop_index(instance->env->loop) : 0);
    int err = shared_start(instance->env->loop);

    instance->identity = identity;
    instance->painter = painter;
    if (err == 0)
        err = map_init(&instance->by_id);
    if (err == 0)
        err = map_init(&instance->by_ufrag);
    if (err == 0)
        err = map_init(&instance->by_route);
    if (err == 0)
        err = map_init(&instance->shots);
    if (err == 0 && port)
        err = open_udp(instance, port);
    if (err == 0)
        err = listener_list_open(&instance->listeners, port, &tcp_listener);
    if (err == 0)
        err = name_stun_servers(instance);
    if (err == 0)
        err = whep_add(instance);
    if (err == 0)
        err = snapshot_add(instance);
    if (err == 0)
        find_candidates(instance, port);
    return err;
}

static int webrtc_start(struct egress_instance **out, struct egress_env *env)
{
    struct egress_instance *instance = calloc(1, sizeof(*instance));
    int err;

    if (!instance)
        return -ENOMEM;
    instance->env = env;
    instance->listeners =
        (struct listener_list){.loop = env->loop, .options = env->options, .owner = instance};
    list_init(&instance->peers);
    list_init(&instance->tcp_links);
    loop_timer_init(&instance->tick, env->loop, on_tick);
    err = open_instance(instance);
    if (err < 0) {
        webrtc_stop(instance);
        return err;
    }
    instances[loop_index(env->loop)] = instance;
    loop_timer_start(&instance->tick, TICK_US);
    *out = instance;
    return 0;
}

static void webrtc_drain(struct egress_instance *instance)
{
    instance->is_draining = true;
    listener_list_close(&instance->listeners);
}

/* A connection to the shared TLS port whose first bytes are framed STUN. */
static void webrtc_accept(struct egress_instance *instance, struct conn *conn)
{
    tcp_accept(instance, conn);
}

static size_t webrtc_count(const struct egress_instance *instance)
{
    return instance->peer_count;
}

static int webrtc_url(const struct egress_env *env, unsigned i, const char *slug,
                      struct egress_url *out)
{
    /* The pages take the token in the fragment, which no server ever sees. */
    static const struct {
        const char *name, *before, *after;
    } rows[] = {
        {"whep", "/whep/", "?token=%s"}, {"page", "/s/", "#%s"}, {"embed", "/embed/", "#%s"}};
    char base[300];

    if (i >= sizeof(rows) / sizeof(*rows))
        return -ERR_NOT_FOUND;
    if (web_base(env, base, sizeof(base)) < 0)
        return -ERR_TOO_LONG;
    out->name = rows[i].name;
    snprintf(out->text, sizeof(out->text), "%s%s%s%s", base, rows[i].before, slug, rows[i].after);
    return 0;
}

const struct egress egress_webrtc = {
    .name = "webrtc",
    .options = webrtc_options,
    .start = webrtc_start,
    .drain = webrtc_drain,
    .stop = webrtc_stop,
    .accept = webrtc_accept,
    .count = webrtc_count,
    .url = webrtc_url,
};
