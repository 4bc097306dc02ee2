#include "http/h2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/h2_private.h"
#include "http/router_private.h"
#include "http/target.h"
#include "net/conn.h"

enum {
    ROW_OVERHEAD = 32, /* of a header row, as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    TINY_DATA_BYTES = 64,
    CONTINUATIONS_MAX = 8,
    ACKS_MAX = 128,
    SETTINGS_MAX = 32,
    /* Of our own HPACK encoder: what is said with every answer fits. The client's table keeps the
     * default size: VLC never says that it took a smaller one (RFC 7541 4.2), an error of its own.
     */
    HEADER_TABLE_BYTES = 1024,
    BODIES_MAX_BYTES = 2 << 20 /* of all requests that are not answered yet */
};

/* ---- a stream's life --------------------------------------------------------------------------
 */

static void stream_end(struct h2_stream *stream)
{
    struct h2 *h2 = stream->h2;

    if (!stream->is_whole)
        h2_resets_add(&h2->resets, stream->id);
    list_remove(&stream->on_h2);
    h2->kept_bytes -= stream->kept_bytes;
    buf_unref(stream->body);
    stream->body = NULL;
    if (list_is_empty(&h2->streams))
        h2->deadline_us = loop_now_us(h2->server->loop) + h2->server->limits.idle_us;
    request_release(stream->request); /* the stream's memory goes with it, after the turn */
}

static struct h2_stream *stream_new(struct h2 *h2, int32_t id)
{
    struct http_request *request = request_new(h2->server, h2->conn, &h2_carrier, NULL);
    struct h2_stream *stream;

    if (!request)
        return NULL;
    stream = request_alloc(request, sizeof(*stream));
    if (!stream) {
        request_release(request);
        return NULL;
    }
    *stream = (struct h2_stream){
        .request = request,
        .h2 = h2,
        .id = id,
        .deadline_us = loop_now_us(h2->server->loop) + h2->server->limits.request_us,
    };
    request->carried = stream;
    list_append(&h2->streams, &stream->on_h2);
    h2->deadline_us = 0;
    return stream;
}

static struct h2_stream *stream_of(nghttp2_session *session, const nghttp2_frame *frame)
{
    return nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
}

static bool is_reading(const struct h2_stream *stream)
{
    return stream->request->state == REQUEST_READING;
}

/* ---- heads ------------------------------------------------------------------------------------
 */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_stream *stream;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = stream_new(user, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
}

static void keep_pseudo(struct h2_stream *stream, const char *name, char *value)
{
    if (strcmp(name, ":method") == 0)
        stream->request->method = request_method_of(value);
    else if (strcmp(name, ":path") == 0)
        stream->raw_path = value;
    else if (strcmp(name, ":authority") == 0)
        stream->request->authority = value;
    else if (strcmp(name, ":scheme") == 0)
        stream->scheme = value;
}

/* Crumbs of one cookie header become one again (RFC 9113 section 8.2.3). */
static int keep_cookie(struct h2_stream *stream, char *value)
{
    size_t old_len = stream->cookies ? strlen(stream->cookies) : 0, len = strlen(value);
    char *joined;

    if (!stream->cookies) {
        stream->cookies = value;
        return 0;
    }
    joined = request_alloc(stream->request, old_len + len + 3);
    if (!joined)
        return -ENOMEM;
    memcpy(joined, stream->cookies, old_len);
    memcpy(joined + old_len, "; ", 2);
    memcpy(joined + old_len + 2, value, len + 1);
    stream->cookies = joined;
    return 0;
}

static int keep_header(struct h2_stream *stream, const char *name, char *value)
{
    if (*name == ':') {
        keep_pseudo(stream, name, value);
        return 0;
    }
    if (strcmp(name, "cookie") == 0)
        return keep_cookie(stream, value);
    return request_add_header(stream->request, name, value);
}

