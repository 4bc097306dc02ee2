/* A camera's tracks, and the packets that arrive for them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/rtsp_client_private.h"

static void on_track(struct depacketiser_sink *sink, const struct track *track)
{
    struct client_track *own = (struct client_track *)(void *)sink;

    own->client->handler->on_track(own->client->owner, own->index, track);
}

/* Media that overtakes the answer to PLAY is the answer: its first key frame is not to be lost. */
static void on_unit(struct depacketiser_sink *sink, const struct access_unit *unit)
{
    struct client_track *own = (struct client_track *)(void *)sink;
    struct rtsp_client *client = own->client;

    if (client->step == STEP_PLAY)
        client_set_step(client, STEP_PLAYING);
    if (client->step == STEP_PLAYING)
        client->handler->on_unit(client->owner, own->index, unit);
}

static int open_track(struct rtsp_client *client, const struct sdp_media *media)
{
    struct client_track *track = &client->tracks[client->track_count];
    struct rtp_receiver_config config = {
        .format = {.payload_type = media->payload_type,
                   .encoding = media->encoding[0] ? media->encoding : NULL,
                   .clock_rate = media->clock_rate,
                   .channels = media->channels,
                   .fmtp = media->fmtp[0] ? media->fmtp : NULL},
        .is_unordered = client->is_udp,
        .sink = &track->sink,
    };
    int err;

    *track = (struct client_track){.sink = {on_track, on_unit},
                                   .client = client,
                                   .index = client->track_count,
                                   .media = media};
    err = rtp_receiver_open(&track->receiver, &config);
    if (err == 0)
        client->track_count++;
    return err;
}

/* The first media of that kind that we can take. */
static bool choose(struct rtsp_client *client, const char *kind)
{
    for (unsigned i = 0; i < client->sdp.media_count; i++) {
        const struct sdp_media *media = &client->sdp.media[i];

        if (strcasecmp(media->kind, kind) == 0 && !media->is_backchannel &&
            open_track(client, media) == 0)
            return true;
    }
    return false;
}

bool client_choose_tracks(struct rtsp_client *client)
{
    bool has_video = choose(client, "video"), has_audio = choose(client, "audio");

    if (has_video || has_audio)
        return true;
    client_fail(client, RTSP_UNSUPPORTED, "The camera sends %s, which can't be relayed.",
                client->sdp.media[0].encoding[0] ? client->sdp.media[0].encoding
                                                 : "an unnamed codec");
    return false;
}

void client_on_rtcp(struct client_track *track, const uint8_t *bytes, size_t len)
{
    struct rtsp_client *client = track->client;
    struct rtcp_report report;

    if (rtcp_parse(&report, bytes, len) < 0 || !report.has_sender)
        return;
    rtp_receiver_heard(track->receiver, &report, loop_now_us(client->loop));
    client->handler->on_report(client->owner, track->index, &report);
}

/* Channels that nobody asked for are passed over. */
void client_on_frame(struct rtsp_client *client, uint8_t channel, const uint8_t *bytes, size_t len)
{
    for (unsigned i = 0; i < client->track_count; i++) {
        struct client_track *track = &client->tracks[i];

        if (channel == track->channel) {
            rtp_receiver_push(track->receiver, bytes, len, loop_now_us(client->loop));
            return;
        }
        if (channel == track->channel + 1) {
            client_on_rtcp(track, bytes, len);
            return;
        }
    }
}

static void send_rtcp(struct client_track *track, const struct writer *report)
{
    uint8_t head[4] = {'$', (uint8_t)(track->channel + 1), (uint8_t)(report->len >> 8),
                       (uint8_t)report->len};

    if (track->udp) {
        camera_udp_send_rtcp(track->udp, report->bytes, report->len);
        return;
    }
    client_send(track->client, head, sizeof(head));
    client_send(track->client, report->bytes, report->len);
}

void client_send_reports(struct rtsp_client *client)
{
    for (unsigned i = 0; i < client->track_count && client->step == STEP_PLAYING; i++) {
        struct rtcp_receiver report;
        struct writer out;

        if (!rtp_receiver_report(client->tracks[i].receiver, &report, loop_now_us(client->loop)))
            continue;
        writer_init(&out, 512);
        rtcp_write_receiver_report(&out, &report);
        if (!out.err)
            send_rtcp(&client->tracks[i], &out);
        writer_fini(&out);
    }
}

void client_close_tracks(struct rtsp_client *client)
{
    for (unsigned i = 0; i < client->track_count; i++) {
        rtp_receiver_close(client->tracks[i].receiver);
        camera_udp_close(client->tracks[i].udp);
    }
    client->track_count = 0;
}
