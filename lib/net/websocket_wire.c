#include "net/websocket_wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/random.h"

enum { HEAD_MAX = 14 };

struct websocket_wire {
    wslay_frame_context_ptr frames; /* owned */
    const uint8_t *input;           /* borrowed: what was fed and is not read yet */
    size_t input_len;
    struct buf *output; /* the frame that is being made */
    uint64_t left;      /* payload still to come of the frame that is being read */
    enum websocket_role role;
    bool is_in_frame, is_in_message, is_over;
    size_t control_len;
    uint8_t control[WEBSOCKET_CONTROL_MAX];
};

static ssize_t on_recv(uint8_t *out, size_t room, int flags, void *owner)
{
    struct websocket_wire *wire = owner;
    size_t len = room < wire->input_len ? room : wire->input_len;

    (void)flags;
    if (len == 0)
        return -1; /* wslay says WANT_READ then */
    memcpy(out, wire->input, len);
    wire->input += len;
    wire->input_len -= len;
    return (ssize_t)len;
}

static ssize_t on_send(const uint8_t *bytes, size_t len, int flags, void *owner)
{
    struct websocket_wire *wire = owner;

    (void)flags;
    memcpy(wire->output->bytes + wire->output->len, bytes, len);
    wire->output->len += len;
    return (ssize_t)len;
}

static int on_mask(uint8_t *out, size_t len, void *owner)
{
    (void)owner;
    random_bytes(out, len);
    return 0;
}

static const struct wslay_frame_callbacks callbacks = {on_send, on_recv, on_mask};

int websocket_wire_new(struct websocket_wire **out, enum websocket_role role)
{
    struct websocket_wire *wire = calloc(1, sizeof(*wire));

    if (!wire || wslay_frame_context_init(&wire->frames, &callbacks, wire) != 0) {
        free(wire);
        return -ENOMEM;
    }
    wire->role = role;
    *out = wire;
    return 0;
}

void websocket_wire_free(struct websocket_wire *wire)
{
    if (!wire)
        return;
    wslay_frame_context_free(wire->frames);
    free(wire);
}

void websocket_wire_feed(struct websocket_wire *wire, const uint8_t *bytes, size_t len)
{
    wire->input = bytes;
    wire->input_len = len;
}

static struct websocket_piece bad(struct websocket_wire *wire, unsigned code)
{
    wire->is_over = true;
    return (struct websocket_piece){.kind = WEBSOCKET_PIECE_BAD, .code = code};
}

static unsigned check_data(struct websocket_wire *wire, const struct wslay_frame_iocb *frame)
{
    bool is_first = frame->opcode != WSLAY_CONTINUATION_FRAME;

    if (is_first == wire->is_in_message)
        return WEBSOCKET_PROTOCOL_ERROR;
    if (frame->opcode == WSLAY_TEXT_FRAME)
        return WEBSOCKET_UNSUPPORTED;
    wire->is_in_message = !frame->fin;
    return frame->payload_length > WEBSOCKET_FRAME_MAX ? WEBSOCKET_TOO_BIG : 0;
}

/* A frame's head: 0, or the code to close with. */
static unsigned check_head(struct websocket_wire *wire, const struct wslay_frame_iocb *frame)
{
    bool must_mask = wire->role == WEBSOCKET_SERVER;

    if (frame->rsv != 0 || (frame->mask != 0) != must_mask)
        return WEBSOCKET_PROTOCOL_ERROR;
    if (frame->opcode <= WSLAY_BINARY_FRAME)
        return check_data(wire, frame);
    if (frame->opcode < WSLAY_CONNECTION_CLOSE || frame->opcode > WSLAY_PONG)
        return WEBSOCKET_PROTOCOL_ERROR;
    if (!frame->fin || frame->payload_length > WEBSOCKET_CONTROL_MAX)
        return WEBSOCKET_PROTOCOL_ERROR;
    wire->control_len = 0;
    return 0;
}

