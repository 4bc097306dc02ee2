#include "net/out_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 8, PIECE_COST = 64 };

static struct out_piece *piece_at(const struct out_queue *queue, size_t index)
{
    return &queue->pieces[(queue->first + index) & (queue->room - 1)];
}

void out_queue_fini(struct out_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        buf_unref(piece_at(queue, i)->buf);
    free(queue->pieces);
    *queue = (struct out_queue){.pieces = NULL};
}

static int queue_grow(struct out_queue *queue)
{
    size_t room = queue->room ? queue->room * 2 : FIRST_ROOM;
    struct out_piece *pieces = calloc(room, sizeof(*pieces));

    if (!pieces)
        return -ENOMEM;
    for (size_t i = 0; i < queue->count; i++)
        pieces[i] = *piece_at(queue, i);
    free(queue->pieces);
    queue->pieces = pieces;
    queue->room = room;
    queue->first = 0;
    return 0;
}

int out_queue_push(struct out_queue *queue, struct buf *buf, size_t offset, size_t len)
{
    if (queue->count == queue->room && queue_grow(queue) < 0)
        return -ENOMEM;
    *piece_at(queue, queue->count) = (struct out_piece){buf_ref(buf), offset, len};
    queue->count++;
    queue->bytes += len;
    return 0;
}

size_t out_queue_cost(const struct out_queue *queue)
{
    return queue->bytes + queue->count * PIECE_COST;
}

int out_queue_gather(const struct out_queue *queue, struct iovec *to, int max)
{
    int count = 0;

    for (; count < max && (size_t)count < queue->count; count++) {
        const struct out_piece *piece = piece_at(queue, (size_t)count);

        to[count].iov_base = piece->buf->bytes + piece->offset;
        to[count].iov_len = piece->len;
    }
    return count;
}

size_t out_queue_copy(const struct out_queue *queue, uint8_t *to, size_t room)
{
    size_t done = 0;

    for (size_t i = 0; i < queue->count && done < room; i++) {
        const struct out_piece *piece = piece_at(queue, i);
        size_t len = piece->len < room - done ? piece->len : room - done;

        memcpy(to + done, piece->buf->bytes + piece->offset, len);
        done += len;
    }
    return done;
}

const uint8_t *out_queue_front(const struct out_queue *queue, size_t *len)
{
    const struct out_piece *piece;

    *len = 0;
    if (queue->count == 0)
        return NULL;
    piece = piece_at(queue, 0);
    *len = piece->len;
    return piece->buf->bytes + piece->offset;
}

void out_queue_consume(struct out_queue *queue, size_t len)
{
    while (len > 0 && queue->count > 0) {
        struct out_piece *piece = piece_at(queue, 0);
        size_t part = piece->len < len ? piece->len : len;

        piece->offset += part;
        piece->len -= part;
        queue->bytes -= part;
        len -= part;
        if (piece->len > 0)
            return;
        buf_unref(piece->buf);
        queue->first = (queue->first + 1) & (queue->room - 1);
        queue->count--;
    }
    if (queue->count == 0)
        out_queue_fini(queue);
}
