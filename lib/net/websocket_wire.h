/* net/websocket_wire.h: WebSocket frames in and out (RFC 6455 section 5), without a connection.
 *
 * Binary messages only, no extensions (permessage-deflate is a reserved bit like any other).
 * Payload is given out as it comes: where a message ends means nothing here, so that no message
 * is ever held, and its length has no limit; a frame's has.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { WEBSOCKET_FRAME_MAX = 8 * 1024 * 1024, WEBSOCKET_CONTROL_MAX = 125 };

enum websocket_role { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

enum websocket_opcode {
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

/* Close codes (section 7.4.1) that we send; 0 stands for none. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED = 1003,
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL = 1011
};

enum websocket_piece_kind {
    WEBSOCKET_PIECE_NONE,    /* all that was fed is used */
    WEBSOCKET_PIECE_PAYLOAD, /* of a binary message; len is 0 for an empty frame */
    WEBSOCKET_PIECE_PING,
    WEBSOCKET_PIECE_PONG,
    WEBSOCKET_PIECE_CLOSE, /* code: the peer's, 0 without one; nothing follows */
    WEBSOCKET_PIECE_BAD    /* code: what to close with; nothing follows */
};

struct websocket_piece {
    enum websocket_piece_kind kind;
    const uint8_t *bytes; /* unmasked; good until the next call */
    size_t len;
    unsigned code;
};

struct websocket_wire;

int websocket_wire_new(struct websocket_wire **out, enum websocket_role role) MUST_CHECK;
void websocket_wire_free(struct websocket_wire *wire);

/* The next bytes of the peer's, borrowed until websocket_wire_next says NONE. They may be
 * overwritten up to the sum of the pieces' lengths meanwhile. */
void websocket_wire_feed(struct websocket_wire *wire, const uint8_t *bytes, size_t len);
struct websocket_piece websocket_wire_next(struct websocket_wire *wire);

/* One whole frame, masked if we are the client: 0 and an owned buf in *out, or -ENOMEM. */
int websocket_wire_frame(struct websocket_wire *wire, struct buf **out,
                         enum websocket_opcode opcode, const uint8_t *bytes, size_t len) MUST_CHECK;
