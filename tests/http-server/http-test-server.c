/* A server with a handful of routes, for the tests of lib/http; see README.md. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "http/server.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/tls.h"

enum { LARGE_MAX = 64 << 20 };

static struct {
    struct loop *loop;
    struct http_router *router;
    struct http_server *http;
    struct tls_server *tls;
    struct listener *plain_listener, *tls_listener;
    struct loop_signal term, interrupt, drain;
    struct buf *large, *json;
    unsigned gone;
} self;

/* ---- routes -----------------------------------------------------------------------------------
 */

static void get_hello(void *owner, struct http_request *request)
{
    (void)owner;
    http_respond_text(request, 200, "text/plain; charset=utf-8", "hello\n");
}

static void get_what(void *owner, struct http_request *request)
{
    char value[64], peer[ADDR_TEXT];
    const char *accept = http_header(request, "accept"), *cookie = http_header(request, "cookie");
    struct writer text;

    (void)owner;
    writer_init(&text, 64 * 1024);
    writer_printf(&text, "path %s\nquery %s\nauthority %s\n", http_path(request),
                  http_query(request), http_authority(request));
    writer_printf(&text, "h2 %d\nq %s\n", http_is_h2(request),
                  http_query_value(request, "q", value, sizeof(value)) ? value : "-");
    writer_printf(&text, "accept %s\ncookie %s\npeer %s\n", accept ? accept : "-",
                  cookie ? cookie : "-", addr_format_host(http_peer(request), peer));
    writer_put(&text, "", 1);
    http_respond_text(request, 200, "text/plain", (const char *)text.bytes);
    writer_fini(&text);
}

static void post_echo(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {{"content-type", "application/octet-stream"},
                                                 {NULL, NULL}};

    (void)owner;
    http_respond(request, 200, headers, http_body(request));
}

static struct buf *alphabet_new(size_t len)
{
    struct buf *buf = buf_new(len);

    for (size_t i = 0; buf && i < len; i++)
        buf->bytes[i] = (uint8_t)('a' + i % 26);
    return buf;
}

static void get_large(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {{"content-type", "application/octet-stream"},
                                                 {NULL, NULL}};
    char value[24];
    size_t size = 1 << 20;

    (void)owner;
    if (http_query_value(request, "size", value, sizeof(value)))
        size = strtoul(value, NULL, 10);
    if (size > LARGE_MAX) {
        http_respond_problem(request, 400, "size", "size is too large", 0);
        return;
    }
    if (!self.large || self.large->len != size) {
        buf_unref(self.large);
        self.large = alphabet_new(size);
    }
    http_respond(request, 200, headers, self.large);
}

struct delayed {
    struct loop_timer timer;
    struct http_request *request;
};

static void on_delay_over(struct loop_timer *timer)
{
    struct delayed *delayed = (struct delayed *)(void *)timer;

    http_respond_text(delayed->request, 200, "text/plain", "late\n");
    free(delayed);
}

static void on_gone(void *owner)
{
    struct delayed *delayed = owner;

    self.gone++;
    loop_timer_stop(&delayed->timer);
    free(delayed);
}

static void get_delay(void *owner, struct http_request *request)
{
    struct delayed *delayed = calloc(1, sizeof(*delayed));
    char value[24] = "";

    (void)owner;
    if (!delayed) {
        http_respond_problem(request, 503, NULL, "no memory", 1);
        return;
    }
    (void)http_query_value(request, "ms", value, sizeof(value));
    delayed->request = request;
    loop_timer_init(&delayed->timer, http_loop(request), on_delay_over);
    loop_timer_start(&delayed->timer, strtol(value, NULL, 10) * 1000);
    http_on_gone(request, on_gone, delayed);
}

static void get_etag(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {{"content-type", "text/plain"},
                                                 {"etag", "\"letters\""},
                                                 {"cache-control", "max-age=60"},
                                                 {NULL, NULL}};
    struct buf *body = alphabet_new(26);

    (void)owner;
    http_respond(request, 200, headers, body);
    buf_unref(body);
}

