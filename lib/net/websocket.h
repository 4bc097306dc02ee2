/* net/websocket.h: a connection's bytes in WebSocket frames (RFC 6455), as a layer.
 *
 * After the HTTP upgrade (the server's: server/tunnel/upgrade.c, the agent's: agent/dial_http.c)
 * the conn works as before: what its handler writes goes out as binary messages, what it reads is
 * their payload. Pings are answered; a Close or a broken rule ends the conn.
 */
#pragma once

#include <stdbool.h>

#include "net/websocket_wire.h"

struct conn;

enum { WEBSOCKET_KEY = 25, WEBSOCKET_ACCEPT = 29 };

/* Puts the layer on an open conn after the upgrade; the handler is set as ever. 0 or -ENOMEM. */
int websocket_attach(struct conn *conn, enum websocket_role role) MUST_CHECK;

/* A fresh Sec-WebSocket-Key. */
void websocket_make_key(char out[WEBSOCKET_KEY]);

/* Whether it is one: base64 of 16 bytes. NULL is none. */
bool websocket_is_key(const char *key);

/* The Sec-WebSocket-Accept that answers a key (section 4.2.2). 0 or -ERR_LIBRARY. */
int websocket_answer_key(const char *key, char out[WEBSOCKET_ACCEPT]) MUST_CHECK;
