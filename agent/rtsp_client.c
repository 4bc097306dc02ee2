#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/rtsp_client_private.h"
#include "base/list.h"
#include "crypto/digest.h"
#include "net/tls.h"

enum {
    ANSWER_US = 8 * 1000000, /* a camera that does not answer is given up */
    REPORT_US = 5 * 1000000
};

static const struct conn_limits camera_limits = {
    .input_bytes = 256 * 1024,
    .backlog_bytes = 256 * 1024,
    .low_water_bytes = 0,
    .handshake_us = 8 * 1000000,
    .first_byte_us = 0,
};

static void client_free(struct loop_task *task)
{
    struct rtsp_client *client = list_entry(task, struct rtsp_client, gone);

    client_close_tracks(client);
    tls_client_free(client->tls);
    secret_wipe(&client->url, sizeof(client->url));
    free(client);
}

static void client_end(struct rtsp_client *client)
{
    client->step = STEP_CLOSED;
    dial_close(client->dial);
    client->dial = NULL;
    loop_timer_stop(&client->keepalive);
    client->gone.run = client_free;
    loop_defer(client->loop, &client->gone);
}

void client_fail(struct rtsp_client *client, enum rtsp_failure failure, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (client->step == STEP_CLOSED)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conn_close(client->conn);
    client->conn = NULL;
    client_end(client);
    client->handler->on_failed(client->owner, failure, text);
}

void client_set_step(struct rtsp_client *client, enum client_step step)
{
    client->step = step;
    conn_set_deadline(client->conn, step == STEP_PLAYING ? 0 : ANSWER_US);
    if (step != STEP_PLAYING)
        return;
    loop_timer_start(&client->keepalive, REPORT_US);
    client->handler->on_playing(client->owner, client->track_count);
}

/* Every five seconds: receiver reports; every third of the session's timeout: a sign of life. */
static void on_keepalive(struct loop_timer *timer)
{
    struct rtsp_client *client = list_entry(timer, struct rtsp_client, keepalive);

    loop_timer_start(&client->keepalive, REPORT_US);
    client_send_reports(client);
    if (client->step == STEP_PLAYING)
        client_send_keepalive(client);
}

/* Requests of a camera's own are answered so that it goes on; nothing else is done for it. */
static void answer_camera(struct rtsp_client *client, const struct rtsp_message *request)
{
    struct writer out;

    writer_init(&out, 1024);
    rtsp_write_response(&out, 200, rtsp_cseq(request));
    rtsp_write_end(&out, NULL, NULL, 0);
    if (!out.err)
        client_send(client, out.bytes, out.len);
    writer_fini(&out);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct rtsp_client *client = owner;
    size_t used = 0;

    while (used < len && client->conn == conn) { /* until it fails, or a redirect leaves it */
        struct rtsp_parsed parsed = rtsp_parse(bytes + used, len - used);

        if (parsed.piece == RTSP_NEEDS_MORE)
            break;
        if (parsed.piece == RTSP_BAD) {
            client_fail(client, RTSP_BROKEN, "The camera at %s:%u does not speak RTSP.",
                        client->url.host, client->url.port);
            return (ssize_t)len;
        }
        used += parsed.used;
        if (parsed.piece == RTSP_FRAME) {
            client_on_frame(client, parsed.channel, parsed.frame, parsed.frame_len);
            continue;
        }
        if (parsed.message->is_request)
            answer_camera(client, parsed.message);
        else
            client_on_response(client, parsed.message);
        rtsp_message_free(parsed.message);
    }
    return (ssize_t)used;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct rtsp_client *client = owner;

    (void)conn;
    client->conn = NULL;
    if (err == -ERR_TIMEOUT)
        client_fail(client, RTSP_TIMED_OUT, "The camera at %s:%u does not answer.",
                    client->url.host, client->url.port);
    else
        client_fail(client, RTSP_BROKEN, "The camera at %s:%u closed the connection.",
                    client->url.host, client->url.port);
}

static const struct conn_handler conn_handler = {.on_input = on_input, .on_closed = on_closed};

static void on_dialled(void *owner, struct conn *conn)
{
    struct rtsp_client *client = owner;

    client->dial = NULL;
    client->conn = conn;
    conn_set_handler(conn, &conn_handler, client);
    client_set_step(client, STEP_OPTIONS);
    client_send_step(client);
}

static void on_dial_failed(void *owner, int err)
{
    struct rtsp_client *client = owner;

    client->dial = NULL;
    if (err == -ERR_DENIED)
        client_fail(client, RTSP_UNREACHABLE,
                    "This agent is not allowed to connect to %s: see its allow options.",
                    client->url.host);
    else
        client_fail(client, RTSP_UNREACHABLE, "Nothing answers at %s:%u: %s.", client->url.host,
                    client->url.port, err_text(err));
}

static const struct dial_handler dial_handler = {on_dialled, on_dial_failed};

int client_connect(struct rtsp_client *client)
{
    /* Cameras have no names that a certificate could prove: TLS keeps listeners out, no more. */
    static const struct tls_client_options insecure = {.insecure = true};
    struct dial_target target = {.loop = client->loop,
                                 .host = client->url.host,
                                 .port = client->url.port,
                                 .allow = client->allow,
                                 .limits = &camera_limits};
    int err = 0;

    client->step = STEP_CONNECT;
    if (client->url.is_tls && !client->tls)
        err = tls_client_new(&client->tls, &insecure);
    if (err < 0)
        return err;
    target.tls = client->url.is_tls ? client->tls : NULL;
    return dial_open(&client->dial, &target, &dial_handler, client);
}

int rtsp_client_open(struct rtsp_client **out, const struct rtsp_client_config *config,
                     const struct rtsp_client_handler *handler, void *owner)
{
    struct rtsp_client *client = calloc(1, sizeof(*client));
    char transport[8];
    int err;

    if (!client)
        return -ENOMEM;
    client->loop = config->loop;
    client->allow = config->allow;
    client->handler = handler;
    client->owner = owner;
    client->url = *config->url;
    client->timeout_s = 60;
    client->keepalive_method = "OPTIONS";
    loop_timer_init(&client->keepalive, config->loop, on_keepalive);
    client->is_udp =
        rtsp_query_value(client->url.query, "transport", transport, sizeof(transport)) &&
        transport[0] == 'u';
    rtsp_query_remove(client->url.query, "transport");
    client->is_udp_tried = client->is_udp;
    err = client_connect(client);
    if (err < 0) {
        client_end(client);
        return err;
    }
    *out = client;
    return 0;
}

void rtsp_client_close(struct rtsp_client *client)
{
    if (!client || client->step == STEP_CLOSED)
        return;
    if (client->step == STEP_PLAYING)
        client_send_teardown(client);
    conn_close_flushed(client->conn, 500 * 1000);
    client->conn = NULL;
    client_end(client);
}
