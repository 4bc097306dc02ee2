#include "net/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn_layer.h"

/* More control or empty frames than this in a window are a flood. */
enum { IDLE_FRAMES_MAX = 100, WINDOW_US = 10 * 1000 * 1000 };

struct websocket {
    struct conn_layer layer;
    struct websocket_wire *wire; /* owned */
    int64_t window_us;           /* when the present one began */
    unsigned idle_frames;        /* in it */
    bool has_closed;             /* our Close is queued */
};

static struct websocket *websocket_of(struct conn_layer *layer)
{
    return (struct websocket *)(void *)((char *)layer - offsetof(struct websocket, layer));
}

static void websocket_free(struct conn_layer *layer)
{
    struct websocket *websocket = websocket_of(layer);

    websocket_wire_free(websocket->wire);
    free(websocket);
}

static int send_frame(struct websocket *websocket, struct conn *conn, enum websocket_opcode opcode,
                      const struct websocket_piece *payload)
{
    struct buf *frame;
    int err = websocket_wire_frame(websocket->wire, &frame, opcode, payload->bytes, payload->len);

    if (err < 0)
        return err;
    err = conn_queue(conn, frame, 0, frame->len);
    buf_unref(frame);
    return err;
}

/* Says Close, once; if that finds no room any more, the peer has to do without. */
static void send_close(struct websocket *websocket, struct conn *conn, unsigned code)
{
    const uint8_t bytes[] = {(uint8_t)(code >> 8), (uint8_t)code};
    struct websocket_piece payload = {.bytes = bytes, .len = code ? sizeof(bytes) : 0};

    if (!websocket->has_closed)
        (void)!send_frame(websocket, conn, WEBSOCKET_CLOSE, &payload);
    websocket->has_closed = true;
}

static void end(struct websocket *websocket, struct conn *conn, unsigned code, int err)
{
    send_close(websocket, conn, code);
    websocket->layer.err = err;
}

/* Frames that bring nothing: a few are keep-alives, many are an attack. */
static void count_idle(struct websocket *websocket, struct conn *conn)
{
    int64_t now_us = loop_now_us(conn_loop(conn));

    if (now_us - websocket->window_us > WINDOW_US) {
        websocket->window_us = now_us;
        websocket->idle_frames = 0;
    }
    if (++websocket->idle_frames > IDLE_FRAMES_MAX)
        end(websocket, conn, WEBSOCKET_POLICY, -ERR_TOO_MANY);
}

static int bad_err(unsigned code)
{
    return code == WEBSOCKET_TOO_BIG ? -ERR_TOO_LONG : -ERR_PROTOCOL;
}

static void take(struct websocket *websocket, struct conn *conn,
                 const struct websocket_piece *piece)
{
    switch (piece->kind) {
    case WEBSOCKET_PIECE_NONE:
        return;
    case WEBSOCKET_PIECE_PAYLOAD:
        if (piece->len == 0)
            count_idle(websocket, conn);
        return;
    case WEBSOCKET_PIECE_PING:
        count_idle(websocket, conn);
        if (!websocket->layer.err)
            (void)!send_frame(websocket, conn, WEBSOCKET_PONG, piece);
        return;
    case WEBSOCKET_PIECE_PONG:
        count_idle(websocket, conn);
        return;
    case WEBSOCKET_PIECE_CLOSE:
        end(websocket, conn, piece->code, -ERR_CLOSED);
        return;
    case WEBSOCKET_PIECE_BAD:
        end(websocket, conn, piece->code, bad_err(piece->code));
        return;
    }
}

/* The payload moves to the front of the very bytes it came in: frames only make them longer. */
static size_t websocket_input(struct conn_layer *layer, struct conn *conn, uint8_t *bytes,
                              size_t len)
{
    struct websocket *websocket = websocket_of(layer);
    struct websocket_piece piece;
    size_t done = 0;

    websocket_wire_feed(websocket->wire, bytes, len);
    do {
        if (layer->err)
            break;
        piece = websocket_wire_next(websocket->wire);
        take(websocket, conn, &piece);
        if (piece.kind != WEBSOCKET_PIECE_PAYLOAD || piece.len == 0)
            continue;
        memcpy(bytes + done, piece.bytes, piece.len);
        done += piece.len;
    } while (piece.kind != WEBSOCKET_PIECE_NONE);
    return done;
}

static int websocket_write(struct conn_layer *layer, struct conn *conn, const uint8_t *bytes,
                           size_t len)
{
    struct websocket_piece payload = {.bytes = bytes, .len = len};

    return send_frame(websocket_of(layer), conn, WEBSOCKET_BINARY, &payload);
}

static void websocket_finish(struct conn_layer *layer, struct conn *conn)
{
    send_close(websocket_of(layer), conn, WEBSOCKET_NORMAL);
}

static const struct conn_layer_ops layer_ops = {
    .input = websocket_input,
    .write = websocket_write,
    .finish = websocket_finish,
    .free = websocket_free,
};

int websocket_attach(struct conn *conn, enum websocket_role role)
{
    struct websocket *websocket = calloc(1, sizeof(*websocket));

    if (!websocket)
        return -ENOMEM;
    websocket->layer.ops = &layer_ops;
    if (websocket_wire_new(&websocket->wire, role) < 0) {
        free(websocket);
        return -ENOMEM;
    }
    websocket->window_us = loop_now_us(conn_loop(conn));
    conn_set_layer(conn, &websocket->layer);
    return 0;
}
