/* net/conn_internal.h: what the files of the connection share. */
#pragma once

#include "base/list.h"
#include "net/conn_layer.h"
#include "net/out_queue.h"
#include "net/tls_session.h"

enum conn_state {
    CONN_CONNECTING, /* the kernel connects */
    CONN_HANDSHAKE,  /* TLS */
    CONN_OPEN,
    CONN_FLUSHING,  /* no callbacks any more: the queue is written … */
    CONN_LINGERING, /* … and the peer reads it before we close */
    CONN_CLOSED
};

struct conn {
    /* owned */
    struct tls_session *tls;  /* NULL: plain, or not begun yet */
    struct conn_layer *layer; /* NULL: handlers get what comes as it is */
    uint8_t *kept;            /* input that the handler left; NULL when there is none */
    struct out_queue out;
    int fd;

    /* borrowed */
    struct loop *loop;
    const struct conn_handler *handler; /* NULL before conn_set_handler */
    void *owner;
    struct tls_server *tls_server; /* until the first byte: a silent peer costs no TLS */

    struct loop_io io;
    struct loop_timer timer;      /* runs out at armed_us, at or before any deadline */
    struct loop_timer read_timer; /* reads again in the next turn what TLS holds back */
    struct loop_task turn_task;   /* things to tell the owner outside its own calls */
    struct loop_task free_task;
    struct list ownerless; /* on the list of those that conn_close_flushed left */

    enum conn_state state;
    struct conn_limits limits;
    size_t kept_len, kept_room;
    int64_t phase_deadline_us; /* handshake, first byte, flush; 0: none */
    int64_t owner_deadline_us; /* conn_set_deadline; 0: none */
    int64_t armed_us;          /* 0: the timer rests */
    int pending_err;           /* a write failed: on_closed follows from turn_task */
    unsigned cork_count;
    bool is_turn_due;      /* turn_task is queued */
    bool is_opened_due;    /* on_open is owed */
    bool is_offer_due;     /* kept input is owed to the handler */
    bool is_drained_due;   /* on_drained is owed */
    bool is_above_mark;    /* the backlog was above the low water mark */
    bool is_paused;        /* by the owner */
    bool is_offering;      /* inside on_input */
    bool is_kept_framed;   /* the layer came after what is kept, which is still to go through it */
    bool has_input;        /* the first byte came */
    bool read_wants_write; /* TLS can't read before it has written */

    struct addr peer, local;
    char alpn[32];
    struct conn_counters counters;
};

/* Tells the owner what is due after this turn's callbacks. */
void conn_tell_later(struct conn *conn);

/* Closes for good and frees after the turn. Idempotent. */
void conn_shut(struct conn *conn);

/* Closes, then on_closed, unless the owner has let go. */
void conn_fail(struct conn *conn, int err);

/* Watches for what the state needs. */
void conn_watch(struct conn *conn);

/* Arms the timer for the nearest deadline. */
void conn_arm(struct conn *conn);

/* Writes what the kernel takes. 0 or the error that ends the connection. */
int conn_flush(struct conn *conn) MUST_CHECK;

/* Notes that the backlog fell, for on_drained. */
void conn_check_mark(struct conn *conn);

/* An owned conn without a descriptor. */
int conn_new(struct conn **out, struct loop *loop, const struct conn_limits *limits) MUST_CHECK;

/* delay_us from now, 0 for none. */
void conn_set_phase_deadline(struct conn *conn, int64_t delay_us);
void conn_on_io(struct loop_io *io, unsigned events);

/* The next step of opening. 0, also when it must wait, or the error that ends it. */
int conn_connected(struct conn *conn) MUST_CHECK;
int conn_handshake(struct conn *conn) MUST_CHECK;

/* Reads and gives out, for one turn. 0 or the error that ends the connection. May close. */
int conn_read_turn(struct conn *conn) MUST_CHECK;

/* The same, and ends it. */
void conn_read(struct conn *conn);

/* The kernel doesn't know what OpenSSL holds: reads it in the next turn. */
void conn_read_held(struct conn *conn);
bool conn_can_read(const struct conn *conn);

/* 0 or the error that ends the connection. May close. */
int conn_offer_kept(struct conn *conn) MUST_CHECK;

/* Output that the kernel has not taken, encrypted or not. */
static inline size_t conn_waiting(const struct conn *conn)
{
    return conn->out.bytes + (conn->tls ? tls_session_unsent(conn->tls) : 0);
}
