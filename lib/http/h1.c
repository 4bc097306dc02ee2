#include "http/h1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/answer.h"
#include "http/chunks.h"
#include "http/h1_wire.h"
#include "http/router_private.h"
#include "http/server_private.h"
#include "http/target.h"
#include "net/conn.h"

enum h1_state {
    H1_IDLE,    /* between requests */
    H1_HEAD,    /* from a request's first byte on */
    H1_BODY,    /* its head was fine, its body comes */
    H1_BUSY,    /* the handler has it; later input waits in the conn */
    H1_SENDING, /* the answer is longer than the conn should hold at once */
    H1_CLOSED
};

struct h1 {
    struct link link;
    struct http_request *request; /* owned until released */
    struct buf *body;             /* owned: of the answer, still to be sent */
    struct http_server *server;
    struct conn *conn; /* NULL once it is somebody else's */

    struct loop_task free_task;
    enum h1_state state;
    int64_t deadline_us; /* 0: none */
    size_t body_offset, body_left;
    struct h1_scan scan;
    struct h1_framing framing;
    struct chunks chunks;
    uint64_t input_left; /* of a body with a length */
    bool keeps_alive;    /* after the present request */
    bool is_http10;
    bool is_in_input;
};

static const struct conn_handler conn_handler;
static const struct carrier h1_carrier;

/* ---- states -----------------------------------------------------------------------------------
 */

static void h1_enter(struct h1 *h1, enum h1_state state)
{
    int64_t now_us = loop_now_us(h1->server->loop);

    h1->state = state;
    switch (state) {
    case H1_IDLE:
        h1->deadline_us = now_us + h1->server->limits.idle_us;
        h1->keeps_alive = false;
        h1->scan = (struct h1_scan){.at = 0};
        return;
    case H1_HEAD:
        h1->deadline_us = now_us + h1->server->limits.request_us;
        return;
    case H1_BODY: /* the head's deadline stays: it is the whole request's */
        return;
    case H1_BUSY:
    case H1_SENDING: /* see link_is_stalled */
    case H1_CLOSED:
        h1->deadline_us = 0;
        return;
    }
}

static void h1_free(struct loop_task *task)
{
    free(list_entry(task, struct h1, free_task));
}

/* Lets go of everything but the conn. */
static void h1_end(struct h1 *h1)
{
    struct http_request *request = h1->request;

    if (h1->state == H1_CLOSED)
        return;
    h1_enter(h1, H1_CLOSED);
    server_remove(h1->server, &h1->link);
    buf_unref(h1->body);
    h1->body = NULL;
    h1->request = NULL;
    loop_defer(h1->server->loop, &h1->free_task);
    if (request)
        request_release(request);
}

static void h1_close(struct h1 *h1)
{
    conn_close(h1->conn);
    h1_end(h1);
}

static void h1_close_flushed(struct h1 *h1)
{
    conn_close_flushed(h1->conn, h1->server->limits.write_stall_us);
    h1_end(h1);
}

/* ---- output -----------------------------------------------------------------------------------
 */

/* The answer is with the conn: on to the next request. */
static void h1_finish(struct h1 *h1)
{
    if (h1->request)
        request_release(h1->request);
    h1->request = NULL;
    if (!h1->keeps_alive) {
        h1_close_flushed(h1);
        return;
    }
    if (conn_backlog(h1->conn) >= OUTPUT_HIGH_BYTES) {
        h1_enter(h1, H1_SENDING);
        return;
    }
    h1_enter(h1, H1_IDLE);
    if (!h1->is_in_input)
        conn_pause(h1->conn, false);
}

/* Hands the conn as much of the body as it should hold. */
static void h1_pump(struct h1 *h1)
{
    while (h1->body_left) {
        size_t backlog = conn_backlog(h1->conn), len = h1->body_left;
        int err;

        if (backlog >= OUTPUT_HIGH_BYTES) {
            h1_enter(h1, H1_SENDING);
            return;
        }
        if (len > OUTPUT_HIGH_BYTES)
            len = OUTPUT_HIGH_BYTES;
        err = conn_write(h1->conn, h1->body, h1->body_offset, len);
        if (err == -ERR_CLOSED)
            return; /* on_closed follows */
        if (err < 0) {
            h1_close(h1);
            return;
        }
        h1->body_offset += len;
        h1->body_left -= len;
    }
    buf_unref(h1->body);
    h1->body = NULL;
    h1_finish(h1);
}

static void write_head(struct h1 *h1, const struct answer *answer)
{
    struct writer *out = &h1->server->scratch;

    writer_reset(out);
    writer_printf(out, "HTTP/1.1 %u %s\r\n", answer->status, answer_reason(answer->status));
    for (size_t i = 0; i < answer->count; i++) {
        writer_text(out, answer->headers[i].name);
        writer_put(out, ": ", 2);
        writer_text(out, answer->headers[i].value);
        writer_put(out, "\r\n", 2);
    }
    if (answer->status == 101)
        writer_text(out, "connection: upgrade\r\n");
    else if (!h1->keeps_alive)
        writer_text(out, "connection: close\r\n");
    else if (h1->is_http10)
        writer_text(out, "connection: keep-alive\r\n");
    writer_put(out, "\r\n", 2);
}

