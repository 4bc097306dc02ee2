/* net/conn_layer.h: a framing between a connection and its handler (a WebSocket, say).
 *
 * With a layer on, bytes that come are taken out of its frames before the handler sees them, and
 * what is written is framed before it is queued; handlers know nothing of it. Limits, backlog and
 * counters are those of the framed bytes.
 */
#pragma once

#include "net/conn.h"

struct conn_layer;

struct conn_layer_ops {
    /* Takes the payload out of len bytes and leaves it at their front: its length. May write.
     * Keeps what is cut short itself, in bounded memory. At the layer's end sets err. */
    size_t (*input)(struct conn_layer *layer, struct conn *conn, uint8_t *bytes, size_t len);

    /* Frames len > 0 bytes and hands them to conn_queue: its result, or -ENOMEM. */
    int (*write)(struct conn_layer *layer, struct conn *conn, const uint8_t *bytes, size_t len);

    /* The conn is about to be closed after what is queued: the layer's last words. */
    void (*finish)(struct conn_layer *layer, struct conn *conn);
    void (*free)(struct conn_layer *layer);
};

struct conn_layer {
    const struct conn_layer_ops *ops;
    int err; /* not 0: it is over, on_closed gets this once the handler had what came before */
};

/* Puts the layer on an open conn that has none; takes it. Input that nobody has used yet goes
 * through it, also when called from on_input, and output from now on. */
void conn_set_layer(struct conn *conn, struct conn_layer *layer);

/* conn_write below the layer. */
int conn_queue(struct conn *conn, struct buf *buf, size_t offset, size_t len) MUST_CHECK;
