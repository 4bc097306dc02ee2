#include "egress/srt/session.h"

#include "egress/srt/libsrt.h" /* before base/log.h, see there */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "egress/srt/gate.h"
#include "egress/srt/port.h"
#include "egress/srt/srt.h"

enum {
    POLL_US = 2 * 1000,       /* how often a caller is looked at while it connects */
    CONNECT_US = 5 * 1000000, /* from being let in to being connected */
    STALL_US = 10 * 1000000,  /* nothing acknowledged although there is something to */
    AWAY_US = 60 * 1000000    /* a viewer is held so long while its stream is away */
};

static void session_free(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, gone);

    explicit_bzero(&session->request, sizeof(session->request));
    free(session);
}

static void finish(struct session *session)
{
    loop_timer_stop(&session->poll);
    session->state = SESSION_CLOSED;
    list_remove(&session->link);
    session->instance->session_count--;
    session->gone.run = session_free;
    loop_defer(session->instance->env->loop, &session->gone);
}

static void log_statistics(const struct session *session)
{
    SRT_TRACEBSTATS stats;

    if (srt_bstats(session->socket, &stats, 0) != 0)
        return;
    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "srt-statistics",
        KV_I("sent", stats.pktSentTotal), KV_I("retransmitted", stats.pktRetransTotal),
        KV_I("dropped", stats.pktSndDropTotal), KV_I("rtt_ms", (int64_t)stats.msRTT),
        KV_I("skipped", (int64_t)session->cursor.skipped));
}

/* False: too late, the caller was refused meanwhile. */
static bool answer(struct session *session, enum srt_code code)
{
    bool is_heard = question_answer(session->question, code);

    question_unref(session->question);
    session->question = NULL;
    return is_heard;
}

/* Gives back all that is not libsrt's. */
static void leave(struct session *session)
{
    if (session->question)
        (void)answer(session, SRT_CODE_OVERLOAD);
    cursor_detach(&session->cursor);
    if (session->feed)
        view_feed_leave(session->admission.view, PACKET_TS);
    session->feed = NULL;
    view_watch_stop(&session->watch);
    loop_timer_stop(&session->away);
    session->instance->env->leave(session->instance->env, &session->admission);
}

/* libsrt must not be told to close what its own thread is still setting up. */
void srt_session_close(struct session *session)
{
    enum session_state state = session->state;

    if (state == SESSION_CLOSED || state == SESSION_LEAVING)
        return;
    if (state == SESSION_PLAYING)
        log_statistics(session);
    leave(session);
    session->state = SESSION_LEAVING;
    if (state == SESSION_CONNECTING)
        return;
    if (state != SESSION_ASKING)
        srt_close(session->socket);
    finish(session);
}

void srt_session_abort(struct session *session)
{
    srt_session_close(session);
    if (session->state != SESSION_LEAVING)
        return;
    srt_close(session->socket);
    finish(session);
}

/* When the turn began in which the frame came: what this loop spent on other viewers since is no
 * part of the viewer's latency. libsrt refuses times before its connection. */
static int64_t source_time_us(const struct session *session)
{
    const struct loop *loop = session->instance->env->loop;
    int64_t at_us = srt_time_now() - (clock_mono_us() - loop_now_us(loop));

    return at_us > session->began_us ? at_us : session->began_us;
}

/* 0, or what libsrt says: SRT_EASYNCSND when its buffer for this viewer is full. */
static int send_packet(struct session *session, const struct buf *buf, int64_t at_us)
{
    for (size_t at = 0; at < buf->len; at += MESSAGE_BYTES) {
        size_t left = buf->len - at;
        int len = left < MESSAGE_BYTES ? (int)left : MESSAGE_BYTES;
        SRT_MSGCTRL control = srt_msgctrl_default;

        control.srctime = at_us;
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
    int64_t at_us = source_time_us(session);
    struct packet *packet;

    while ((packet = cursor_next(cursor))) {
        int err = send_packet(session, packet->buf, at_us);

        if (err == SRT_EASYNCSND) {
            cursor_skip_to_key(cursor);
        } else if (err) {
            srt_session_close(session);
            return;
        }
    }
}

static void on_end(struct cursor *cursor)
{
    srt_session_close(list_entry(cursor, struct session, cursor));
}

/* Callers may wish for more latency than the server has memory for. */
static bool is_latency_fine(const struct session *session)
{
    int64_t max_ms = option_int(session->instance->env->options, "srt-latency-max");
    int latency_ms = 0, len = sizeof(latency_ms);

    if (srt_getsockflag(session->socket, SRTO_PEERLATENCY, &latency_ms, &len) != 0)
        return false;
    if (latency_ms <= max_ms)
        return true;
    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "latency-refused",
        KV_I("wish_ms", latency_ms), KV_I("max_ms", max_ms));
    return false;
}

static void play(struct session *session)
{
    struct view *view = session->admission.view;

    session->state = SESSION_PLAYING;
    session->began_us = srt_connection_time(session->socket);
    session->progress_us = loop_now_us(session->instance->env->loop);
    session->feed = is_latency_fine(session) ? view_feed_use(view, PACKET_TS) : NULL;
    if (!session->feed) {
        srt_session_close(session);
        return;
    }
    view_watch_start(view, &session->watch);
    if (!view->is_live)
        loop_timer_start(&session->away, AWAY_US);
    cursor_attach(&session->cursor, session->feed);
}

