/* http/h1.h: HTTP/1.1 on one connection (RFC 9112). */
#pragma once

struct conn;
struct http_server;

/* Takes an open connection. Requests are handled one after another; what is pipelined waits
 * in the conn, which stops reading meanwhile. After a refusal the connection closes. */
void h1_open(struct http_server *server, struct conn *conn);
