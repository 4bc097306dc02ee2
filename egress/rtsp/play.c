/* From the shared RTP feed to one viewer: over TCP whole packets by reference, over UDP one
 * system call a frame. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "egress/rtsp/session.h"
#include "egress/rtsp/udp.h"

enum {
    BACKLOG_HIGH_BYTES = 1024 * 1024, /* no more is queued for a viewer that does not read */
    STALL_US = 10 * 1000000,          /* one that takes nothing for so long is cut off */
    PATIENCE_US = 60 * 1000 /* audio waits so long for a picture to go with, in one write */
};

static bool is_same_format(const struct tracks *a, const struct tracks *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->track[i].codec != b->track[i].codec ||
            a->track[i].clock_rate != b->track[i].clock_rate ||
            a->track[i].channels != b->track[i].channels)
            return false;
    return true;
}

/* The viewer asked for other channels than the shared framing has: each packet gets a header
 * of its own. */
static int send_framed(struct session *session, const struct session_track *track,
                       struct packet *packet)
{
    int err = 0;

    for (unsigned i = 0; i < packet->span_count && err == 0; i++) {
        const struct rtp_span *span = &packet->span[i];
        uint8_t head[4] = {'$', track->channel, (uint8_t)(span->len >> 8), (uint8_t)span->len};

        err = conn_write_copy(session->conn, head, sizeof(head));
        if (err == 0)
            err = conn_write(session->conn, packet->buf, span->offset, span->len);
    }
    return err;
}

static int send_tcp(struct session *session, const struct session_track *track,
                    struct packet *packet)
{
    session->admission.out_bytes += packet->buf->len;
    if (session->is_shared)
        return conn_write(session->conn, packet->buf, 0, packet->buf->len);
    return send_framed(session, track, packet);
}

static int send_packet(struct session *session, struct packet *packet)
{
    struct session_track *track = &session->track[packet->track];
    bool is_first = !track->has_report;
    int err = 0;

    if (track->transport == TRANSPORT_NONE)
        return 0;
    if (track->transport == TRANSPORT_UDP && !track->is_proven)
        return 0; /* until the viewer's own packet proves its address */
    track->rtp_time = packet->rtp_time;
    track->wall_us = packet->wall_us;
    track->packet_count += packet->span_count;
    track->octet_count += (uint32_t)packet->buf->len;
    if (is_first && packet->span_count) {
        const uint8_t *head = packet->buf->bytes + packet->span[0].offset;

        track->ssrc = bytes_u32(head + 8);
        track->has_report = true;
        report_send(session, packet->track);
    }
    if (track->transport == TRANSPORT_UDP)
        session->admission.out_bytes += udp_send(session->instance->udp, &track->rtp, packet);
    else
        err = send_tcp(session, track, packet);
    return err;
}

static bool tracks_still_fit(struct session *session, struct packet *packet)
{
    if (packet->tracks == session->tracks)
        return true;
    if (!is_same_format(packet->tracks, session->tracks))
        return false;
    tracks_unref(session->tracks);
    session->tracks = tracks_ref(packet->tracks);
    return true;
}

static void pump(struct session *session)
{
    struct packet *packet;
    int err = 0;

    conn_cork(session->conn);
    while (conn_backlog(session->conn) < BACKLOG_HIGH_BYTES &&
           (packet = cursor_next(&session->cursor))) {
        if (!tracks_still_fit(session, packet)) {
            LOG(LOG_INFO, "viewer", session->admission.viewer_id, "format-changed");
            session_close_flushed(session);
            return;
        }
        err = send_packet(session, packet);
        if (err < 0)
            break;
    }
    if (err < 0) {
        session_close(session);
        return;
    }
    if (conn_backlog(session->conn) >= BACKLOG_HIGH_BYTES) {
        session->is_stuffed = true;
        loop_timer_start(&session->stall, STALL_US);
    }
    conn_uncork(session->conn);
}

static struct session *session_of(struct cursor *cursor)
{
    return list_entry(cursor, struct session, cursor);
}

static void on_ready(struct cursor *cursor)
{
    struct session *session = session_of(cursor);

    if (!session->is_stuffed)
        pump(session);
}

static void on_end(struct cursor *cursor)
{
    session_close_flushed(session_of(cursor));
}

static void on_stall_over(struct loop_timer *timer)
{
    struct session *session = list_entry(timer, struct session, stall);

    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "too-slow",
        KV_I("skipped", session->cursor.skipped));
    session_close(session);
}

void play_init(struct session *session)
{
    session->cursor.on_ready = on_ready;
    session->cursor.on_end = on_end;
    loop_timer_init(&session->stall, session->instance->env->loop, on_stall_over);
}

/* Whole packets can go as they are when the viewer takes each track on the channel that the
 * packager wrote into it, and leaves none out. */
static bool can_share(const struct session *session)
{
    for (unsigned i = 0; i < session->tracks->count; i++) {
        if (session->tracks->track[i].codec == CODEC_NONE)
            continue; /* it sends nothing */
        if (session->track[i].transport != TRANSPORT_TCP || session->track[i].channel != 2 * i)
            return false;
    }
    return true;
}

static bool takes_video(const struct session *session)
{
    int video = tracks_find_video(session->tracks);

    return video >= 0 && session->track[video].transport != TRANSPORT_NONE;
}

/* Over UDP nothing is sent, so nothing is begun, before the picture's address is proven: else
 * the current group would be lost. */
static bool may_send(const struct session *session)
{
    int video = tracks_find_video(session->tracks);
    const struct session_track *first = &session->track[session->has_video ? video : 0];

    return first->transport != TRANSPORT_UDP || first->is_proven;
}

int play_start(struct session *session)
{
    struct feed *feed;

    if (session->cursor.feed)
        return 0;
    if (!session->has_feed && !view_feed_use(session->admission.view, PACKET_RTP))
        return -ERR_NOT_READY;
    session->has_feed = true;
    feed = session->admission.view->feeds[PACKET_RTP].feed;
    session->has_video = takes_video(session);
    session->is_shared = can_share(session);
    session->cursor.patience_us = session->has_video ? PATIENCE_US : 0;
    if (may_send(session))
        cursor_attach(&session->cursor, feed);
    return 0; /* else with the packet that proves its address */
}

void play_stop(struct session *session)
{
    cursor_detach(&session->cursor);
    loop_timer_stop(&session->stall);
    session->is_stuffed = false;
}

void play_resume(struct session *session)
{
    if (!session->is_stuffed)
        return;
    session->is_stuffed = false;
    loop_timer_stop(&session->stall);
    if (session->cursor.feed)
        pump(session);
}

void play_fini(struct session *session)
{
    cursor_detach(&session->cursor);
    loop_timer_stop(&session->stall);
    if (session->has_feed && session->admission.view)
        view_feed_leave(session->admission.view, PACKET_RTP);
    session->has_feed = false;
}