/* The status to refuse a request with when it has one more row, or 0. */
static unsigned check_row(const struct h2_stream *stream, const uint8_t *name, size_t value_len)
{
    const struct http_limits *limits = &stream->h2->server->limits;

    if (value_len > limits->target_bytes && name[0] == ':' && name[1] == 'p')
        return 414;
    if (stream->header_bytes > limits->header_bytes + limits->target_bytes ||
        stream->request->header_count >= limits->header_count)
        return 431;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_stream *stream = stream_of(session, frame);
    char *name_text, *value_text;

    (void)flags;
    (void)user;
    if (!stream || stream->has_head || stream->status)
        return 0; /* trailers, and what comes after a refusal, are not kept */
    stream->header_bytes += name_len + value_len + ROW_OVERHEAD;
    stream->status = check_row(stream, name, value_len);
    if (stream->status)
        return 0;
    name_text = request_text(stream->request, (const char *)name, name_len);
    value_text = request_text(stream->request, (const char *)value, value_len);
    if (!name_text || !value_text || keep_header(stream, name_text, value_text) < 0)
        stream->status = 503;
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user)
{
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)user;
    /* nghttp2 would leave the row out; the RFC calls the request malformed (section 8.2.1). */
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                              NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* The target and the authority: 0, or a status. */
static unsigned check_target(struct h2_stream *stream)
{
    struct http_request *request = stream->request;
    const char *host = http_header(request, "host");
    struct target target;
    char *path;

    if (request->method == HTTP_OTHER)
        return 501;
    if (!*request->authority && host)
        request->authority = host;
    if (!target_is_authority(request->authority) ||
        (host && strcasecmp(host, request->authority) != 0))
        return 400;
    if (!stream->raw_path)
        return 400;
    path = request_text(request, stream->raw_path, strlen(stream->raw_path));
    if (!path)
        return 503;
    if ((*path != '/' && strcmp(path, "*") != 0) || target_parse(&target, path) < 0)
        return 400;
    request->path = target.path;
    request->query = target.query;
    return 0;
}

static uint64_t declared_length(const struct http_request *request)
{
    const char *text = http_header(request, "content-length");

    /* nghttp2 has checked that it is one number that fits. */
    return text ? strtoull(text, NULL, 10) : 0;
}

static void submit_continue(struct h2_stream *stream)
{
    static uint8_t name[] = ":status", value[] = "100";
    nghttp2_nv status = {.name = name, .value = value, .namelen = 7, .valuelen = 3};
    const char *expect = http_header(stream->request, "expect");

    if (!expect || strcasecmp(expect, "100-continue") != 0)
        return;
    /* Without memory the peer waits for it in vain, then sends its body all the same. */
    (void)nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &status,
                                 1, NULL);
}

static void take_head(struct h2_stream *stream)
{
    struct http_request *request = stream->request;
    char allow[ROUTER_ALLOW_MAX] = "";

    stream->has_head = true;
    if (!stream->status && stream->cookies &&
        request_add_header(request, "cookie", stream->cookies) < 0)
        stream->status = 503;
    if (!stream->status)
        stream->status = check_target(stream);
    if (!stream->status)
        stream->status = request_route(request, allow);
    if (!stream->status && !stream->is_whole &&
        declared_length(request) > request->route->body_limit)
        stream->status = 413;
    if (stream->status)
        request_refuse(request, stream->status, allow);
    else if (!stream->is_whole)
        submit_continue(stream);
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t len, void *user)
{
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, stream_id);
    struct h2 *h2 = user;
    int err;

    (void)flags;
    if (!stream || !stream->has_head || !is_reading(stream))
        return 0;
    err = h2->kept_bytes + len > BODIES_MAX_BYTES ? -ENOMEM
                                                  : request_add_body(stream->request, bytes, len);
    if (err < 0) {
        request_refuse(stream->request, err == -ENOMEM ? 503 : 413, NULL);
        return 0;
    }
    h2->kept_bytes += len;
    stream->kept_bytes += len;
    return 0;
}

/* ---- frames -----------------------------------------------------------------------------------
 */

/* Whether a frame asks for nothing, see h2_guard.h. */
static bool is_cheap(const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return false;
    case NGHTTP2_DATA:
        return frame->hd.length < TINY_DATA_BYTES && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    default:
        return true;
    }
}

