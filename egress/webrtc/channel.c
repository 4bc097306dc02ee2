/* The data channel "culvert": once a second, what the viewer can't know by itself, as JSON. */
#include "base/clock.h"
#include "base/log.h"
#include "egress/webrtc/sctp.h"
#include "egress/webrtc/session.h"

enum { NEWS_US = 1000 * 1000, NEWS_MAX_BYTES = 2048 };

static void on_output(void *owner, const uint8_t *bytes, size_t len)
{
    struct session *session = owner;

    if (session->dtls && dtls_write(session->dtls, bytes, len) < 0)
        return; /* as a lost packet: the association sends it again, or ends */
}

static void on_open(void *owner)
{
    struct session *session = owner;

    session->is_data_open = true;
}

static void on_over(void *owner)
{
    struct session *session = owner;

    session->is_data_open = false; /* pictures go on without it */
}

static const struct sctp_handler handler = {
    .on_output = on_output,
    .on_open = on_open,
    .on_over = on_over,
};

void channel_open(struct session *session, uint16_t port)
{
    int err = sctp_open(&session->sctp, session->instance->env->loop, port, &handler, session);

    if (err < 0)
        LOG(LOG_WARN, "viewer", session->admission.viewer_id, "no-data-channel", KV_ERR(err));
}

static void write_news(struct session *session, struct writer *text)
{
    const struct view *view = session->admission.view;
    const struct estimate *estimate = &session->estimate;
    const struct track *video =
        session->video.is_used ? &session->tracks->track[session->video.track] : NULL;

    writer_printf(text, "{\"stream\":\"%s\",\"wall_us\":%lld", view->is_live ? "live" : "away",
                  (long long)clock_wall_us());
    if (video)
        writer_printf(text, ",\"codec\":\"%s\",\"width\":%u,\"height\":%u",
                      codec_name(video->codec), video->width, video->height);
    session->instance->env->describe(session->instance->env, view->slug, text);
    writer_printf(text, ",\"estimate_bps\":%u,\"loss_permille\":%u,\"jitter_us\":%u",
                  estimate->has_feedback ? estimate->bps : 0, estimate->loss_permille,
                  session->numbers.jitter_us);
    if (session->numbers.round_trip_us >= 0)
        writer_printf(text, ",\"round_trip_us\":%lld", (long long)session->numbers.round_trip_us);
    writer_printf(text, ",\"retransmitted\":%llu,\"skipped_groups\":%llu}",
                  (unsigned long long)session->numbers.retransmitted,
                  (unsigned long long)session->numbers.skipped_groups);
}

void channel_tick(struct session *session)
{
    int64_t now_us = loop_now_us(session->instance->env->loop);
    struct writer text;

    if (!session->is_data_open || now_us - session->news_us < NEWS_US)
        return;
    session->news_us = now_us;
    writer_init(&text, NEWS_MAX_BYTES);
    write_news(session, &text);
    /* A viewer that reads no news gets none: the next is fresher. */
    if (!text.err && sctp_send_text(session->sctp, (const char *)text.bytes, text.len) < 0)
        session->news_us = now_us;
    writer_fini(&text);
}
