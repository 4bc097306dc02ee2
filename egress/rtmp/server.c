#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/rtmp/rtmp.h"
#include "egress/rtmp/session.h"

static const struct option rtmp_options[] = {
    {"rtmp-port", OPTION_INT, "1935", 0, 65535, NULL, false, "TCP port for RTMP (0: none)"},
    {"rtmps-port", OPTION_INT, "1936", 0, 65535, NULL, false,
     "TCP port for RTMP over TLS (0: none; RTMPS is on https-port too)"},
    {.name = NULL},
};

static const struct conn_limits session_limits = {
    .input_bytes = 64 * 1024, /* what waits while a viewer is being admitted */
    .backlog_bytes = 8 * 1024 * 1024,
    .low_water_bytes = 256 * 1024,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 5 * 1000000,
};

static void accept_fd(struct egress_instance *instance, int fd, struct tls_server *tls)
{
    struct conn *conn;

    if (conn_accept(&conn, instance->env->loop, fd, tls, &session_limits) == 0)
        rtmp_session_accept(instance, conn);
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
    int err = listener_list_open(&instance->listeners, (uint16_t)option_int(options, "rtmp-port"),
                                 &plain);

    if (err == 0)
        err = listener_list_open(&instance->listeners, (uint16_t)option_int(options, "rtmps-port"),
                                 &secure);
    return err;
}

static void rtmp_stop(struct egress_instance *instance)
{
    listener_list_close(&instance->listeners);
    list_for_each (link, after, &instance->sessions) {
        rtmp_session_close(list_entry(link, struct session, link));
    }
    free(instance);
}

static int rtmp_start(struct egress_instance **out, struct egress_env *env)
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
    err = open_ports(instance);
    if (err < 0) {
        rtmp_stop(instance);
        return err;
    }
    *out = instance;
    return 0;
}

static void rtmp_drain(struct egress_instance *instance)
{
    instance->is_draining = true;
    listener_list_close(&instance->listeners);
}

static void rtmp_accept(struct egress_instance *instance, struct conn *conn)
{
    conn_set_limits(conn, &session_limits);
    rtmp_session_accept(instance, conn);
}

static size_t rtmp_count(const struct egress_instance *instance)
{
    return instance->session_count;
}

static int rtmp_url(const struct egress_env *env, unsigned i, const char *slug,
                    struct egress_url *out)
{
    static const char *const names[] = {"rtmp", "rtmps"};
    const char *host = env->public_host;
    bool is_v6 = strchr(host, ':') != NULL;
    int64_t port;

    if (i >= 2)
        return -ERR_NOT_FOUND;
    port = option_int(env->options, i == 0 ? "rtmp-port" : "rtmps-port");
    out->name = names[i];
    snprintf(out->text, sizeof(out->text),
             is_v6 ? "%s://[%s]:%d/live/%s?token=%%s" : "%s://%s:%d/live/%s?token=%%s", names[i],
             host, (int)port, slug);
    return 0;
}

const struct egress egress_rtmp = {
    .name = "rtmp",
    .options = rtmp_options,
    .start = rtmp_start,
    .drain = rtmp_drain,
    .stop = rtmp_stop,
    .accept = rtmp_accept,
    .count = rtmp_count,
    .url = rtmp_url,
};
