#include "server/tunnel/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/text.h"
#include "base/log.h"
#include "base/random.h"
#include "net/log_limit.h"

enum { FLUSH_US = 2000000, DRAIN_MS = 10000, HOLD_REPLACED_MS = 30000, SENTENCE = 192 };

/* What the relay, on its own loop, asks of an agent. */
struct agent_session_post {
    struct loop_task task;
    struct agent_session *session;
    void (*run)(struct agent_session *session, const struct agent_session_post *post);
    char camera_id[STORE_ID], reason[SENTENCE];
    uint8_t ticket[RELAY_TICKET];
};

struct agent_session *agent_session_of(struct list *link)
{
    return list_entry(link, struct agent_session, link);
}

static void free_session(struct loop_task *task)
{
    free(list_entry(task, struct agent_session, gone));
}

void agent_session_release(struct agent_session *session)
{
    if (--session->holds > 0)
        return;
    session->gone.run = free_session;
    loop_defer(session->loop, &session->gone);
}

static void on_released(struct relay_agent *agent)
{
    agent_session_release((struct agent_session *)(void *)agent);
}

/* The connection is closed, or closing by itself. */
static void end(struct agent_session *session)
{
    struct tunnel *tunnel = session->tunnel;

    if (!tunnel)
        return;
    session->conn = NULL;
    session->tunnel = NULL;
    commands_drop(session);
    list_remove(&session->link);
    if (session->is_let_in)
        tunnel->counters.agents--;
    else
        tunnel->unproved--;
    if (session->is_known && tunnel->is_closing)
        agent_session_release(session);
    else if (session->is_known)
        relay_agent_gone(tunnel->env.relay, &session->relay, on_released);
    agent_session_release(session);
}

void agent_session_close(struct agent_session *session)
{
    conn_close(session->conn);
    end(session);
}

void agent_session_close_flushed(struct agent_session *session)
{
    if (session->conn)
        conn_close_flushed(session->conn, FLUSH_US);
    end(session);
}

int agent_session_send(struct agent_session *session, Culvert__Envelope *envelope)
{
    if (!session->tunnel)
        return -ERR_CLOSED;
    return control_send(&session->control, envelope, loop_now_us(session->loop));
}

int agent_session_refuse(struct agent_session *session, struct agent_session_words words)
{
    Culvert__Refused refused;
    char text[SENTENCE], from[ADDR_TEXT];

    if (!session->tunnel)
        return -ERR_DENIED;
    culvert__refused__init(&refused);
    (void)!snprintf(text, sizeof(text), "%s", words.text);
    refused.code = words.code;
    refused.text = text;
    refused.highest_epoch = words.highest_epoch;
    LOG_STRANGER(conn_peer(session->conn), LOG_WARN, "agent", session->relay.id, "refused",
                 KV_S("reason", words.text),
                 KV_S("from", addr_format_host(conn_peer(session->conn), from)));
    session->tunnel->counters.refused++;
    control_refuse(&session->control, &refused, loop_now_us(session->loop));
    agent_session_close_flushed(session);
    return -ERR_DENIED;
}

static void say_goodbye(struct agent_session *session, const char *reason, uint32_t hold_ms)
{
    Culvert__Envelope envelope;
    Culvert__Goodbye goodbye;
    char text[SENTENCE];

    culvert__envelope__init(&envelope);
    culvert__goodbye__init(&goodbye);
    (void)!snprintf(text, sizeof(text), "%s", reason);
    goodbye.reason = text;
    goodbye.hold_ms = hold_ms;
    goodbye.deadline_ms = hold_ms ? 0 : DRAIN_MS;
    envelope.body_case = CULVERT__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &goodbye;
    (void)!agent_session_send(session, &envelope); /* it closes either way */
}

void agent_session_drain(struct agent_session *session)
{
    if (session->control.state != CONTROL_READY)
        return;
    say_goodbye(session, "the server stops or restarts", 0);
}

static void post_run(struct loop_task *task)
{
    struct agent_session_post *post = list_entry(task, struct agent_session_post, task);

    if (post->session->tunnel)
        post->run(post->session, post);
    free(post);
}

static void post_to(struct relay_agent *agent, const struct agent_session_post *message)
{
    struct agent_session_post *post = malloc(sizeof(*post));
    struct agent_session *session = (struct agent_session *)(void *)agent;

    if (!post) {
        LOG(LOG_ERROR, "agent", agent->id, "message-lost", KV_ERR(ENOMEM));
        return;
    }
    *post = *message;
    post->session = session;
    post->task.run = post_run;
    loop_post(session->loop, &post->task);
}

static void end_on_error(struct agent_session *session, int err)
{
    if (err == 0 || !session->tunnel)
        return;
    LOG(LOG_WARN, "agent", session->relay.id, "control-lost", KV_ERR(err));
    agent_session_close(session);
}

static void run_start(struct agent_session *session, const struct agent_session_post *post)
{
    end_on_error(session, commands_add(session, post->camera_id, post->ticket));
}

static void run_stop(struct agent_session *session, const struct agent_session_post *post)
{
    end_on_error(session, commands_add(session, post->camera_id, NULL));
}