/* 0 or the conn's error. */
static int flush_scratch(struct h1 *h1)
{
    struct writer *out = &h1->server->scratch;

    if (out->err)
        return out->err;
    return conn_write_copy(h1->conn, out->bytes, out->len);
}

static void h1_send(struct http_request *request, const struct answer *answer)
{
    struct h1 *h1 = request->carried;
    bool is_small = answer->len <= SMALL_BODY_BYTES;
    int err;

    /* What was not read to its end can't be followed by another request. */
    if (h1->state != H1_BUSY || h1->server->is_draining)
        h1->keeps_alive = false;
    h1_enter(h1, H1_BUSY);
    write_head(h1, answer);
    if (is_small && answer->body)
        writer_put(&h1->server->scratch, answer->body->bytes + answer->offset, answer->len);
    conn_cork(h1->conn);
    err = flush_scratch(h1);
    if (!is_small) {
        h1->body = buf_ref(answer->body);
        h1->body_offset = answer->offset;
        h1->body_left = answer->len;
    }
    conn_uncork(h1->conn);
    if (err == -ERR_CLOSED)
        return; /* on_closed follows */
    if (err < 0)
        h1_close(h1);
    else
        h1_pump(h1);
}

static int h1_upgrade(struct http_request *request, const struct answer *answer, struct conn **out)
{
    struct h1 *h1 = request->carried;
    int err;

    write_head(h1, answer);
    err = flush_scratch(h1);
    if (err < 0) {
        h1_close(h1);
        return err;
    }
    *out = h1->conn;
    if (h1->is_in_input)
        conn_uncork(h1->conn);
    conn_pause(h1->conn, false);
    h1->conn = NULL;
    h1_end(h1);
    return 0;
}

static const struct carrier h1_carrier = {.send = h1_send, .upgrade = h1_upgrade};

/* ---- input ------------------------------------------------------------------------------------
 */

/* A refusal by the protocol: nothing that follows can be trusted. */
static void h1_refuse(struct h1 *h1, unsigned status)
{
    if (!h1->request)
        h1->request = request_new(h1->server, h1->conn, &h1_carrier, h1);
    if (!h1->request) {
        h1_close(h1);
        return;
    }
    h1_enter(h1, H1_HEAD);
    request_refuse(h1->request, status, NULL);
}

static void h1_dispatch(struct h1 *h1)
{
    h1_enter(h1, H1_BUSY);
    request_dispatch(h1->request);
}

/* Fills the request from its head; 0 or a status. */
static unsigned fill_request(struct h1 *h1, char *text, size_t len)
{
    const struct http_limits *limits = &h1->server->limits;
    struct h1_limits wire_limits = {limits->header_bytes, limits->header_count,
                                    limits->target_bytes};
    struct http_request *request = h1->request;
    struct target target;
    struct h1_head head;
    unsigned status = h1_head_parse(&head, &wire_limits, text, len);

    if (status)
        return status;
    h1->is_http10 = head.minor == 0;
    request->method = request_method_of(head.method);
    for (size_t i = 0; i < head.count; i++)
        if (request_add_header(request, head.fields[i].name, head.fields[i].value) < 0)
            return 503;
    status = h1_head_framing(&h1->framing, &head);
    if (status)
        return status;
    if (request->method == HTTP_OTHER)
        return 501;
    if (target_parse(&target, head.target) < 0)
        return 400;
    request->path = target.path;
    request->query = target.query;
    request->authority = target.authority ? target.authority : h1->framing.host;
    if (!request->authority)
        request->authority = "";
    /* The target would win (RFC 9112 section 3.2.2), but two names are an attack. */
    if (target.authority && h1->framing.host && strcasecmp(target.authority, h1->framing.host) != 0)
        return 400;
    return 0;
}

static void begin_body(struct h1 *h1)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (h1->framing.length > h1->request->route->body_limit) {
        h1_refuse(h1, 413);
        return;
    }
    if (h1->framing.expects_continue &&
        conn_write_copy(h1->conn, go_on, sizeof(go_on) - 1) == -ENOMEM) {
        h1_close(h1);
        return;
    }
    chunks_init(&h1->chunks);
    h1->input_left = h1->framing.length;
    h1_enter(h1, H1_BODY);
}

static void begin_request(struct h1 *h1, const uint8_t *bytes, size_t len)
{
    char allow[ROUTER_ALLOW_MAX];
    unsigned status = 503;
    bool has_body;
    char *text;

    h1->request = request_new(h1->server, h1->conn, &h1_carrier, h1);
    text = h1->request ? request_text(h1->request, (const char *)bytes, len) : NULL;
    if (text)
        status = fill_request(h1, text, len);
    if (status) {
        h1_refuse(h1, status);
        return;
    }
    has_body = h1->framing.is_chunked || h1->framing.length > 0;
    status = request_route(h1->request, allow);
    if (status && has_body) {
        request_refuse(h1->request, status, allow);
        return;
    }
    h1->keeps_alive = h1->framing.keeps_alive;
    if (status) {
        h1_enter(h1, H1_BUSY);
        request_refuse(h1->request, status, allow);
    } else if (has_body) {
        begin_body(h1);
    } else {
        h1_dispatch(h1);
    }
}