/* 0, or what makes nghttp2 stop: then blame says why. */
static int judge_frame(struct h2 *h2, const nghttp2_frame *frame)
{
    int64_t now_us = loop_now_us(h2->server->loop);
    bool is_fine = true;

    if (h2->blame)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        is_fine = h2_guard_bad(&h2->guard, now_us);
    else if (is_cheap(frame))
        is_fine = h2_guard_cheap(&h2->guard, now_us);
    else if (frame->hd.type == NGHTTP2_DATA)
        h2_guard_earn(&h2->guard);
    if (is_fine)
        return 0;
    h2->blame = NGHTTP2_ENHANCE_YOUR_CALM;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void take_frame(struct h2_stream *stream, const nghttp2_frame *frame)
{
    bool is_head = frame->hd.type == NGHTTP2_HEADERS;

    if (!is_head && frame->hd.type != NGHTTP2_DATA)
        return;
    stream->is_whole = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (is_head && !stream->has_head)
        take_head(stream);
    if (stream->is_whole && is_reading(stream))
        request_dispatch(stream->request);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_stream *stream = stream_of(session, frame);
    struct h2 *h2 = user;

    if (frame->hd.type == NGHTTP2_SETTINGS && !h2->has_settings) {
        h2->has_settings = true;
        h2->deadline_us = loop_now_us(h2->server->loop) + h2->server->limits.idle_us;
    }
    if (stream)
        take_frame(stream, frame);
    return judge_frame(h2, frame);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct h2 *h2 = user;

    (void)session;
    (void)error;
    h2_resets_add(&h2->resets, frame->hd.stream_id); /* its DATA may be on the way */
    if (h2_guard_bad(&h2->guard, loop_now_us(h2->server->loop)))
        return 0;
    h2->blame = NGHTTP2_ENHANCE_YOUR_CALM;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user)
{
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, stream_id);

    (void)error;
    (void)user;
    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    stream_end(stream);
    return 0;
}

/* Frames that nghttp2 would pass over: those of kinds that it doesn't know, PRIORITY, and those
 * on streams that are no more (RFC 9113 section 5.1). 0, or the error to end with. */
static uint32_t judge_head(struct h2 *h2, const struct h2_frame_head *head)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    bool is_ignored = head->type == NGHTTP2_PRIORITY || head->type > NGHTTP2_CONTINUATION;
    bool is_of_stream = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_DATA;

    if (is_ignored && !h2_guard_cheap(&h2->guard, loop_now_us(h2->server->loop)))
        return NGHTTP2_ENHANCE_YOUR_CALM;
    if (!is_of_stream || head->stream_id == 0 || head->stream_id > last ||
        nghttp2_session_find_stream(h2->session, head->stream_id) ||
        h2_resets_has(&h2->resets, head->stream_id))
        return 0;
    return NGHTTP2_STREAM_CLOSED;
}

/* Feeds nghttp2 frame by frame. 0, or the error to end with. */
static uint32_t take_input(struct h2 *h2, const uint8_t *bytes, size_t len)
{
    struct h2_frame_head head;
    bool has_head;

    while (len > 0) {
        size_t part = h2_walk_next(&h2->walk, bytes, len, &head, &has_head);
        uint32_t blame = has_head ? judge_head(h2, &head) : 0;
        ssize_t used;

        if (blame)
            return blame;
        used = nghttp2_session_mem_recv(h2->session, bytes, part);
        if (used == NGHTTP2_ERR_FLOODED)
            return NGHTTP2_ENHANCE_YOUR_CALM;
        if (used < 0)
            return used == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_PROTOCOL_ERROR;
        bytes += part;
        len -= part;
    }
    return 0;
}

/* ---- the conn's callbacks ---------------------------------------------------------------------
 */

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct h2 *h2 = owner;
    uint32_t blame;

    (void)conn;
    if (h2->blame)
        return (ssize_t)len; /* its GOAWAY is on the way */
    h2->is_receiving = true;
    blame = take_input(h2, bytes, len);
    h2->is_receiving = false;
    if (!h2->blame)
        h2->blame = blame;
    h2_flush(h2);
    return (ssize_t)len;
}

static void on_drained(void *owner, struct conn *conn)
{
    (void)conn;
    h2_flush(owner);
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    (void)conn;
    (void)err;
    h2_end(owner);
}

