/* http/h2.h: HTTP/2 on one connection (RFC 9113, RFC 9218 for priorities), by nghttp2. */
#pragma once

struct conn;
struct http_server;

/* Takes an open connection whose ALPN is h2. */
void h2_open(struct http_server *server, struct conn *conn);
