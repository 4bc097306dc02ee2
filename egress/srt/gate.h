/* egress/srt/gate.h: who is let in; private to egress/srt/.
 *
 * libsrt asks about a caller on the thread that receives for the whole port: while it waits for an
 * answer, other viewers' losses aren't mended. So what needs no token is answered at once, and the
 * rest is a question to a loop, which answers as soon as it has looked at the token. A caller waits
 * at most GATE_ANSWER_US, all of a port's at most GATE_WAIT_SHARE of the time, and one address asks
 * only so often (limit.h): what is beyond is refused with SRT_CODE_OVERLOAD.
 */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>

#include "egress/srt/flood.h"
#include "egress/srt/limit.h"
#include "egress/srt/wire.h"

struct sockaddr;

enum {
    GATE_ANSWER_US = 50 * 1000,
    GATE_WAIT_SHARE = 5,            /* a fifth */
    GATE_WAIT_MAX_US = 1000 * 1000, /* saved up while nobody came */
};

/* One for each port, used by its thread alone, but for flood. */
struct gate {
    struct flood flood;
    struct limit limit;
    int64_t spent_us; /* on waiting, and not paid off yet by time that passed */
    int64_t since_us; /* the spent time is as of then */
};

enum question_state { QUESTION_ASKED, QUESTION_ANSWERED, QUESTION_ABANDONED };

/* Counted: one reference each for libsrt's thread and the loop. */
struct question {
    struct loop_task task;
    atomic_uint refs;
    atomic_int state;
    sem_t answered;
    enum srt_code code; /* the answer, and with SRT_CODE_OK: */
    char passphrase[PASSPHRASE_TEXT];
    unsigned loop_index;
    int socket; /* libsrt's, not connected yet */
    struct addr peer;
    struct srt_request request;
};

/* libsrt's srt_listen_callback_fn, with a port's gate: 0 lets the caller in. */
int gate_ask(void *gate, int socket, int version, const struct sockaddr *peer,
             const char *stream_id);

/* For callers from now on: off at first. Closing waits for those who are asking. */
void gate_open(void);
void gate_close(void);

/* On the loop, once. passphrase: "" for a caller that may not encrypt. False: nobody waits for it
 * any more, the caller was refused. */
bool question_answer(struct question *question, enum srt_code code, const char *passphrase);

/* Takes NULL. */
void question_unref(struct question *question);