static const struct conn_handler conn_handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void run_flush(struct loop_task *task)
{
    struct h2 *h2 = list_entry(task, struct h2, flush_task);

    h2->is_flush_due = false;
    h2_flush(h2);
}

static void h2_free(struct loop_task *task)
{
    struct h2 *h2 = list_entry(task, struct h2, free_task);

    nghttp2_session_del(h2->session);
    free(h2);
}

void h2_end(struct h2 *h2)
{
    if (h2->is_closed)
        return;
    h2->is_closed = true;
    server_remove(h2->server, &h2->link);
    while (!list_is_empty(&h2->streams))
        stream_end(list_entry(h2->streams.next, struct h2_stream, on_h2));
    loop_defer(h2->server->loop, &h2->free_task);
}

/* ---- what the server asks ---------------------------------------------------------------------
 */

static void h2_close(struct h2 *h2)
{
    conn_close(h2->conn);
    h2_end(h2);
}

/* Refuses requests that are not whole in time; a head cut in two blocks everything else, so
 * it ends the connection. */
static void check_requests(struct h2 *h2, int64_t now_us)
{
    list_for_each (link, after, &h2->streams) {
        struct h2_stream *stream = list_entry(link, struct h2_stream, on_h2);

        if (!is_reading(stream) || now_us < stream->deadline_us)
            continue;
        if (stream->has_head)
            request_refuse(stream->request, 408, NULL);
        else
            h2->blame = NGHTTP2_ENHANCE_YOUR_CALM;
    }
}

static void link_sweep(struct link *link, int64_t now_us)
{
    struct h2 *h2 = list_entry(link, struct h2, link);

    if (link_is_stalled(link, conn_backlog(h2->conn) > 0, conn_counters(h2->conn).out_bytes, now_us,
                        h2->server->limits.write_stall_us)) {
        h2_close(h2);
        return;
    }
    check_requests(h2, now_us);
    h2_check_stalls(h2, now_us);
    if (h2->deadline_us && now_us >= h2->deadline_us)
        nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
    else if (!h2->blame)
        return;
    h2_flush_later(h2);
}

static void link_drain(struct link *link)
{
    struct h2 *h2 = list_entry(link, struct h2, link);
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);

    if (nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0))
        h2_close(h2);
    else
        h2_flush_later(h2);
}

static void link_close(struct link *link)
{
    h2_close(list_entry(link, struct h2, link));
}

static const struct link_vtable link_vtable = {
    .sweep = link_sweep,
    .drain = link_drain,
    .close = link_close,
};

/* ---- opening ----------------------------------------------------------------------------------
 */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    h2_out_set_callbacks(callbacks);
}

static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_max_settings(option, SETTINGS_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, HEADER_TABLE_BYTES);
}

static int submit_settings(struct h2 *h2)
{
    const struct http_limits *limits = &h2->server->limits;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         (uint32_t)(limits->header_bytes + limits->target_bytes)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries,
                                   sizeof(entries) / sizeof(*entries))
               ? -ENOMEM
               : 0;
}

static int session_new(struct h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int err = -ENOMEM;

    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
        goto fail;
    set_callbacks(callbacks);
    set_options(option);
    if (nghttp2_session_server_new2(&h2->session, callbacks, h2, option) == 0)
        err = submit_settings(h2);
fail:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err;
}

void h2_open(struct http_server *server, struct conn *conn)
{
    struct h2 *h2 = calloc(1, sizeof(*h2));
    int64_t now_us = loop_now_us(server->loop);

    if (!h2) {
        conn_close(conn);
        return;
    }
    h2->server = server;
    h2->conn = conn;
    h2->free_task.run = h2_free;
    h2->flush_task.run = run_flush;
    h2->deadline_us = now_us + server->limits.request_us;
    list_init(&h2->streams);
    h2_walk_init(&h2->walk);
    h2_guard_init(&h2->guard, server->limits.resets_per_10s, now_us);
    if (session_new(h2) < 0) {
        nghttp2_session_del(h2->session);
        free(h2);
        conn_close(conn);
        return;
    }
    server_add(server, &h2->link, &link_vtable);
    server_limit_conn(conn);
    conn_set_handler(conn, &conn_handler, h2);
    h2_flush_later(h2);
}
