#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "egress/hls/session.h"

enum { IDLE_US = 60 * 1000000 };

enum session_verb { SESSION_NEW, SESSION_USED, SESSION_GONE };

/* From one loop's instance to another's. */
struct session_message {
    struct loop_task task;
    enum session_verb verb;
    struct egress_instance *to;
    unsigned owner;
    enum packet_kind kind;
    uint64_t bytes;
    char id[SESSION_ID], slug[SLUG_MAX];
    char origins[];
};

static void session_free(struct loop_task *task)
{
    struct hls_session *session = list_entry(task, struct hls_session, gone);

    free(session->origins);
    free(session);
}

struct hls_session *session_find(struct egress_instance *instance, const char *id)
{
    struct map_node *node = map_find(&instance->sessions, id);

    return node ? map_entry(node, struct hls_session, node) : NULL;
}

const char *session_origins(const struct hls_session *session)
{
    return session->origins ? session->origins : session->admission.origins;
}

struct hls_session *session_new(struct egress_instance *instance)
{
    struct hls_session *session;

    if (instance->sessions.count >= SESSIONS_MAX)
        return NULL;
    session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->instance = instance;
    session->kind = PACKET_CMAF;
    session->owner = loop_index(instance->env->loop);
    session->used_us = loop_now_us(instance->env->loop);
    for (unsigned i = 0; i < SESSION_WAITERS; i++) {
        session->waiters[i].session = session;
        list_init(&session->waiters[i].link);
    }
    return session;
}

/* Takes it off this loop; its memory goes after the turn. */
static void session_drop(struct hls_session *session)
{
    struct egress_instance *instance = session->instance;

    for (unsigned i = 0; i < SESSION_WAITERS; i++)
        waiter_drop(&session->waiters[i], 404);
    feed_leave(session);
    map_remove(&instance->sessions, &session->node);
    session->gone.run = session_free;
    loop_defer(instance->env->loop, &session->gone);
}

static void run_new(const struct session_message *message)
{
    struct hls_session *session = session_new(message->to);
    char *origins = strdup(message->origins);

    /* Without memory this loop does not know the viewer: its player asks again. */
    if (!session || !origins) {
        free(session);
        free(origins);
        return;
    }
    session->origins = origins;
    session->owner = message->owner;
    session->kind = message->kind;
    session->told_us = session->used_us;
    memcpy(session->id, message->id, sizeof(session->id));
    memcpy(session->slug, message->slug, sizeof(session->slug));
    map_insert(&message->to->sessions, &session->node, session->id);
}

static void run_message(struct loop_task *task)
{
    struct session_message *message = list_entry(task, struct session_message, task);
    struct hls_session *session = session_find(message->to, message->id);

    switch (message->verb) {
    case SESSION_NEW:
        run_new(message);
        break;
    case SESSION_USED:
        if (session) {
            session->used_us = loop_now_us(message->to->env->loop);
            session->admission.out_bytes += message->bytes;
        }
        break;
    case SESSION_GONE:
        if (session)
            session_drop(session);
        break;
    }
    free(message);
}

static void send_to(const struct hls_session *session, enum session_verb verb, unsigned loop)
{
    const char *origins = verb == SESSION_NEW ? session_origins(session) : "";
    struct session_message *message = calloc(1, sizeof(*message) + strlen(origins) + 1);

    if (!message)
        return;
    message->verb = verb;
    message->to = instance_at(loop);
    message->owner = session->owner;
    message->kind = session->kind;
    message->bytes = session->sent_bytes;
    memcpy(message->id, session->id, sizeof(message->id));
    memcpy(message->slug, session->slug, sizeof(message->slug));
    memcpy(message->origins, origins, strlen(origins) + 1);
    message->task.run = run_message;
    loop_post(message->to->env->loop, &message->task);
}

static void tell_others(const struct hls_session *session, enum session_verb verb)
{
    for (unsigned i = 0; i < instance_count(); i++)
        if (i != session->owner)
            send_to(session, verb, i);
}

void session_begin(struct hls_session *session)
{
    struct egress_instance *instance = session->instance;

    snprintf(session->id, sizeof(session->id), "%02x%016llx%016llx", session->owner & 0xff,
             (unsigned long long)random_u64(), (unsigned long long)random_u64());
    map_insert(&instance->sessions, &session->node, session->id);
    instance->own_count++;
    tell_others(session, SESSION_NEW);
}

void session_end(struct hls_session *session)
{
    struct egress_instance *instance = session->instance;

    tell_others(session, SESSION_GONE);
    instance->env->leave(instance->env, &session->admission);
    instance->own_count--;
    session_drop(session);
}

void session_count(struct hls_session *session, size_t bytes)
{
    struct loop *loop = session->instance->env->loop;

    session->used_us = loop_now_us(loop);
    if (session->owner == loop_index(loop))
        session->admission.out_bytes += bytes;
    else
        session->sent_bytes += bytes;
}

static void tick_one(struct hls_session *session, int64_t now_us)
{
    unsigned here = loop_index(session->instance->env->loop);

    if (session->owner == here && now_us - session->used_us > IDLE_US) {
        session_end(session);
    } else if (session->owner != here && session->used_us > session->told_us) {
        session->told_us = session->used_us;
        send_to(session, SESSION_USED, session->owner);
        session->sent_bytes = 0;
    }
}

void session_tick(struct egress_instance *instance)
{
    int64_t now_us = loop_now_us(instance->env->loop);

    for (struct map_node *node = map_next(&instance->sessions, NULL), *next; node; node = next) {
        next = map_next(&instance->sessions, node);
        tick_one(map_entry(node, struct hls_session, node), now_us);
    }
}

void session_end_all(struct egress_instance *instance)
{
    unsigned here = loop_index(instance->env->loop);

    for (struct map_node *node = map_next(&instance->sessions, NULL), *next; node; node = next) {
        struct hls_session *session = map_entry(node, struct hls_session, node);

        next = map_next(&instance->sessions, node);
        if (session->owner == here) {
            instance->env->leave(instance->env, &session->admission);
            instance->own_count--;
        }
        session_drop(session);
    }
}
