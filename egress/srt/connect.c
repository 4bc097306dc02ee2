/* From being let in to being connected, on both ends. */
#include "egress/srt/libsrt.h" /* before base/log.h, see there */

#include "base/log.h"
#include "egress/srt/port.h"
#include "egress/srt/session.h"
#include "net/log_limit.h"

enum {
    POLL_US = 2 * 1000,       /* how often a caller is looked at while it connects */
    CONNECT_US = 5 * 1000000, /* from being let in to being connected */
    PROBE_US = 40 * 1000,     /* stuffing is sent as often, until some is acknowledged */
    PROBE_MAX_US = 3 * 1000000,
    PRIME_MAX_US = 200 * 1000,
    NEAR_US = 20 * 1000 /* acknowledged within this: libsrt does so every 10 ms */
};

/* libsrt refused it after all (a wrong passphrase), or it is gone. */
static void end_unconnected(struct session *session, const char *text)
{
    LOG_STRANGER(&session->admission.peer, LOG_INFO, "viewer", session->admission.viewer_id,
                 "not-connected", KV_S("text", text));
    srt_session_close(session);
}

/* Stuffing of MPEG-TS. As libsrt is told that it is out of date already, it sends none, but counts
 * it: a loss, of which the viewer hears when it asks for it. */
static void send_stuffing(const struct session *session, bool is_lost)
{
    static const char stuffing[188] = {0x47, 0x1f, (char)0xff, 0x10};
    SRT_MSGCTRL control = srt_msgctrl_default;

    if (is_lost) {
        control.srctime = srt_connection_time(session->socket);
        control.msgttl = 1;
    }
    (void)srt_sendmsg2(session->socket, stuffing, sizeof(stuffing), &control);
}

/* Behind a long line a loss is made: libsrt asks for its first loss again only after 300 ms, for
 * further ones after a round trip and a half. True once it has asked, or won't. */
static bool is_primed(struct session *session, const SRT_TRACEBSTATS *stats, int64_t age_us)
{
    if (session->primed_us == 0 && age_us > NEAR_US) {
        send_stuffing(session, true);
        send_stuffing(session, false);
        session->primed_us = age_us;
    }
    return session->primed_us == 0 || stats->pktRecvNAKTotal > 0 ||
           age_us - session->primed_us > PRIME_MAX_US;
}

/* The caller may not know yet that it is connected: our answer is on its way, or lost and asked for
 * again after 250 ms, and media that comes before it is thrown away. So stuffing goes first, until
 * some is acknowledged; and who acknowledges none gets nothing else. */
static void probe(struct session *session)
{
    int64_t age_us = loop_now_us(session->instance->env->loop) - session->since_us;
    SRT_TRACEBSTATS stats = {.pktRecvACKTotal = 0};

    if (srt_bstats(session->socket, &stats, 0) != 0 || age_us > PROBE_MAX_US) {
        end_unconnected(session, "It did not acknowledge what it was sent.");
        return;
    }
    if (stats.pktRecvACKTotal > 0 && is_primed(session, &stats, age_us)) {
        session->state = SESSION_WAITING;
        if (session->is_allowed)
            srt_send_start(session);
        return;
    }
    if (stats.pktRecvACKTotal == 0 && age_us >= session->probe_count * PROBE_US) {
        session->probe_count++;
        send_stuffing(session, false);
    }
    loop_timer_start(&session->poll, POLL_US);
}

/* In SESSION_CONNECTING and SESSION_LEAVING. libsrt tells of connections by a queue, whose order
 * means nothing to us: the socket is known. */
static void look_for_connection(struct session *session)
{
    int64_t now_us = loop_now_us(session->instance->env->loop);
    SRT_SOCKSTATUS status = srt_getsockstate(session->socket);
    bool is_connected = status == SRTS_CONNECTED;

    port_accept();
    if (status < SRTS_CONNECTED && now_us - session->since_us < CONNECT_US) {
        loop_timer_start(&session->poll, POLL_US);
        return;
    }
    if (session->state == SESSION_LEAVING) {
        srt_close(session->socket);
        srt_session_finish(session);
        return;
    }
    if (is_connected) {
        session->state = SESSION_PROBING;
        session->since_us = session->progress_us = now_us;
        probe(session);
    } else {
        end_unconnected(session, "Its passphrase is missing or wrong, or it left.");
    }
}

static void on_poll(struct loop_timer *timer)
{
    struct session *session = list_entry(timer, struct session, poll);

    if (session->state == SESSION_PROBING)
        probe(session);
    else
        look_for_connection(session);
}

void srt_connect_start(struct session *session)
{
    session->state = SESSION_CONNECTING;
    session->since_us = loop_now_us(session->instance->env->loop);
    loop_timer_start(&session->poll, POLL_US);
}

void srt_connect_init(struct session *session)
{
    loop_timer_init(&session->poll, session->instance->env->loop, on_poll);
}
