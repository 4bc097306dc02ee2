/* egress/webrtc/tcp.h: a viewer's TCP connections (RFC 6544, RFC 4571); private to egress/webrtc/.
 */
#pragma once

#include <stddef.h>

struct conn;
struct egress_instance;
struct peer;
struct tcp_link;

/* Takes the connection, a stranger's until a STUN message on it was authentic. */
void tcp_accept(struct egress_instance *instance, struct conn *conn);
void tcp_close_all(struct egress_instance *instance);

/* Idempotent until the turn ends; its paths go from the viewer's ICE. */
void tcp_close(struct tcp_link *link);

/* Whose it is; NULL: a stranger's. It is set once. */
struct peer *tcp_peer(const struct tcp_link *link);
void tcp_set_peer(struct tcp_link *link, struct peer *peer);

/* One packet, or several that stand behind their lengths already. What doesn't fit into the
 * backlog ends the connection. */
void tcp_send(struct tcp_link *link, const void *bytes, size_t len);
void tcp_send_framed(struct tcp_link *link, const void *bytes, size_t len);
size_t tcp_backlog(const struct tcp_link *link);
