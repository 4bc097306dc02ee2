/* What the agent asks a camera, step by step. */
#include <stdio.h>

#include "agent/rtsp_client_private.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "rtsp/control.h"
#include "rtsp/transport.h"

enum { REQUEST_MAX_BYTES = 16 * 1024 };

void client_send(struct rtsp_client *client, const void *bytes, size_t len)
{
    if (client->conn && conn_write_copy(client->conn, bytes, len) < 0)
        client_fail(client, RTSP_BROKEN, "The camera at %s:%u takes no more requests.",
                    client->url.host, client->url.port);
}

static void write_authorization(struct rtsp_client *client, struct writer *out, const char *method)
{
    char value[4096], cnonce[17];
    struct digest_request request = {.method = method,
                                     .uri = client->request_url,
                                     .user = client->url.user,
                                     .password = client->url.password,
                                     .count = ++client->nonce_count,
                                     .cnonce = cnonce};

    if (client->challenge.scheme == AUTH_SCHEME_NONE)
        return;
    snprintf(cnonce, sizeof(cnonce), "%016llx", (unsigned long long)random_u64());
    if (digest_answer(&client->challenge, &request, value, sizeof(value)) == 0)
        writer_printf(out, "Authorization: %s\r\n", value);
    secret_wipe(value, sizeof(value));
}

static void request_begin(struct rtsp_client *client, struct writer *out, const char *method)
{
    client->method = method;
    writer_init(out, REQUEST_MAX_BYTES);
    rtsp_write_request(out, method, client->request_url, ++client->cseq);
    rtsp_write_header(out, "User-Agent", "culvert-agent");
    write_authorization(client, out, method);
    if (client->session[0])
        rtsp_write_header(out, "Session", "%s", client->session);
}

static void request_end(struct rtsp_client *client, struct writer *out)
{
    rtsp_write_end(out, NULL, NULL, 0);
    if (!out->err)
        client_send(client, out->bytes, out->len);
    writer_fini(out);
}

static void set_own_url(struct rtsp_client *client)
{
    if (rtsp_url_format(&client->url, client->request_url, sizeof(client->request_url)) < 0)
        client->request_url[0] = '\0';
}

static void set_control_url(struct rtsp_client *client, const char *control)
{
    if (rtsp_control_url(&client->url, client->base, control, client->request_url,
                         sizeof(client->request_url)) < 0)
        set_own_url(client);
}

/* Behind those of the track before, which the camera may have chosen itself. */
static uint8_t free_channel(const struct rtsp_client *client)
{
    unsigned index = client->setup_index;
    unsigned after = index ? client->tracks[index - 1].channel + 2u : 0;

    return (uint8_t)(after < 255 ? after : 2 * index);
}

static void send_setup(struct rtsp_client *client)
{
    struct client_track *track = &client->tracks[client->setup_index];
    uint8_t channel = free_channel(client);
    struct rtsp_transport transport = {.is_tcp = !client->is_udp,
                                       .has_channels = true,
                                       .channel = channel,
                                       .channel_rtcp = (uint8_t)(channel + 1)};
    struct writer out;
    char text[128] = "";

    track->channel = transport.channel;
    rtp_receiver_set_unordered(track->receiver, client->is_udp);
    if (client->is_udp) {
        if (!track->udp && camera_udp_open(&track->udp, track) < 0) {
            client_fail(client, RTSP_BROKEN, "The agent has no UDP port left for the camera.");
            return;
        }
        transport.has_client_port = true;
        transport.client_rtp = camera_udp_port(track->udp);
        transport.client_rtcp = (uint16_t)(transport.client_rtp + 1);
    }
    set_control_url(client, track->media->control);
    request_begin(client, &out, "SETUP");
    if (rtsp_transport_format(&transport, text, sizeof(text)) == 0)
        rtsp_write_header(&out, "Transport", "%s", text);
    request_end(client, &out);
}

static void send_keepalive(struct rtsp_client *client)
{
    struct writer out;

    set_control_url(client, client->sdp.control);
    request_begin(client, &out, client->keepalive_method);
    request_end(client, &out);
}

void client_send_step(struct rtsp_client *client)
{
    struct writer out;

    switch (client->step) {
    case STEP_OPTIONS:
        set_own_url(client);
        request_begin(client, &out, "OPTIONS");
        request_end(client, &out);
        return;
    case STEP_DESCRIBE:
        set_own_url(client);
        request_begin(client, &out, "DESCRIBE");
        rtsp_write_header(&out, "Accept", "application/sdp");
        request_end(client, &out);
        return;
    case STEP_SETUP:
        send_setup(client);
        return;
    case STEP_PLAY:
        set_control_url(client, client->sdp.control);
        request_begin(client, &out, "PLAY");
        rtsp_write_header(&out, "Range", "npt=0.000-");
        request_end(client, &out);
        return;
    case STEP_PLAYING:
        send_keepalive(client);
        return;
    case STEP_CONNECT:
    case STEP_CLOSED:
        return;
    }
}

/* Called every five seconds; sent when a third of the session's time has gone. */
void client_send_keepalive(struct rtsp_client *client)
{
    unsigned every = client->timeout_s / 15 + 1;

    if (++client->keepalive_ticks % every == 0)
        send_keepalive(client);
}

void client_send_teardown(struct rtsp_client *client)
{
    struct writer out;

    set_control_url(client, client->sdp.control);
    request_begin(client, &out, "TEARDOWN");
    request_end(client, &out);
}