static ssize_t read_head(struct h1 *h1, const uint8_t *bytes, size_t len)
{
    const struct http_limits *limits = &h1->server->limits;
    struct h1_limits wire_limits = {limits->header_bytes, limits->header_count,
                                    limits->target_bytes};
    ssize_t found;

    if (h1->state == H1_IDLE)
        h1_enter(h1, H1_HEAD);
    found = h1_head_find(&h1->scan, &wire_limits, bytes, len);
    if (found < 0) {
        h1_refuse(h1, (unsigned)-found);
        return (ssize_t)len;
    }
    if (found > 0)
        begin_request(h1, bytes, (size_t)found);
    return found;
}

static ssize_t read_chunked(struct h1 *h1, const uint8_t *bytes, size_t len)
{
    const uint8_t *part;
    size_t part_len;
    ssize_t used = chunks_read(&h1->chunks, bytes, len, &part, &part_len);
    int err = used < 0 ? (int)used : request_add_body(h1->request, part, part_len);

    if (err < 0) {
        h1_refuse(h1, err == -ERR_PROTOCOL ? 400 : err == -ENOMEM ? 503 : 413);
        return (ssize_t)len;
    }
    if (chunks_is_done(&h1->chunks))
        h1_dispatch(h1);
    return used;
}

static ssize_t read_sized(struct h1 *h1, const uint8_t *bytes, size_t len)
{
    size_t used = h1->input_left < len ? (size_t)h1->input_left : len;

    if (request_add_body(h1->request, bytes, used) < 0) {
        h1_refuse(h1, 503);
        return (ssize_t)len;
    }
    h1->input_left -= used;
    if (!h1->input_left)
        h1_dispatch(h1);
    return (ssize_t)used;
}

/* Handles what the state can take of len > 0 bytes; how many it used. */
static ssize_t h1_step(struct h1 *h1, const uint8_t *bytes, size_t len)
{
    switch (h1->state) {
    case H1_IDLE:
    case H1_HEAD:
        return read_head(h1, bytes, len);
    case H1_BODY:
        return h1->framing.is_chunked ? read_chunked(h1, bytes, len) : read_sized(h1, bytes, len);
    case H1_BUSY:
    case H1_SENDING:
    case H1_CLOSED:
        break;
    }
    return 0;
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct h1 *h1 = owner;
    size_t used = 0;
    ssize_t step = 1;

    conn_cork(conn);
    h1->is_in_input = true;
    while (used < len && step > 0) {
        step = h1_step(h1, bytes + used, len - used);
        used += (size_t)step;
    }
    h1->is_in_input = false;
    if (!h1->conn)
        return (ssize_t)used; /* upgraded: the rest is for its new owner */
    conn_uncork(conn);
    /* One that pipelines waits; what it sent stays in the conn, and in the kernel. */
    if (used < len && (h1->state == H1_BUSY || h1->state == H1_SENDING))
        conn_pause(conn, true);
    return (ssize_t)used;
}

static void on_drained(void *owner, struct conn *conn)
{
    struct h1 *h1 = owner;

    (void)conn;
    if (h1->state == H1_SENDING)
        h1_pump(h1);
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    (void)conn;
    (void)err;
    h1_end(owner);
}

static const struct conn_handler conn_handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- what the server asks ---------------------------------------------------------------------
 */

static void link_sweep(struct link *link, int64_t now_us)
{
    struct h1 *h1 = list_entry(link, struct h1, link);
    const struct http_limits *limits = &h1->server->limits;

    if (link_is_stalled(link, conn_backlog(h1->conn) > 0, conn_counters(h1->conn).out_bytes, now_us,
                        limits->write_stall_us)) {
        h1_close(h1);
        return;
    }
    if (!h1->deadline_us || now_us < h1->deadline_us)
        return;
    if (h1->state == H1_IDLE)
        h1_close_flushed(h1);
    else
        h1_refuse(h1, 408);
}

static void link_drain(struct link *link)
{
    struct h1 *h1 = list_entry(link, struct h1, link);

    if (h1->state == H1_IDLE)
        h1_close_flushed(h1);
}

static void link_close(struct link *link)
{
    h1_close(list_entry(link, struct h1, link));
}

static const struct link_vtable link_vtable = {
    .sweep = link_sweep,
    .drain = link_drain,
    .close = link_close,
};

void h1_open(struct http_server *server, struct conn *conn)
{
    struct h1 *h1 = calloc(1, sizeof(*h1));

    if (!h1) {
        conn_close(conn);
        return;
    }
    h1->server = server;
    h1->conn = conn;
    h1->free_task.run = h1_free;
    server_add(server, &h1->link, &link_vtable);
    h1_enter(h1, H1_IDLE);
    server_limit_conn(conn);
    conn_set_handler(conn, &conn_handler, h1);
}
