/* From the shared feed to one viewer: headers once, then whole packets by reference. */
#include <string.h>

#include "base/log.h"
#include "egress/rtmp/session.h"
#include "media/format/flv.h"

enum {
    BACKLOG_HIGH_BYTES = 1024 * 1024, /* no more is queued for a viewer that does not read */
    STALL_US = 10 * 1000000,          /* one that takes nothing for so long is cut off */
    PATIENCE_US = 60 * 1000,          /* audio waits so long for a picture to go with */
    BACK_MAX_MS = 10 * 1000,          /* time that goes back further is another timeline */
    METADATA_MAX_BYTES = 4096
};

static const struct status needs_enhanced = {"NetStream.Play.Failed",
                                             "The camera sends H.265 (hvc1), which RTMP carries "
                                             "only to players with Enhanced RTMP. Use RTSP, "
                                             "HLS or SRT, or set the camera to H.264.",
                                             true};
static const struct status no_codec = {"NetStream.Play.Failed",
                                       "RTMP can't carry the camera's codec (JPEG, G.711 or L16). "
                                       "Use RTSP, or set the camera to H.264.",
                                       true};

static bool can_take(const struct session *session, const struct track *track)
{
    if (!flv_can_carry(track))
        return false;
    if (track->codec == CODEC_H265)
        return session->connect.takes_hevc;
    return track->codec != CODEC_OPUS || session->connect.takes_opus;
}

const struct status *rtmp_play_choose(struct session *session, const struct tracks *tracks)
{
    int video = tracks_find_video(tracks);
    bool takes_any = false;

    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        session->takes[i] = i < tracks->count && can_take(session, &tracks->track[i]);
        takes_any |= session->takes[i];
    }
    if (takes_any && (video < 0 || session->takes[video]))
        return NULL;
    return video >= 0 && tracks->track[video].codec == CODEC_H265 ? &needs_enhanced : &no_codec;
}

static int send_metadata(struct session *session, const struct tracks *tracks)
{
    struct writer out;
    int err;

    writer_init(&out, METADATA_MAX_BYTES);
    wire_write_metadata(&out, tracks, session->takes);
    err = out.err ? out.err : conn_write_copy(session->conn, out.bytes, out.len);
    writer_fini(&out);
    return err;
}

static int send_headers(struct session *session, struct packet *headers)
{
    int err = send_metadata(session, headers->tracks);

    for (unsigned i = 0; i < headers->span_count && err == 0; i++) {
        if (!session->takes[i] || !headers->span[i].len)
            continue;
        session->admission.out_bytes += headers->span[i].len;
        err =
            conn_write(session->conn, headers->buf, headers->span[i].offset, headers->span[i].len);
    }
    return err;
}

static bool is_same_format(const struct tracks *a, const struct tracks *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->track[i].codec != b->track[i].codec)
            return false;
    return true;
}

/* The headers that packet goes with: before the viewer's first, and when tracks changed. 0, or an
 * error: -ERR_NOT_READY when they aren't there and a later key frame must do, -ERR_UNSUPPORTED when
 * the viewer must begin anew. */
static int follow_tracks(struct session *session, struct packet *packet)
{
    struct packet *headers = packet->is_init ? packet : feed_headers(session->cursor.feed);

    if (packet->tracks == session->tracks)
        return 0;
    if (!headers || headers->tracks != packet->tracks)
        return -ERR_NOT_READY;
    if (session->tracks && !is_same_format(session->tracks, packet->tracks))
        return -ERR_UNSUPPORTED;
    if (rtmp_play_choose(session, packet->tracks))
        return -ERR_UNSUPPORTED;
    tracks_unref(session->tracks);
    session->tracks = tracks_ref(packet->tracks);
    return send_headers(session, headers);
}

/* A restarted agent may count from somewhere else: players would wait for the time to come. */
static bool goes_back(const struct session *session, const struct packet *packet)
{
    return (int32_t)(packet->rtp_time - session->last_ms) < -BACK_MAX_MS && session->last_ms;
}

static int send_packet(struct session *session, struct packet *packet)
{
    int err = follow_tracks(session, packet);

    if (err == -ERR_NOT_READY) {
        session->cursor.needs_key = true;
        return 0;
    }
    if (err < 0 || packet->is_init || !session->takes[packet->track])
        return err;
    if (goes_back(session, packet))
        return -ERR_UNSUPPORTED;
    session->last_ms = packet->rtp_time;
    session->admission.out_bytes += packet->buf->len;
    return conn_write(session->conn, packet->buf, 0, packet->buf->len);
}

static void end(struct session *session, int err)
{
    static const struct status changed = {"NetStream.Play.UnpublishNotify",
                                          "The camera's stream has changed: play it again.", false};

    if (err == -ERR_UNSUPPORTED) {
        LOG(LOG_INFO, "viewer", session->admission.viewer_id, "format-changed");
        rtmp_session_close_saying(session, &changed);
        return;
    }
    rtmp_session_close(session);
}

static void pump(struct session *session)
{
    struct packet *packet;
    int err = 0;

    conn_cork(session->conn);
    while (err == 0 && conn_backlog(session->conn) < BACKLOG_HIGH_BYTES &&
           (packet = cursor_next(&session->cursor)))
        err = send_packet(session, packet);
    if (err < 0) {
        end(session, err);
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
    static const struct status ended = {"NetStream.Play.UnpublishNotify", "The stream has ended.",
                                        false};

    rtmp_session_close_saying(session_of(cursor), &ended);
}

static void on_stall_over(struct loop_timer *timer)
{
    struct session *session = list_entry(timer, struct session, stall);

    LOG(LOG_INFO, "viewer", session->admission.viewer_id, "too-slow",
        KV_I("skipped", session->cursor.skipped));
    rtmp_session_close(session);
}

void rtmp_play_init(struct session *session)
{
    session->cursor.on_ready = on_ready;
    session->cursor.on_end = on_end;
    loop_timer_init(&session->stall, session->instance->env->loop, on_stall_over);
}

int rtmp_play_start(struct session *session)
{
    struct view *view = session->admission.view;
    bool has_video = false;

    if (session->cursor.feed)
        return 0;
    if (!session->has_feed && !view_feed_use(view, PACKET_FLV))
        return -ERR_NOT_READY;
    session->has_feed = true;
    for (unsigned i = 0; i < view->tracks->count; i++)
        has_video |= session->takes[i] && codec_is_video(view->tracks->track[i].codec);
    session->cursor.patience_us = has_video ? PATIENCE_US : 0;
    cursor_attach(&session->cursor, view->feeds[PACKET_FLV].feed);
    return 0;
}

void rtmp_play_stop(struct session *session)
{
    cursor_detach(&session->cursor);
    loop_timer_stop(&session->stall);
    session->is_stuffed = false;
}

void rtmp_play_resume(struct session *session)
{
    if (!session->is_stuffed)
        return;
    session->is_stuffed = false;
    loop_timer_stop(&session->stall);
    if (session->cursor.feed)
        pump(session);
}

void rtmp_play_fini(struct session *session)
{
    rtmp_play_stop(session);
    if (session->has_feed && session->admission.view)
        view_feed_leave(session->admission.view, PACKET_FLV);
    session->has_feed = false;
}