static void get_json(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {
        {"content-type", "application/json"}, {"etag", "\"numbers\""}, {NULL, NULL}};
    struct writer text;

    (void)owner;
    if (!self.json) {
        writer_init(&text, 1 << 20);
        writer_text(&text, "[0");
        for (int i = 1; i < 4000; i++)
            writer_printf(&text, ",%d", i);
        writer_text(&text, "]");
        if (writer_to_buf(&text, &self.json) < 0)
            self.json = NULL;
        writer_fini(&text);
    }
    http_respond(request, 200, headers, self.json);
}

static void get_item(void *owner, struct http_request *request)
{
    const char *name = http_path_value(request, "name"), *path = http_path_value(request, "path");
    char text[512];

    snprintf(text, sizeof(text), "%s %s\n", (const char *)owner, name ? name : path ? path : "-");
    http_respond_text(request, 200, "text/plain", text);
}

static void get_fixed(void *owner, struct http_request *request)
{
    (void)owner;
    http_respond_text(request, 200, "text/plain", "fixed\n");
}

static void get_stats(void *owner, struct http_request *request)
{
    char text[160];

    (void)owner;
    snprintf(text, sizeof(text), "{\"connections\":%zu,\"requests\":%zu,\"gone\":%u}",
             http_server_connections(self.http), http_server_requests(self.http) - 1, self.gone);
    http_respond_text(request, 200, "application/json", text);
}

/* ---- what an upgraded connection speaks -------------------------------------------------------
 */

static ssize_t echo_on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)owner;
    return conn_write_copy(conn, bytes, len) < 0 ? -ERR_CLOSED : (ssize_t)len;
}

static void echo_on_closed(void *owner, struct conn *conn, int err)
{
    (void)owner;
    (void)conn;
    (void)err;
}

static const struct conn_handler echo_handler = {
    .on_input = echo_on_input,
    .on_closed = echo_on_closed,
};

static void get_upgrade(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {{"upgrade", "echo"}, {NULL, NULL}};
    struct conn *conn;
    int err;

    (void)owner;
    err = http_upgrade(request, headers, &conn);
    if (err == 0)
        conn_set_handler(conn, &echo_handler, NULL);
    else
        http_respond_problem(request, 426, "upgrade", err_text(err), 0);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hello", get_hello, 0},         {HTTP_GET, "/what", get_what, 0},
    {HTTP_POST, "/echo", post_echo, 64 * 1024}, {HTTP_PUT, "/echo", post_echo, 64 * 1024},
    {HTTP_GET, "/large", get_large, 0},         {HTTP_GET, "/delay", get_delay, 0},
    {HTTP_GET, "/etag", get_etag, 0},           {HTTP_GET, "/json", get_json, 0},
    {HTTP_GET, "/items/fixed", get_fixed, 0},   {HTTP_GET, "/stats", get_stats, 0},
    {HTTP_GET, "/upgrade", get_upgrade, 0},     {HTTP_OTHER, NULL, NULL, 0},
};
static const struct http_route item_routes[] = {{HTTP_GET, "/items/{name}", get_item, 0},
                                                {HTTP_OTHER, NULL, NULL, 0}};
static const struct http_route file_routes[] = {{HTTP_GET, "/files/{path...}", get_item, 0},
                                                {HTTP_OTHER, NULL, NULL, 0}};

static const struct http_header server_headers[] = {{"x-content-type-options", "nosniff"},
                                                    {NULL, NULL}};

/* ---- the process ------------------------------------------------------------------------------
 */

static void on_tls_open(void *owner, struct conn *conn)
{
    (void)owner;
    http_server_accept(self.http, conn);
}

static ssize_t on_early_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)owner;
    (void)conn;
    (void)bytes;
    (void)len;
    return 0;
}

