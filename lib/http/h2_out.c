#include <errno.h>
#include <string.h>

#include "http/h2_private.h"
#include "net/conn.h"

enum { GATHER_BYTES = 16 * 1024 };

/* ---- frames to the conn -----------------------------------------------------------------------
 */

/* 0 or the conn's error. */
static int flush_frames(struct h2 *h2)
{
    struct writer *frames = &h2->server->frames;
    int err = frames->err;

    if (!err && frames->len)
        err = conn_write_copy(h2->conn, frames->bytes, frames->len);
    writer_reset(frames);
    return err;
}

static bool is_full(const struct h2 *h2)
{
    return conn_backlog(h2->conn) + h2->server->frames.len >= OUTPUT_HIGH_BYTES;
}

static int write_frames(struct h2 *h2)
{
    struct writer *frames = &h2->server->frames;
    int err = 0;

    writer_reset(frames);
    while (!err && !is_full(h2)) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);

        if (len < 0)
            return len == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ERR_LIBRARY;
        if (len == 0)
            break;
        writer_put(frames, bytes, (size_t)len);
        if (frames->len >= GATHER_BYTES)
            err = flush_frames(h2);
    }
    return err ? err : flush_frames(h2);
}

void h2_flush(struct h2 *h2)
{
    int err;

    if (h2->is_closed || h2->is_receiving)
        return;
    if (h2->blame)
        nghttp2_session_terminate_session(h2->session, h2->blame);
    conn_cork(h2->conn);
    err = write_frames(h2);
    conn_uncork(h2->conn);
    if (err == -ERR_CLOSED)
        return; /* on_closed follows */
    if (err < 0) {
        conn_close(h2->conn);
        h2_end(h2);
        return;
    }
    if (nghttp2_session_want_read(h2->session) || nghttp2_session_want_write(h2->session))
        return;
    conn_close_flushed(h2->conn, h2->server->limits.write_stall_us);
    h2_end(h2);
}

void h2_flush_later(struct h2 *h2)
{
    if (h2->is_flush_due || h2->is_closed || h2->is_receiving)
        return;
    h2->is_flush_due = true;
    loop_defer(h2->server->loop, &h2->flush_task);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* How much of the body the next DATA frame takes; the bytes themselves go in send_body. */
static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *room, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_stream *stream = source->ptr;

    (void)session;
    (void)stream_id;
    (void)room;
    (void)user;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream->left <= len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)stream->left;
    }
    return (ssize_t)len;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
                     size_t len, nghttp2_data_source *source, void *user)
{
    struct h2_stream *stream = source->ptr;
    struct h2 *h2 = user;
    int err = 0;

    (void)session;
    (void)frame;
    if (is_full(h2))
        return NGHTTP2_ERR_WOULDBLOCK;
    writer_put(&h2->server->frames, frame_head, 9);
    if (len <= SMALL_BODY_BYTES) {
        writer_put(&h2->server->frames, stream->body->bytes + stream->offset, len);
    } else {
        err = flush_frames(h2);
        if (!err)
            err = conn_write(h2->conn, stream->body, stream->offset, len);
    }
    if (err)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    stream->offset += len;
    stream->left -= len;
    h2_guard_earn(&h2->guard);
    return 0;
}

/* nghttp2 takes pointers that are not const, but only reads. */
static nghttp2_nv pair_of(const char *name, const char *value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
    };
}

static void h2_send(struct http_request *request, const struct answer *answer)
{
    nghttp2_nv pairs[ANSWER_HEADERS_MAX + 1];
    struct h2_stream *stream = request->carried;
    struct h2 *h2 = stream->h2;
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    char status[8];
    int err;

    snprintf(status, sizeof(status), "%u", answer->status);
    pairs[0] = pair_of(":status", status);
    for (size_t i = 0; i < answer->count; i++)
        pairs[i + 1] = pair_of(answer->headers[i].name, answer->headers[i].value);
    stream->body = buf_ref(answer->body);
    stream->offset = answer->offset;
    stream->left = stream->mark_left = answer->len;
    stream->mark_us = loop_now_us(h2->server->loop);
    err = nghttp2_submit_response(h2->session, stream->id, pairs, answer->count + 1,
                                  answer->body ? &body : NULL);
    if (err)
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                  NGHTTP2_INTERNAL_ERROR);
    h2_guard_earn(&h2->guard);
    h2_flush_later(h2);
}

const struct carrier h2_carrier = {.is_h2 = true, .send = h2_send};

/* ---- what nghttp2 tells about output ----------------------------------------------------------
 */

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    struct h2_stream *stream;

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
            !h2_guard_bad(&h2->guard, loop_now_us(h2->server->loop)))
            h2->blame = NGHTTP2_ENHANCE_YOUR_CALM;
        return 0;
    }
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    /* Answered before the request was whole: the rest is not wanted (RFC 9113 section 8.1). */
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream && !stream->is_whole)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
}

void h2_out_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

/* ---- peers that take nothing ------------------------------------------------------------------
 */

void h2_check_stalls(struct h2 *h2, int64_t now_us)
{
    list_for_each (link, after, &h2->streams) {
        struct h2_stream *stream = list_entry(link, struct h2_stream, on_h2);

        if (!stream->left || stream->mark_left - stream->left >= STALL_LEAST_BYTES) {
            stream->mark_left = stream->left;
            stream->mark_us = now_us;
        } else if (now_us - stream->mark_us >= h2->server->limits.write_stall_us) {
            stream->mark_us = now_us;
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
            h2_flush_later(h2);
        }
    }
}
