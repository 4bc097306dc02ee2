/* The data channel "culvert": once a second, what the viewer can't know by itself, as JSON. */
#include "base/clock.h"
#include "base/log.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/sctp.h"

enum { NEWS_US = 1000 * 1000, NEWS_MAX_BYTES = 2048 };

static void on_output(void *owner, const uint8_t *bytes, size_t len)
{
    struct peer *peer = owner;

    if (peer->dtls && dtls_write(peer->dtls, bytes, len) < 0)
        return; /* as a lost packet: the association sends it again, or ends */
}

static void on_open(void *owner)
{
    struct peer *peer = owner;

    peer->is_data_open = true;
}

static void on_over(void *owner)
{
    struct peer *peer = owner;

    peer->is_data_open = false; /* pictures go on without it */
}

static const struct sctp_handler handler = {
    .on_output = on_output,
    .on_open = on_open,
    .on_over = on_over,
};

void channel_open(struct peer *peer, uint16_t port)
{
    int err = sctp_open(&peer->sctp, peer->instance->env->loop, port, &handler, peer);

    if (err < 0)
        LOG(LOG_WARN, "viewer", peer->admission.viewer_id, "no-data-channel", KV_ERR(err));
}

static void write_news(struct peer *peer, struct writer *text)
{
    const struct view *view = peer->admission.view;
    const struct estimate *estimate = &peer->estimate;
    const struct track *video =
        peer->video.is_used ? &peer->tracks->track[peer->video.track] : NULL;

    writer_printf(text, "{\"stream\":\"%s\",\"wall_us\":%lld", view->is_live ? "live" : "away",
                  (long long)clock_wall_us());
    if (video)
        writer_printf(text, ",\"codec\":\"%s\",\"width\":%u,\"height\":%u",
                      codec_name(video->codec), video->width, video->height);
    peer->instance->env->describe(peer->instance->env, view->slug, text);
    writer_printf(text, ",\"estimate_bps\":%u,\"loss_permille\":%u,\"jitter_us\":%u",
                  estimate->has_feedback ? estimate->bps : 0, estimate->loss_permille,
                  peer->numbers.jitter_us);
    if (peer->numbers.round_trip_us >= 0)
        writer_printf(text, ",\"round_trip_us\":%lld", (long long)peer->numbers.round_trip_us);
    writer_printf(text, ",\"retransmitted\":%llu,\"skipped_groups\":%llu}",
                  (unsigned long long)peer->numbers.retransmitted,
                  (unsigned long long)peer->numbers.skipped_groups);
}

void channel_tick(struct peer *peer)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    struct writer text;

    if (!peer->is_data_open || now_us - peer->news_us < NEWS_US)
        return;
    peer->news_us = now_us;
    writer_init(&text, NEWS_MAX_BYTES);
    write_news(peer, &text);
    /* A viewer that reads no news gets none: the next is fresher. */
    if (!text.err && sctp_send_text(peer->sctp, (const char *)text.bytes, text.len) < 0)
        peer->news_us = now_us;
    writer_fini(&text);
}
