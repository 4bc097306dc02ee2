/* net/out_queue.h: shared buffers that wait to be written, in order; private to lib/net.
 *
 * Owns one reference a piece. Its array is allocated when there is something to hold and
 * freed when the queue is empty. Bounded by its user (see out_queue_cost).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"

struct out_piece {
    struct buf *buf;
    size_t offset, len;
};

struct out_queue {
    struct out_piece *pieces; /* owned ring of room (a power of two) */
    size_t room, first, count;
    size_t bytes;
};

void out_queue_fini(struct out_queue *queue);

/* Keeps its own reference. 0 or -ENOMEM. len must not be 0. */
int out_queue_push(struct out_queue *queue, struct buf *buf, size_t offset, size_t len) MUST_CHECK;

/* The memory that the queue is responsible for, pieces' own cost included. */
size_t out_queue_cost(const struct out_queue *queue);

/* Fills at most max entries, from the front; returns how many. */
int out_queue_gather(const struct out_queue *queue, struct iovec *to, int max);

/* Copies at most room bytes from the front; returns how many. */
size_t out_queue_copy(const struct out_queue *queue, uint8_t *to, size_t room);

/* The bytes at the front that lie in one piece; *len is 0 when the queue is empty. */
const uint8_t *out_queue_front(const struct out_queue *queue, size_t *len);

/* Drops len bytes (at most what there is) from the front. */
void out_queue_consume(struct out_queue *queue, size_t len);