static void run_cameras(struct agent_session *session, const struct agent_session_post *post)
{
    (void)post;
    end_on_error(session, commands_list_cameras(session));
}

static void run_drop(struct agent_session *session, const struct agent_session_post *post)
{
    agent_session_review(session);
    if (!session->tunnel)
        return; /* its key was revoked: it was told */
    LOG(LOG_INFO, "agent", session->relay.id, "dropped", KV_S("reason", post->reason));
    say_goodbye(session, post->reason, HOLD_REPLACED_MS);
    agent_session_close_flushed(session);
}

static void relay_start(struct relay_agent *agent, const char *camera_id,
                        const uint8_t ticket[RELAY_TICKET])
{
    struct agent_session_post post = {.run = run_start};

    (void)!snprintf(post.camera_id, sizeof(post.camera_id), "%s", camera_id);
    memcpy(post.ticket, ticket, sizeof(post.ticket));
    post_to(agent, &post);
}

static void relay_stop(struct relay_agent *agent, const char *camera_id)
{
    struct agent_session_post post = {.run = run_stop};

    (void)!snprintf(post.camera_id, sizeof(post.camera_id), "%s", camera_id);
    post_to(agent, &post);
}

static void relay_cameras(struct relay_agent *agent)
{
    struct agent_session_post post = {.run = run_cameras};

    post_to(agent, &post);
}

static void relay_drop(struct relay_agent *agent, const char *reason)
{
    struct agent_session_post post = {.run = run_drop};

    (void)!snprintf(post.reason, sizeof(post.reason), "%s", reason);
    post_to(agent, &post);
}

/* ---- what agents say ---- */

static int take_state(struct agent_session *session, const Culvert__Envelope *message)
{
    static const enum camera_state states[] = {
        [CULVERT__CAMERA_STATE__STATE__IDLE] = CAMERA_IDLE,
        [CULVERT__CAMERA_STATE__STATE__CONNECTING] = CAMERA_CONNECTING,
        [CULVERT__CAMERA_STATE__STATE__LIVE] = CAMERA_LIVE,
        [CULVERT__CAMERA_STATE__STATE__UNREACHABLE] = CAMERA_UNREACHABLE,
        [CULVERT__CAMERA_STATE__STATE__UNAUTHORISED] = CAMERA_UNAUTHORISED,
        [CULVERT__CAMERA_STATE__STATE__UNSUPPORTED] = CAMERA_UNSUPPORTED,
        [CULVERT__CAMERA_STATE__STATE__STALLED] = CAMERA_STALLED,
    };
    const Culvert__CameraState *state = message->state;
    char text[SENTENCE], id[STORE_ID];

    if ((unsigned)state->state >= sizeof(states) / sizeof(states[0]))
        return 0; /* a state of a later version */
    relay_camera_state(session->tunnel->env.relay, session->relay.id,
                       text_clean(id, sizeof(id), state->camera_id), states[state->state],
                       text_clean(text, sizeof(text), state->text));
    return 0;
}

static int take_stats(struct agent_session *session, const Culvert__Envelope *message)
{
    for (size_t i = 0; i < message->stats->n_lanes; i++) {
        const Culvert__LaneStats *lane = message->stats->lanes[i];
        char id[STORE_ID];

        LOG(LOG_DEBUG, "agent", session->relay.id, "lane",
            KV_S("camera", text_clean(id, sizeof(id), lane->camera_id)),
            KV_I("frames", lane->frames), KV_I("dropped", lane->dropped),
            KV_I("queue_ms", lane->queue_ms));
    }
    return 0;
}

static int take_goodbye(struct agent_session *session, const Culvert__Envelope *message)
{
    (void)message;
    agent_session_close_flushed(session);
    return 0;
}

static int take_refused(struct agent_session *session, const Culvert__Envelope *message)
{
    char text[SENTENCE];

    LOG_STRANGER(conn_peer(session->conn), LOG_WARN, "agent", session->relay.id, "agent-refused-us",
                 KV_S("reason", text_clean(text, sizeof(text), message->refused->text)));
    agent_session_close_flushed(session);
    return 0;
}

static int take_hello(struct agent_session *session, const Culvert__Envelope *message)
{
    return hello_take(session, message->hello);
}

static int take_enrol(struct agent_session *session, const Culvert__Envelope *message)
{
    return enrol_take(session, message->enrol);
}

static const struct {
    Culvert__Envelope__BodyCase body;
    int (*take)(struct agent_session *session, const Culvert__Envelope *message);
} rows[] = {
    {CULVERT__ENVELOPE__BODY_HELLO, take_hello},
    {CULVERT__ENVELOPE__BODY_ENROL, take_enrol},
    {CULVERT__ENVELOPE__BODY_STATE, take_state},
    {CULVERT__ENVELOPE__BODY_STATS, take_stats},
    {CULVERT__ENVELOPE__BODY_GOODBYE, take_goodbye},
    {CULVERT__ENVELOPE__BODY_REFUSED, take_refused},
};

