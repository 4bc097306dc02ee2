/* http/h2_private.h: what h2.c (life and input) and h2_out.c (output) share.
 *
 * nghttp2 keeps the protocol's state; it gets bytes from the conn and gives bytes to it.
 * Frames are made only while the conn holds less than OUTPUT_HIGH_BYTES.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/answer.h"
#include "http/h2_guard.h"
#include "http/server_private.h"

struct h2 {
    struct link link;
    nghttp2_session *session; /* owned */
    struct list streams;      /* their memory is in their requests' arenas */

    struct http_server *server;
    struct conn *conn;
    struct loop_task free_task, flush_task;
    struct h2_guard guard;
    struct h2_walk walk;
    struct h2_resets resets;
    int64_t deadline_us; /* without a stream; 0: none */
    size_t kept_bytes;   /* of bodies */
    uint32_t blame;      /* an HTTP/2 error to end with; 0: none */
    bool is_receiving;   /* output waits until the input was read */
    bool is_flush_due;
    bool has_settings;
    bool is_closed;
};

struct h2_stream {
    struct list on_h2;
    struct http_request *request;
    struct h2 *h2;
    struct buf *body; /* owned: of the answer */
    size_t offset, left;

    int32_t id;
    int64_t deadline_us; /* for the request to be whole */
    int64_t mark_us;     /* when the answer last got ahead: see h2_out.c */
    size_t mark_left;
    size_t header_bytes, kept_bytes;
    unsigned status; /* to refuse the request with once its head is whole */
    const char *scheme, *raw_path;
    char *cookies;
    bool has_head;
    bool is_whole; /* the peer's END_STREAM came */
};

extern const struct carrier h2_carrier;

/* Frames wait: write them after this turn's callbacks, so that answers given together travel
 * together. */
void h2_flush_later(struct h2 *h2);

/* Writes frames as far as the conn should hold them; closes when there is nothing left to say
 * or hear. */
void h2_flush(struct h2 *h2);

/* Resets streams whose peer takes nothing. */
void h2_check_stalls(struct h2 *h2, int64_t now_us);

/* Lets go of everything but the conn. */
void h2_end(struct h2 *h2);

/* Called by nghttp2 while it makes frames. */
void h2_out_set_callbacks(nghttp2_session_callbacks *callbacks);
