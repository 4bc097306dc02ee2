/* What a viewer asked for, as soon as it is there. */
#include "base/list.h"
#include "egress/hls/playlist.h"
#include "egress/hls/session.h"
#include "http/gzip.h"
#include "http/http.h"

enum { WAIT_TARGETS = 3, FAR_SEGMENTS = 2 };

enum readiness { READY, NOT_YET, NEVER };

static const struct http_header playlist_headers[] = {
    {"content-type", "application/vnd.apple.mpegurl"},
    {"cache-control", "no-cache"},
    {"content-encoding", "identity"},
    {NULL, NULL},
};
static const struct http_header packed_headers[] = {
    {"content-type", "application/vnd.apple.mpegurl"},
    {"cache-control", "no-cache"},
    {"content-encoding", "gzip"},
    {"vary", "accept-encoding"},
    {NULL, NULL},
};
/* A name never means other bytes, and the path is the viewer's own. */
static const struct http_header media_headers[] = {
    {"content-type", "video/mp4"},
    {"cache-control", "private, max-age=60, immutable"},
    {NULL, NULL},
};

static const struct http_header ts_headers[] = {
    {"content-type", "video/mp2t"},
    {"cache-control", "private, max-age=60, immutable"},
    {NULL, NULL},
};

static void send_media(struct hls_session *session, struct http_request *request, struct buf *body)
{
    session_count(session, body->len);
    http_respond(request, 200, session->kind == PACKET_CMAF ? media_headers : ts_headers, body);
}

/* The text is made once for all viewers, by the first who asks after a change. */
static struct cached_playlist *render(struct hls_feed *feed, bool is_delta)
{
    struct cached_playlist *playlist = is_delta ? &feed->delta : &feed->full;
    struct writer text;

    if (playlist->plain && playlist->version == feed->window.version)
        return playlist;
    buf_unref(playlist->plain);
    buf_unref(playlist->packed);
    *playlist = (struct cached_playlist){.version = feed->window.version};
    writer_init(&text, PLAYLIST_MAX_BYTES);
    if (feed->kind == PACKET_CMAF)
        playlist_write_media(&text, &feed->window, is_delta);
    else
        playlist_write_ts(&text, &feed->window);
    if (writer_to_buf(&text, &playlist->plain) < 0)
        playlist->plain = NULL;
    writer_fini(&text);
    return playlist->plain ? playlist : NULL;
}

static void send_playlist(struct hls_session *session, struct http_request *request, bool is_delta)
{
    struct hls_feed *feed = session->feed;
    struct cached_playlist *playlist = render(feed, is_delta);
    bool is_packed = http_accepts_gzip(request);
    struct buf *body;

    if (!playlist) {
        http_respond_problem(request, 503, "memory", "The server is out of memory.", 1);
        return;
    }
    if (is_packed && !playlist->packed &&
        gzip_compress(feed->instance->gzip, playlist->plain, &playlist->packed) < 0)
        playlist->packed = NULL; /* not worth it */
    is_packed = is_packed && playlist->packed;
    body = is_packed ? playlist->packed : playlist->plain;
    session_count(session, body->len);
    http_respond(request, 200, is_packed ? packed_headers : playlist_headers, body);
}

static void refuse_missing(struct http_request *request)
{
    http_respond_problem(request, 404, "gone", "This part of the stream is not kept any more.", 0);
}

static void send_wish(struct hls_session *session, struct http_request *request,
                      const struct hls_request *wish, bool is_delta)
{
    struct window *window = &session->feed->window;
    struct window_segment *segment = window_find(window, wish->segment);
    struct packet *init;

    switch (wish->file) {
    case HLS_MEDIA_PLAYLIST:
        send_playlist(session, request, is_delta);
        return;
    case HLS_INIT:
        init = window_find_init(window, (uint32_t)wish->segment);
        if (init)
            send_media(session, request, init->buf);
        else
            refuse_missing(request);
        return;
    case HLS_SEGMENT:
        if (segment && wish->is_ts == (session->kind != PACKET_CMAF) && segment->is_complete &&
            !segment->is_gap && window_whole(segment))
            send_media(session, request, segment->whole);
        else
            refuse_missing(request);
        return;
    case HLS_PART:
        if (segment && session->kind == PACKET_CMAF && wish->part < segment->part_count)
            send_media(session, request, segment->parts[wish->part]->buf);
        else
            refuse_missing(request);
        return;
    }
}

static enum readiness playlist_readiness(struct window *window,
                                         const struct hls_directives *directives)
{
    const struct window_segment *newest = window_newest(window);

    if (!window_has_complete(window))
        return NOT_YET; /* old players take an empty playlist for the end */
    if (!directives->has_segment)
        return READY;
    if (directives->segment > newest->number + FAR_SEGMENTS)
        return NEVER;
    return window_has(window, directives->segment, directives->has_part, directives->part)
               ? READY
               : NOT_YET;
}

