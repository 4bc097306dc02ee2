#include "egress/srt/gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "egress/srt/libsrt.h" /* before ours, see there */

#include "base/clock.h"
#include "egress/srt/session.h"

enum { VERSION_SRT = 5, POLL_US = 1000 };

static atomic_bool is_open;
static atomic_uint inside; /* threads in gate_ask */
static atomic_uint next_loop;

void question_unref(struct question *question)
{
    if (!question || atomic_fetch_sub(&question->refs, 1) > 1)
        return;
    sem_destroy(&question->answered);
    explicit_bzero(question, sizeof(*question));
    free(question);
}

bool question_answer(struct question *question, enum srt_code code, const char *passphrase)
{
    int asked = QUESTION_ASKED;

    question->code = code; /* before the state: these are read after */
    snprintf(question->passphrase, sizeof(question->passphrase), "%s", passphrase);
    if (!atomic_compare_exchange_strong(&question->state, &asked, QUESTION_ANSWERED))
        return false;
    sem_post(&question->answered);
    return true;
}

static void on_question(struct loop_task *task)
{
    struct question *question = list_entry(task, struct question, task);
    struct egress_instance *instance = instance_for(question->loop_index);

    if (instance && !instance->is_draining) {
        srt_session_ask(instance, question);
        return;
    }
    (void)question_answer(question, SRT_CODE_DOWN, "");
    question_unref(question);
}

static struct question *question_new(const struct srt_request *request, int socket,
                                     const struct addr *peer)
{
    struct question *question = calloc(1, sizeof(*question));

    if (!question)
        return NULL;
    question->task.run = on_question;
    atomic_init(&question->refs, 2);
    sem_init(&question->answered, 0, 0);
    question->socket = socket;
    question->peer = *peer;
    question->request = *request;
    return question;
}

static enum srt_code wait_for_answer(struct question *question)
{
    struct timespec until;
    int asked = QUESTION_ASKED;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATE_ANSWER_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (sem_clockwait(&question->answered, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
        continue;
    if (atomic_compare_exchange_strong(&question->state, &asked, QUESTION_ABANDONED))
        return SRT_CODE_OVERLOAD;
    return question->code;
}

/* libsrt itself then refuses callers with another one, or none (SRT_REJ_BADSECRET, _UNSECURE). */
static enum srt_code use_passphrase(const struct question *question)
{
    int len = (int)strlen(question->passphrase);

    if (len && srt_setsockflag(question->socket, SRTO_PASSPHRASE, question->passphrase, len) != 0)
        return SRT_CODE_OVERLOAD;
    return SRT_CODE_OK;
}

/* Loops take turns: a stream's viewers are spread over all of them. */
static enum srt_code ask_loop(const struct srt_request *request, int socket,
                              const struct addr *peer)
{
    unsigned count = instance_count_all();
    unsigned index = count ? atomic_fetch_add(&next_loop, 1) % count : 0;
    struct egress_instance *instance = instance_for(index);
    struct question *question = instance ? question_new(request, socket, peer) : NULL;
    enum srt_code code;

    if (!question)
        return instance ? SRT_CODE_OVERLOAD : SRT_CODE_DOWN;
    question->loop_index = index;
    loop_post(instance->env->loop, &question->task);
    code = wait_for_answer(question);
    if (code == SRT_CODE_OK)
        code = use_passphrase(question);
    question_unref(question);
    return code;
}

/* Whether this port's thread has waited more than its share already. */
static bool is_patience_over(struct gate *gate, int64_t now_us)
{
    gate->spent_us -= (now_us - gate->since_us) / GATE_WAIT_SHARE;
    if (gate->spent_us < 0)
        gate->spent_us = 0;
    gate->since_us = now_us;
    return gate->spent_us > GATE_WAIT_MAX_US;
}

static enum srt_code ask(struct gate *gate, int socket, const struct addr *peer,
                         const char *stream_id)
{
    int64_t now_us = clock_mono_us();
    struct srt_request request;
    enum srt_code code = srt_request_parse(&request, stream_id);

    if (code == SRT_CODE_OK &&
        (is_patience_over(gate, now_us) || !limit_take(&gate->limit, peer, now_us)))
        code = SRT_CODE_OVERLOAD;
    if (code == SRT_CODE_OK) {
        code = ask_loop(&request, socket, peer);
        gate->spent_us += clock_mono_us() - now_us;
    }
    explicit_bzero(&request, sizeof(request));
    return code;
}

int gate_ask(void *gate, int socket, int version, const struct sockaddr *peer,
             const char *stream_id)
{
    struct gate *own = gate;
    struct addr addr = {.len = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                           : sizeof(struct sockaddr_in)};
    enum srt_code code = SRT_CODE_DOWN;

    flood_count(&own->flood);
    memcpy(&addr.storage, peer, addr.len);
    atomic_fetch_add(&inside, 1);
    if (atomic_load(&is_open))
        code = version < VERSION_SRT ? SRT_CODE_BAD_REQUEST
                                     : ask(own, socket, &addr, stream_id ? stream_id : "");
    atomic_fetch_sub(&inside, 1);
    if (code == SRT_CODE_OK)
        return 0;
    (void)srt_setrejectreason(socket, (int)code);
    return -1;
}

void gate_open(void)
{
    atomic_store(&is_open, true);
}

void gate_close(void)
{
    atomic_store(&is_open, false);
    while (atomic_load(&inside)) /* for GATE_ANSWER_US at most */
        usleep(POLL_US);
}
