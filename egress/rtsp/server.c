#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "egress/rtsp/rtsp.h"
#include "egress/rtsp/session.h"
#include "egress/rtsp/udp.h"

enum { REPORT_US = 5 * 1000000 };

static const struct option rtsp_options[] = {
    {"rtsp-port", OPTION_INT, "8554", 0, 65535, NULL, false, "TCP port for RTSP (0: none)"},
    {"rtsps-port", OPTION_INT, "8322", 0, 65535, NULL, false,
     "TCP port for RTSP over TLS (0: none; RTSPS is on https-port too)"},
    {"rtsp-udp", OPTION_BOOL, "true", 0, 0, NULL, false,
     "lets viewers take RTP over UDP; without it they are told to use TCP"},
    {"rtsp-udp-first-port", OPTION_INT, "8000", 1024, 65534, NULL, false,
     "lowest UDP port for RTP to viewers; each worker takes a pair"},
    {"rtsp-udp-last-port", OPTION_INT, "8127", 1025, 65535, NULL, false,
     "highest UDP port for RTP to viewers"},
    {.name = NULL},
};

static const struct conn_limits session_limits = {
    .input_bytes = 128 * 1024, /* a request with the largest body, and what is pipelined */
    .backlog_bytes = 8 * 1024 * 1024,
    .low_water_bytes = 256 * 1024,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 5 * 1000000,
};

static void accept_fd(struct egress_instance *instance, int fd, struct tls_server *tls)
{
    struct conn *conn;

    if (conn_accept(&conn, instance->env->loop, fd, tls, &session_limits) == 0)
        session_accept(instance, conn);
}

static void on_accept_plain(void *owner, int fd, const struct addr *peer)
{
    (void)peer;
    accept_fd(owner, fd, NULL);
}

static void on_accept_tls(void *owner, int fd, const struct addr *peer)
{
    struct egress_instance *instance = owner;

    (void)peer;
    accept_fd(instance, fd, instance->env->tls);
}

static const struct listener_handler plain = {on_accept_plain};
static const struct listener_handler secure = {on_accept_tls};

static int open_ports(struct egress_instance *instance)
{
    const struct options *options = instance->env->options;
    int err = listener_list_open(&instance->listeners, (uint16_t)option_int(options, "rtsp-port"),
                                 &plain);

    if (err == 0)
        err = listener_list_open(&instance->listeners, (uint16_t)option_int(options, "rtsps-port"),
                                 &secure);
    return err;
}

/* A viewer's packet proves that its address is its own: media may go there (hostile.md R15). */
static void on_udp_packet(void *owner, bool is_rtcp, const struct addr *from)
{
    struct egress_instance *instance = owner;

    list_for_each (link, after, &instance->sessions) {
        if (session_prove_address(list_entry(link, struct session, link), is_rtcp, from))
            return;
    }
}

static const struct udp_handler udp_handler = {on_udp_packet};

static int open_udp(struct egress_instance *instance)
{
    const struct options *options = instance->env->options;
    struct udp_config config = {.first = (uint16_t)option_int(options, "rtsp-udp-first-port"),
                                .last = (uint16_t)option_int(options, "rtsp-udp-last-port"),
                                .handler = &udp_handler,
                                .owner = instance};
    int err;

    if (!option_bool(options, "rtsp-udp"))
        return 0;
    err = udp_open(&instance->udp, instance->env->loop, &config);
    if (err < 0)
        LOG(LOG_ERROR, "rtsp", NULL, "cannot-open-udp", KV_I("first", config.first),
            KV_I("last", config.last), KV_ERR(err), KV_S("text", err_text(err)));
    return err;
}

static void on_report(struct loop_timer *timer)
{
    struct egress_instance *instance = list_entry(timer, struct egress_instance, report);

    report_send_all(instance);
    loop_timer_start(&instance->report, REPORT_US);
}

static void rtsp_stop(struct egress_instance *instance)
{
    listener_list_close(&instance->listeners);
    list_for_each (link, after, &instance->sessions) {
        session_close(list_entry(link, struct session, link));
    }
    loop_timer_stop(&instance->report);
    udp_close(instance->udp);
    free(instance);
}

static int rtsp_start(struct egress_instance **out, struct egress_env *env)
{
    struct egress_instance *instance = calloc(1, sizeof(*instance));
    int err;

    if (!instance)
        return -ENOMEM;
    instance->env = env;
    instance->listeners.loop = env->loop;
    instance->listeners.options = env->options;
    instance->listeners.owner = instance;
    list_init(&instance->sessions);
    loop_timer_init(&instance->report, env->loop, on_report);
    random_bytes(instance->nonce_key, sizeof(instance->nonce_key));
    err = open_ports(instance);
    if (err == 0)
        err = open_udp(instance);
    if (err < 0) {
        rtsp_stop(instance);
        return err;
    }
    loop_timer_start(&instance->report, REPORT_US);
    *out = instance;
    return 0;
}

static void rtsp_drain(struct egress_instance *instance)
{
    instance->is_draining = true;
    listener_list_close(&instance->listeners);
}

static void rtsp_accept(struct egress_instance *instance, struct conn *conn)
{
    conn_set_limits(conn, &session_limits);
    session_accept(instance, conn);
}

static size_t rtsp_count(const struct egress_instance *instance)
{
    return instance->session_count;
}

static int rtsp_url(const struct egress_env *env, unsigned i, const char *slug,
                    struct egress_url *out)
{
    static const char *const names[] = {"rtsp", "rtsps"};
    const char *host = env->public_host;
    bool is_v6 = strchr(host, ':') != NULL;
    int64_t port;

    if (i >= 2)
        return -ERR_NOT_FOUND;
    port = option_int(env->options, i == 0 ? "rtsp-port" : "rtsps-port");
    out->name = names[i];
    snprintf(out->text, sizeof(out->text),
             is_v6 ? "%s://[%s]:%d/%s?token=%%s" : "%s://%s:%d/%s?token=%%s", names[i], host,
             (int)port, slug);
    return 0;
}

const struct egress egress_rtsp = {
    .name = "rtsp",
    .options = rtsp_options,
    .start = rtsp_start,
    .drain = rtsp_drain,
    .stop = rtsp_stop,
    .accept = rtsp_accept,
    .count = rtsp_count,
    .url = rtsp_url,
};