/* Only the part that the playlist hints at is waited for, and the rest of its segment. */
static enum readiness part_readiness(struct window *window, const struct hls_request *wish)
{
    const struct window_segment *newest = window_newest(window);
    struct window_segment *segment = window_find(window, wish->segment);

    if (!newest || segment)
        return segment && (segment->is_complete || wish->part < segment->part_count) ? READY
                                                                                     : NOT_YET;
    return wish->segment == newest->number + 1 && wish->part == 0 ? NOT_YET : READY;
}

/* A loop that has just begun to serve a stream hears of what others serve already within a moment.
 */
static enum readiness segment_readiness(struct window *window, const struct hls_request *wish)
{
    const struct window_segment *newest = window_newest(window);
    const struct window_segment *segment = window_find(window, wish->segment);

    if (!newest || (segment && !segment->is_complete))
        return NOT_YET;
    return wish->segment > newest->number && wish->segment - newest->number < WINDOW_SLOTS ? NOT_YET
                                                                                           : READY;
}

static enum readiness readiness(struct hls_feed *feed, const struct hls_request *wish,
                                const struct hls_directives *directives)
{
    switch (wish->file) {
    case HLS_MEDIA_PLAYLIST:
        return playlist_readiness(&feed->window, directives);
    case HLS_PART:
        return part_readiness(&feed->window, wish);
    case HLS_INIT:
        return feed->window.count || window_find_init(&feed->window, (uint32_t)wish->segment)
                   ? READY
                   : NOT_YET;
    case HLS_SEGMENT:
        return segment_readiness(&feed->window, wish);
    }
    return READY;
}

static void waiter_free(struct hls_waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->request = NULL;
}

static void on_gone(void *owner)
{
    waiter_free(owner);
}

void waiter_drop(struct hls_waiter *waiter, unsigned status)
{
    struct http_request *request = waiter->request;

    if (!request)
        return;
    waiter_free(waiter);
    if (status == 503)
        http_respond_problem(request, 503, "late", "The camera has sent nothing new in time.", 2);
    else
        http_respond_problem(request, status, "ended", "This viewer's session has ended.", 0);
}

static void wait_for(struct hls_session *session, struct http_request *request,
                     const struct hls_request *wish, const struct hls_directives *directives)
{
    for (unsigned i = 0; i < SESSION_WAITERS; i++) {
        struct hls_waiter *waiter = &session->waiters[i];

        if (waiter->request)
            continue;
        waiter->request = request;
        waiter->wish = *wish;
        waiter->directives = *directives;
        waiter->since_us = loop_now_us(session->instance->env->loop);
        list_append(&session->feed->waiters, &waiter->link);
        http_on_gone(request, on_gone, waiter);
        return;
    }
    http_respond_problem(request, 429, "waiting", "This viewer waits for enough already.", 1);
}

void answer_request(struct hls_session *session, struct http_request *request,
                    const struct hls_request *wish)
{
    struct hls_directives directives;

    session->used_us = loop_now_us(session->instance->env->loop);
    if (hls_directives_parse(&directives, http_query(request)) < 0) {
        http_respond_problem(request, 400, "directive",
                             "_HLS_msn and _HLS_part are numbers, and a part needs its segment.",
                             0);
        return;
    }
    if (!feed_use_by(session)) {
        http_respond_problem(request, 503, "away", "The stream can't be had now.", 2);
        return;
    }
    switch (readiness(session->feed, wish, &directives)) {
    case READY:
        send_wish(session, request, wish, directives.is_delta);
        return;
    case NOT_YET:
        wait_for(session, request, wish, &directives);
        return;
    case NEVER:
        http_respond_problem(request, 400, "future", "That segment is too far in the future.", 0);
        return;
    }
}

void answer_waiters(struct hls_feed *feed)
{
    struct list waiting;

    /* An answer may free waiters, and new ones may come: walk a list of our own. */
    list_move(&waiting, &feed->waiters);
    while (!list_is_empty(&waiting)) {
        struct hls_waiter *waiter = list_entry(waiting.next, struct hls_waiter, link);
        struct http_request *request = waiter->request;

        list_remove(&waiter->link);
        if (readiness(feed, &waiter->wish, &waiter->directives) == NOT_YET) {
            list_append(&feed->waiters, &waiter->link);
            continue;
        }
        waiter->request = NULL;
        send_wish(waiter->session, request, &waiter->wish, waiter->directives.is_delta);
    }
}

void answer_overdue(struct hls_feed *feed)
{
    int64_t limit_us =
        loop_now_us(feed->instance->env->loop) - WAIT_TARGETS * feed->window.segment_target_us;

    while (!list_is_empty(&feed->waiters)) {
        struct hls_waiter *waiter = list_entry(feed->waiters.next, struct hls_waiter, link);

        if (waiter->since_us > limit_us)
            return;
        waiter_drop(waiter, 503);
    }
}
