/* agent-proto/control.h: one end of a control connection: framing, order, liveness. Pure: bytes
 * and the time in, bytes out. Both ends are the same code; a table says which message may come
 * from whom in which state.
 *
 *     server: preface ──Challenge──▶ greeting ──Hello, Enrol──▶ deciding ──Welcome──▶ ready
 *     agent:                         greeting ──Challenge────▶ deciding ──Welcome──▶ ready
 *     ready ──Goodbye──▶ leaving ──▶ closed
 *
 * Who an agent is, and what the messages mean, is decided by the owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent-proto/culvert.pb-c.h"
#include "base/err.h"

enum control_role { CONTROL_SERVER, CONTROL_AGENT };

enum control_state {
    CONTROL_PREFACE,
    CONTROL_GREETING,
    CONTROL_DECIDING,
    CONTROL_READY,
    CONTROL_LEAVING,
    CONTROL_CLOSED,
    CONTROL_STATES
};

enum {
    CONTROL_HEARTBEAT_US = 5000000,
    CONTROL_SILENCE_US = 15000000, /* a peer that is silent for so long is dead */
    CONTROL_MESSAGES_PER_S = 500   /* more, for longer than a few seconds, is an attack */
};

struct control_handler {
    /* Sends bytes; a negative answer ends the connection. */
    int (*write)(void *owner, const void *bytes, size_t len);

    /* A message that may come now; pings and pongs are answered before. A negative answer ends
     * the connection with it. */
    int (*on_message)(void *owner, const Culvert__Envelope *message);
};

struct control {
    const struct control_handler *handler;
    void *owner; /* borrowed */
    enum control_role role;
    enum control_state state;
    int64_t heard_us, sent_us, deadline_us; /* deadline_us: of this state; 0 none */
    int64_t heartbeat_us;
    int64_t allowance_us; /* the time by which the messages so far were due */
    int64_t rtt_us;       /* the newest ping's; 0 unknown */
    const char *reason;   /* after an error: for people and the log */
};

/* An agent sends its preface at once, from here. */
int control_init(struct control *control, enum control_role role,
                 const struct control_handler *handler, void *owner) MUST_CHECK;
int control_start(struct control *control, int64_t now_us) MUST_CHECK;

/* How many bytes it used, or a negative error: the peer was told if it can understand, and the
 * connection is to be closed. */
ssize_t control_input(struct control *control, const uint8_t *bytes, size_t len,
                      int64_t now_us) MUST_CHECK;

/* The time at which control_tick wants to be called. */
int64_t control_wake_us(const struct control *control);

/* Sends a ping when it is time. -ERR_TIMEOUT: the peer is dead, or too slow to greet. */
int control_tick(struct control *control, int64_t now_us) MUST_CHECK;

/* Only messages that this role may send in this state (else -ERR_PROTOCOL: a bug). */
int control_send(struct control *control, const Culvert__Envelope *message,
                 int64_t now_us) MUST_CHECK;

/* To a later state, with its deadline. */
void control_enter(struct control *control, enum control_state state, int64_t now_us);

/* Says why, in words, and closes; the bytes are still to be flushed. */
void control_refuse(struct control *control, const Culvert__Refused *refused, int64_t now_us);

/* "hello", "cameras" …; "unknown" for what this program doesn't know. */
const char *control_message_name(const Culvert__Envelope *message);