/* How long the character is that the byte begins; 0: none. */
static size_t character_len(uint8_t byte)
{
    if (byte < 0x80)
        return 1;
    if (byte >= 0xc2 && byte <= 0xdf)
        return 2;
    if (byte >= 0xe0 && byte <= 0xef)
        return 3;
    return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

/* RFC 3629: no surrogates, nothing overlong, nothing past U+10FFFF. */
static bool is_utf8(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t size = character_len(*bytes);

        if (size == 0 || size > len)
            return false;
        for (size_t i = 1; i < size; i++)
            if ((bytes[i] & 0xc0) != 0x80)
                return false;
        if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
            (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
            return false;
        bytes += size;
        len -= size;
    }
    return true;
}

/* Section 7.4, and what IANA has added: 1004 to 1006 and 1015 never travel. */
static bool is_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static struct websocket_piece take_close(struct websocket_wire *wire)
{
    struct websocket_piece piece = {.kind = WEBSOCKET_PIECE_CLOSE};

    if (wire->control_len == 1)
        return bad(wire, WEBSOCKET_PROTOCOL_ERROR);
    if (wire->control_len >= 2) {
        piece.code = (unsigned)wire->control[0] << 8 | wire->control[1];
        if (!is_code(piece.code))
            return bad(wire, WEBSOCKET_PROTOCOL_ERROR);
        if (!is_utf8(wire->control + 2, wire->control_len - 2))
            return bad(wire, WEBSOCKET_BAD_TEXT);
    }
    wire->is_over = true;
    return piece;
}

/* The control frame is whole. */
static struct websocket_piece take_control(struct websocket_wire *wire, uint8_t opcode)
{
    if (opcode == WSLAY_CONNECTION_CLOSE)
        return take_close(wire);
    return (struct websocket_piece){.kind = opcode == WSLAY_PING ? WEBSOCKET_PIECE_PING
                                                                 : WEBSOCKET_PIECE_PONG,
                                    .bytes = wire->control,
                                    .len = wire->control_len};
}

struct websocket_piece websocket_wire_next(struct websocket_wire *wire)
{
    struct wslay_frame_iocb frame = {.fin = 0};

    while (!wire->is_over) {
        ssize_t got = wslay_frame_recv(wire->frames, &frame);
        unsigned code = 0;

        if (got == WSLAY_ERR_WANT_READ)
            break;
        if (got < 0)
            return bad(wire, WEBSOCKET_PROTOCOL_ERROR);
        if (!wire->is_in_frame) {
            code = check_head(wire, &frame);
            wire->left = frame.payload_length;
        }
        if (code)
            return bad(wire, code);
        wire->left -= frame.data_length;
        wire->is_in_frame = wire->left > 0;
        if (!wslay_is_ctrl_frame(frame.opcode))
            return (struct websocket_piece){
                .kind = WEBSOCKET_PIECE_PAYLOAD, .bytes = frame.data, .len = frame.data_length};
        if (frame.data_length > 0)
            memcpy(wire->control + wire->control_len, frame.data, frame.data_length);
        wire->control_len += frame.data_length;
        if (!wire->is_in_frame)
            return take_control(wire, frame.opcode);
    }
    wire->input_len = 0;
    return (struct websocket_piece){.kind = WEBSOCKET_PIECE_NONE};
}

int websocket_wire_frame(struct websocket_wire *wire, struct buf **out,
                         enum websocket_opcode opcode, const uint8_t *bytes, size_t len)
{
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = (uint8_t)opcode,
                                     .payload_length = len,
                                     .mask = wire->role == WEBSOCKET_CLIENT,
                                     .data = bytes,
                                     .data_length = len};

    wire->output = buf_new(len + HEAD_MAX);
    if (!wire->output)
        return -ENOMEM;
    wire->output->len = 0;
    /* on_send takes all: one call makes the whole frame. */
    if (wslay_frame_send(wire->frames, &frame) != (ssize_t)len) {
        buf_unref(wire->output);
        return -ERR_LIBRARY;
    }
    *out = wire->output;
    wire->output = NULL;
    return 0;
}