static int on_message(void *owner, const Culvert__Envelope *message)
{
    struct agent_session *session = owner;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].body == message->body_case)
            return rows[i].take(session, message);
    return 0; /* a later version uses it */
}

static int on_write(void *owner, const void *bytes, size_t len)
{
    struct agent_session *session = owner;

    return session->conn ? conn_write_copy(session->conn, bytes, len) : -ERR_CLOSED;
}

static const struct control_handler control_handler = {.write = on_write, .on_message = on_message};

/* ---- the connection ---- */

static int send_challenge(struct agent_session *session)
{
    Culvert__Envelope envelope;
    Culvert__Challenge challenge;
    Culvert__Versions versions;

    culvert__envelope__init(&envelope);
    culvert__challenge__init(&challenge);
    culvert__versions__init(&versions);
    versions.lowest = versions.highest = PROTO_VERSION;
    challenge.versions = &versions;
    challenge.nonce = (ProtobufCBinaryData){PROTO_NONCE, session->proof.nonce};
    envelope.body_case = CULVERT__ENVELOPE__BODY_CHALLENGE;
    envelope.challenge = &challenge;
    session->is_challenged = true;
    return agent_session_send(session, &envelope);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct agent_session *session = owner;
    ssize_t used = control_input(&session->control, bytes, len, loop_now_us(session->loop));

    (void)conn;
    if (!session->tunnel)
        return (ssize_t)len; /* it was refused, or said goodbye */
    if (used >= 0 && session->control.state == CONTROL_GREETING && !session->is_challenged &&
        send_challenge(session) < 0)
        used = -ERR_CLOSED;
    if (used < 0) {
        LOG_STRANGER(conn_peer(conn), LOG_WARN, "agent", session->relay.id, "control-refused",
                     KV_ERR((int)used),
                     KV_S("reason", session->control.reason ? session->control.reason : ""));
        session->tunnel->counters.refused++;
        agent_session_close_flushed(session);
        return (ssize_t)len;
    }
    return used;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct agent_session *session = owner;

    (void)conn;
    if (session->is_let_in)
        LOG(LOG_INFO, "agent", session->relay.id, "control-closed", KV_ERR(err));
    end(session);
}

static void on_drained(void *owner, struct conn *conn)
{
    struct agent_session *session = owner;

    (void)conn;
    end_on_error(session, commands_pump(session));
}

static const struct conn_handler conn_handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static const struct conn_limits conn_limits = {
    .input_bytes = MESSAGE_MAX_TO_SERVER + MESSAGE_LENGTH + PROTO_PREFACE,
    .backlog_bytes = SESSION_BACKLOG,
    .low_water_bytes = SESSION_LOW_WATER,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 10 * 1000000,
};

void agent_session_open(struct tunnel *tunnel, struct conn *conn)
{
    struct agent_session *session = calloc(1, sizeof(*session));
    int err = session ? 0 : -ENOMEM;

    if (err == 0)
        err = conn_exporter(conn, PROTO_EXPORTER_LABEL, session->proof.exporter, PROTO_EXPORTER);
    if (err == 0)
        err = control_init(&session->control, CONTROL_SERVER, &control_handler, session);
    if (err < 0) {
        free(session);
        conn_close(conn);
        return;
    }
    session->conn = conn;
    session->tunnel = tunnel;
    session->loop = tunnel->env.loop;
    session->holds = 1;
    session->relay.start = relay_start;
    session->relay.stop = relay_stop;
    session->relay.cameras_changed = relay_cameras;
    session->relay.drop = relay_drop;
    random_bytes(session->proof.nonce, PROTO_NONCE);
    (void)!control_start(&session->control, loop_now_us(tunnel->env.loop)); /* writes nothing */
    list_append(&tunnel->sessions, &session->link);
    tunnel->unproved++;
    conn_set_limits(conn, &conn_limits);
    conn_set_low_latency(conn, SESSION_BACKLOG); /* else the kernel keeps megabytes for it */
    conn_set_deadline(conn, 0);                  /* the control's own deadlines take over */
    conn_set_handler(conn, &conn_handler, session);
}

void agent_session_tick(struct agent_session *session, int64_t now_us)
{
    int err;

    if (now_us < control_wake_us(&session->control))
        return;
    err = control_tick(&session->control, now_us);
    if (err == 0)
        return;
    LOG_STRANGER(conn_peer(session->conn), LOG_WARN, "agent", session->relay.id, "control-lost",
                 KV_ERR(err),
                 KV_S("reason", session->control.reason ? session->control.reason : ""));
    agent_session_close(session);
}

void agent_session_review(struct agent_session *session)
{
    struct store_agent agent;
    int err;

    if (!session->is_let_in || !session->tunnel)
        return;
    err = store_agent_find(session->tunnel->env.reader, session->relay.id, &agent);
    if (err == -ERR_NOT_FOUND || (err == 0 && agent.revoked_s))
        (void)!agent_session_refuse(
            session,
            (struct agent_session_words){CULVERT__REFUSED__CODE__REVOKED,
                                         "this agent was revoked: enrol it again to use it", 0});
}
