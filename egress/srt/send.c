/* What a viewer is sent, and when; and what libsrt says became of it. */
#include "egress/srt/libsrt.h" /* before base/log.h, see there */

#include "base/clock.h"
#include "base/log.h"
#include "egress/srt/session.h"

enum {
    EARLY_SHARE = 40, /* of the latency: 3 ms of 120 */
    START_MAX_US = 2 * 1000000,
    FIGURES_US = 10 * 1000000, /* how often they are logged */
    AWAY_US = 60 * 1000000     /* a viewer is held so long while its stream is away */
};

/* What frames are stamped with: when the turn began in which they came, less what they spent on
 * their way through agent and server. So that is part of the latency agreed on, and not added to
 * it. */
static int64_t source_us(const struct session *session)
{
    const struct loop *loop = session->instance->env->loop;
    int64_t turn_us = srt_time_now() - (clock_mono_us() - loop_now_us(loop));
    int64_t at_us = turn_us - session->early_us;

    return at_us > session->opened_us ? at_us : session->opened_us; /* libsrt takes none before */
}

static void end_start(struct session *session)
{
    int64_t unlimited = -1;

    session->is_starting = false;
    (void)srt_setsockflag(session->socket, SRTO_MAXBW, &unlimited, sizeof(unlimited));
}

/* The time to stamp so many bytes with. What is there at the start is sent at START_BYTES_PER_S and
 * stamped as it is sent: all at once it would overrun buffers, and be too late behind a thin line.
 */
static int64_t stamp_us(struct session *session, int64_t at_us, size_t len)
{
    int64_t stamp = session->next_us;

    if (session->is_starting && (at_us > stamp || stamp > at_us + START_MAX_US))
        end_start(session);
    if (!session->is_starting)
        return at_us;
    session->next_us += (int64_t)len * 1000000 / START_BYTES_PER_S;
    return stamp;
}

/* 0, or what libsrt says: SRT_EASYNCSND when its buffer for this viewer is full. */
static int send_packet(struct session *session, const struct buf *buf, int64_t at_us)
{
    int64_t stamp = stamp_us(session, at_us, buf->len);

    for (size_t at = 0; at < buf->len; at += MESSAGE_BYTES) {
        size_t left = buf->len - at;
        int len = left < MESSAGE_BYTES ? (int)left : MESSAGE_BYTES;
        SRT_MSGCTRL control = srt_msgctrl_default;

        control.srctime = stamp;
        if (srt_sendmsg2(session->socket, (const char *)buf->bytes + at, len, &control) < 0)
            return srt_getlasterror(NULL);
        session->admission.out_bytes += (unsigned)len;
    }
    return 0;
}

/* libsrt drops by itself what is too late; what does not even fit is given up to the newest key
 * frame, so a slow viewer costs the others nothing. */
static void on_ready(struct cursor *cursor)
{
    struct session *session = list_entry(cursor, struct session, cursor);
    int64_t at_us = source_us(session);
    struct packet *packet;

    while ((packet = cursor_next(cursor))) {
        int err = send_packet(session, packet->buf, at_us);

        if (err == SRT_EASYNCSND) {
            cursor_skip_to_key(cursor);
        } else if (err) {
            if (err != SRT_ECONNLOST && err != SRT_EINVSOCK && err != SRT_ENOCONN) /* just gone */
                LOG(LOG_WARN, "viewer", session->admission.viewer_id, "srt-failed",
                    KV_S("text", srt_strerror(err, 0)));
            srt_session_close(session);
            return;
        }
    }
}

static void on_end(struct cursor *cursor)
{
    srt_session_close(list_entry(cursor, struct session, cursor));
}

static void on_away_over(struct loop_timer *timer)
{
    srt_session_close(list_entry(timer, struct session, away));
}

static void on_view_away(struct view_watch *watch)
{
    loop_timer_start(&list_entry(watch, struct session, watch)->away, AWAY_US);
}

static void on_view_live(struct view_watch *watch)
{
    loop_timer_stop(&list_entry(watch, struct session, watch)->away);
}

void srt_send_init(struct session *session)
{
    session->cursor = (struct cursor){.on_ready = on_ready, .on_end = on_end};
    session->watch.on_away = on_view_away;
    session->watch.on_live = on_view_live;
    list_init(&session->cursor.link);
    list_init(&session->watch.link);
    loop_timer_init(&session->away, session->instance->env->loop, on_away_over);
}

/* The latency agreed on; -1 where a caller wishes for more than the server has memory for. */
static int agreed_latency_ms(const struct session *session)
{
    int64_t max_ms = option_int(session->instance->env->options, "srt-latency-max");
    int latency_ms = 0, len = sizeof(latency_ms);

    if (srt_getsockflag(session->socket, SRTO_PEERLATENCY, &latency_ms, &len) != 0)
        return -1;
    if (latency_ms <= max_ms)
        return latency_ms;
    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "latency-refused",
        KV_I("wish_ms", latency_ms), KV_I("max_ms", max_ms));
    return -1;
}

void srt_send_start(struct session *session)
{
    struct view *view = session->admission.view;
    int latency_ms = agreed_latency_ms(session);

    session->state = SESSION_PLAYING;
    session->place = figures_enter(session->admission.viewer_id);
    session->is_starting = true;
    session->opened_us = srt_connection_time(session->socket);
    session->early_us = latency_ms * 1000 / EARLY_SHARE;
    session->next_us = srt_time_now() - session->early_us;
    session->feed = latency_ms >= 0 ? view_feed_use(view, PACKET_TS) : NULL;
    if (!session->feed) {
        srt_session_close(session);
        return;
    }
    view_watch_start(view, &session->watch);
    if (!view->is_live)
        loop_timer_start(&session->away, AWAY_US);
    cursor_attach(&session->cursor, session->feed);
}

void srt_figures_log(const struct session *session, enum log_level level)
{
    const struct figures *figures = &session->figures;

    LOG(level, "viewer", session->admission.viewer_id, "srt-statistics",
        KV_I("sent", figures->sent), KV_I("retransmitted", figures->retransmitted),
        KV_I("dropped", figures->dropped), KV_I("rtt_us", figures->rtt_us),
        KV_I("skipped", (int64_t)session->cursor.skipped));
}

/* What libsrt counts is gone with its connection: the newest is kept. */
void srt_figures_take(struct session *session, int64_t now_us)
{
    SRT_TRACEBSTATS stats;

    if (srt_bstats(session->socket, &stats, 0) != 0)
        return;
    if (stats.pktRecvACKTotal != session->acknowledgements || stats.pktSndBuf == 0)
        session->progress_us = now_us;
    session->acknowledgements = stats.pktRecvACKTotal;
    session->figures = (struct figures){.sent = stats.pktSentTotal,
                                        .retransmitted = stats.pktRetransTotal,
                                        .dropped = stats.pktSndDropTotal,
                                        .rtt_us = (int64_t)(stats.msRTT * 1000)};
    figures_show(session->place, &session->figures);
    if (now_us - session->figures_us < FIGURES_US)
        return;
    srt_figures_log(session, LOG_DEBUG);
    session->figures_us = now_us;
}