/* Until the handshake is done and ALPN known. */
static const struct conn_handler tls_handler = {
    .on_open = on_tls_open,
    .on_input = on_early_input,
    .on_closed = echo_on_closed,
};

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct tls_server *tls = owner;
    struct conn *conn;

    (void)peer;
    if (conn_accept(&conn, self.loop, fd, tls, NULL) < 0)
        return;
    if (tls)
        conn_set_handler(conn, &tls_handler, NULL);
    else
        http_server_accept(self.http, conn);
}

static const struct listener_handler listener_handler = {.on_accept = on_accept};

static void on_stop(struct loop_signal *signal, int number)
{
    (void)signal;
    (void)number;
    loop_stop(self.loop);
}

static void on_drain(struct loop_signal *signal, int number)
{
    (void)signal;
    (void)number;
    http_server_drain(self.http);
}

static int add_routes(void)
{
    static char item[] = "item", file[] = "file";
    int err = http_router_add(self.router, routes, NULL);

    if (!err)
        err = http_router_add(self.router, item_routes, item);
    return err ? err : http_router_add(self.router, file_routes, file);
}

static int make_tls(const char *directory)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL}, *const hosts[] = {"localhost"};
    char cert[512], key[512];
    int err;

    snprintf(cert, sizeof(cert), "%s/cert.pem", directory);
    snprintf(key, sizeof(key), "%s/key.pem", directory);
    err = tls_make_pair(cert, key, hosts, 1);
    return err && err != -EEXIST && err != -ERR_EXISTS ? err
                                                       : tls_server_new(&self.tls, cert, key, alpn);
}

static int listen_on(struct listener **out, struct tls_server *tls)
{
    struct addr addr;
    int err = addr_parse(&addr, "127.0.0.1:0");

    return err ? err : listener_open(out, self.loop, &addr, &listener_handler, tls);
}

static int start(const char *directory, const struct http_limits *limits)
{
    int err = loop_new(&self.loop, 0);

    if (!err)
        err = http_router_new(&self.router);
    if (!err)
        err = add_routes();
    if (!err)
        err = http_server_new(&self.http, self.loop, self.router, limits, server_headers);
    if (!err)
        err = make_tls(directory);
    if (!err)
        err = listen_on(&self.plain_listener, NULL);
    return err ? err : listen_on(&self.tls_listener, self.tls);
}

static void stop(void)
{
    listener_close(self.plain_listener);
    listener_close(self.tls_listener);
    http_server_free(self.http);
    http_router_free(self.router);
    loop_signal_stop(&self.term);
    loop_signal_stop(&self.interrupt);
    loop_signal_stop(&self.drain);
    loop_free(self.loop);
    tls_server_free(self.tls);
    buf_unref(self.large);
    buf_unref(self.json);
}

int main(int argc, char **argv)
{
    struct http_limits limits = http_limits_default;
    int err;

    if (argc != 2 && argc != 5) {
        fprintf(stderr, "usage: %s DIRECTORY [request_ms idle_ms stall_ms]\n", argv[0]);
        return 2;
    }
    if (argc == 5) {
        limits.request_us = strtol(argv[2], NULL, 10) * 1000;
        limits.idle_us = strtol(argv[3], NULL, 10) * 1000;
        limits.write_stall_us = strtol(argv[4], NULL, 10) * 1000;
    }
    signal(SIGPIPE, SIG_IGN);
    err = start(argv[1], &limits);
    if (err) {
        fprintf(stderr, "can't start: %s\n", err_text(err));
        return 1;
    }
    loop_signal_start(&self.term, self.loop, SIGTERM, on_stop);
    loop_signal_start(&self.interrupt, self.loop, SIGINT, on_stop);
    loop_signal_start(&self.drain, self.loop, SIGUSR1, on_drain);
    printf("plain %u tls %u\n", addr_port(listener_addr(self.plain_listener)),
           addr_port(listener_addr(self.tls_listener)));
    fflush(stdout);
    loop_run(self.loop);
    stop();
    return 0;
}