/* In SESSION_CONNECTING and SESSION_LEAVING. libsrt tells of connections by a queue, whose order
 * means nothing to us: the socket is known. */
static void on_poll(struct loop_timer *timer)
{
    struct session *session = list_entry(timer, struct session, poll);
    int64_t now_us = loop_now_us(session->instance->env->loop);
    bool is_connected = srt_getsockstate(session->socket) == SRTS_CONNECTED;

    port_accept();
    if (!is_connected && now_us - session->since_us < CONNECT_US) {
        loop_timer_start(&session->poll, POLL_US);
        return;
    }
    if (session->state == SESSION_LEAVING) {
        srt_close(session->socket);
        finish(session);
        return;
    }
    session->state = SESSION_WAITING;
    if (!is_connected)
        srt_session_close(session);
    else if (session->is_allowed)
        play(session);
}

static void let_in(struct session *session)
{
    if (!answer(session, SRT_CODE_OK)) {
        srt_session_close(session);
        return;
    }
    session->state = SESSION_CONNECTING;
    session->since_us = loop_now_us(session->instance->env->loop);
    loop_timer_start(&session->poll, POLL_US);
}

/* Whether MPEG-TS can carry any of them. */
static bool has_track(const struct tracks *tracks)
{
    for (unsigned i = 0; tracks && i < tracks->count; i++)
        if (tracks->track[i].codec != CODEC_MJPEG && tracks->track[i].codec != CODEC_PCMU &&
            tracks->track[i].codec != CODEC_PCMA && tracks->track[i].codec != CODEC_L16)
            return true;
    return false;
}

/* The token is good: libsrt's thread needs to wait no longer, although the camera still starts. */
static void on_wait(struct admission *admission)
{
    let_in(list_entry(admission, struct session, admission));
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct session *session = list_entry(admission, struct session, admission);
    enum srt_code code = srt_code_of(verdict);

    if (code == SRT_CODE_OK && !has_track(admission->view->tracks))
        code = SRT_CODE_UNACCEPTABLE;
    session->is_allowed = code == SRT_CODE_OK;
    if (!session->is_allowed) {
        if (session->state == SESSION_ASKING)
            (void)answer(session, code);
        srt_session_close(session);
    } else if (session->state == SESSION_ASKING) {
        let_in(session);
    } else if (session->state == SESSION_WAITING) {
        play(session);
    }
}

static void on_revoked(struct admission *admission, const char *reason)
{
    (void)reason;
    srt_session_close(list_entry(admission, struct session, admission));
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

static struct session *session_new(struct egress_instance *instance, struct question *question)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->instance = instance;
    session->question = question;
    session->socket = question->socket;
    session->request = question->request;
    session->cursor = (struct cursor){.on_ready = on_ready, .on_end = on_end};
    session->watch.on_away = on_view_away;
    session->watch.on_live = on_view_live;
    list_init(&session->cursor.link);
    list_init(&session->watch.link);
    loop_timer_init(&session->poll, instance->env->loop, on_poll);
    loop_timer_init(&session->away, instance->env->loop, on_away_over);
    list_append(&instance->sessions, &session->link);
    instance->session_count++;
    return session;
}

void srt_session_ask(struct egress_instance *instance, struct question *question)
{
    struct session *session = session_new(instance, question);

    if (!session) {
        (void)question_answer(question, SRT_CODE_OVERLOAD);
        question_unref(question);
        return;
    }
    session->admission = (struct admission){.egress = &egress_srt,
                                            .slug = session->request.slug,
                                            .token = session->request.token,
                                            .peer = question->peer,
                                            .on_wait = on_wait,
                                            .on_verdict = on_verdict,
                                            .on_revoked = on_revoked};
    instance->env->admit(instance->env, &session->admission);
}

/* Whether a viewer has acknowledged nothing for too long of what it was sent. */
static bool is_stalled(struct session *session, int64_t now_us)
{
    SRT_TRACEBSTATS stats;

    if (srt_bstats(session->socket, &stats, 0) != 0)
        return true;
    if (stats.pktRecvACKTotal != session->acknowledgements || stats.pktSndBuf == 0)
        session->progress_us = now_us;
    session->acknowledgements = stats.pktRecvACKTotal;
    return now_us - session->progress_us > STALL_US;
}

/* libsrt finds out on its own threads that a viewer has gone; here it is seen. */
void srt_session_tick(struct egress_instance *instance)
{
    int64_t now_us = loop_now_us(instance->env->loop);

    list_for_each (link, after, &instance->sessions) {
        struct session *session = list_entry(link, struct session, link);
        bool is_on = session->state == SESSION_PLAYING || session->state == SESSION_WAITING;

        if (is_on &&
            (srt_getsockstate(session->socket) != SRTS_CONNECTED || is_stalled(session, now_us)))
            srt_session_close(session);
    }
}
