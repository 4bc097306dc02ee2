#include "agent/uplink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/control.h"
#include "agent-proto/message.h"
#include "agent-proto/text.h"
#include "agent/camera.h"
#include "agent/reach.h"
#include "agent/system.h"
#include "base/log.h"
#include "base/random.h"
#include "net/conn.h"

enum { BACKOFF_MIN_US = 500000, BACKOFF_MAX_US = 30 * 1000000, LONG_WAIT_US = 60 * 1000000 };
enum {
    STEADY_US = 10 * 1000000,
    PROBE_US = 3 * 1000000,
    SENTENCE = 192,
    LIST_MAX = 1024,
    LIST_PARTS = 128
};
enum { FLUSH_US = 1000000 };

struct uplink {
    struct agent *agent; /* borrowed */
    struct reach *reach; /* owned; NULL once connected */
    struct conn *conn;   /* owned; NULL before, and once closed */
    const struct way *way;
    struct control control;
    struct loop_task gone;
    int64_t probe_us; /* by then something must have been heard; 0: no doubt */
    int64_t welcome_us;
    bool is_over;
    /* The list of cameras as it comes in, over several messages. Owned copies of messages. */
    ProtobufCMessage *parts[LIST_PARTS];
    size_t part_count;
};

static void take_list(struct uplink *uplink);

static void drop_parts(struct uplink *uplink)
{
    while (uplink->part_count)
        message_free(uplink->parts[--uplink->part_count]);
}

static void free_uplink(struct loop_task *task)
{
    free(list_entry(task, struct uplink, gone));
}

static void retry_in(struct agent *agent, int64_t delay_us)
{
    if (agent->is_stopping)
        return;
    loop_timer_start(&agent->retry, delay_us);
}

static void set_words(struct agent *agent, const char *words)
{
    (void)snprintf(agent->words, sizeof(agent->words), "%s", words);
    agent->is_status_due = true;
}

/* Half to three halves of the back-off, so that agents don't come back all at once. */
static void retry_later(struct agent *agent)
{
    int64_t delay_us = agent->backoff_us / 2 + (int64_t)random_below((uint64_t)agent->backoff_us);

    agent->backoff_us *= 2;
    if (agent->backoff_us > BACKOFF_MAX_US)
        agent->backoff_us = BACKOFF_MAX_US;
    retry_in(agent, delay_us < BACKOFF_MAX_US ? delay_us : BACKOFF_MAX_US);
}

/* Takes it out of the agent; the memory goes after the turn. */
static void end(struct uplink *uplink)
{
    struct agent *agent = uplink->agent;

    if (uplink->is_over)
        return;
    uplink->is_over = true;
    reach_close(uplink->reach);
    conn_close(uplink->conn);
    drop_parts(uplink);
    if (agent->current == uplink) {
        agent->current = NULL;
        agent->online_us = 0;
    }
    if (agent->next == uplink)
        agent->next = NULL;
    agent->is_status_due = true;
    uplink->gone.run = free_uplink;
    loop_defer(agent->loop, &uplink->gone);
}

static void lose(struct uplink *uplink, int err, const char *reason)
{
    struct agent *agent = uplink->agent;
    bool was_steady =
        uplink->welcome_us && loop_now_us(agent->loop) - uplink->welcome_us > STEADY_US;

    if (uplink->is_over)
        return;
    LOG(LOG_WARN, "agent", agent->identity.agent_id, "connection-lost", KV_ERR(err),
        KV_S("reason", reason ? reason : err_text(err)));
    set_words(agent, reason ? reason : err_text(err));
    end(uplink);
    if (was_steady)
        agent->backoff_us = BACKOFF_MIN_US;
    if (!agent->current && !agent->next && !loop_timer_is_active(&agent->retry))
        retry_later(agent);
}

static int send_envelope(struct uplink *uplink, Culvert__Envelope *envelope)
{
    return control_send(&uplink->control, envelope, loop_now_us(uplink->agent->loop));
}

static void send_or_lose(struct uplink *uplink, Culvert__Envelope *envelope)
{
    int err = send_envelope(uplink, envelope);

    if (err < 0)
        lose(uplink, err, NULL);
}

/* ---- what the server says ---- */

static int sign_hello(struct uplink *uplink, const Culvert__Challenge *challenge,
                      uint8_t signature[ED25519_SIGNATURE])
{
    struct proto_proof proof;
    uint8_t bytes[PROTO_SIGNED_MAX];
    size_t len;
    int err;

    if (challenge->nonce.len != PROTO_NONCE)
        return -ERR_PROTOCOL;
    memcpy(proof.nonce, challenge->nonce.data, PROTO_NONCE);
    err = conn_exporter(uplink->conn, PROTO_EXPORTER_LABEL, proof.exporter, PROTO_EXPORTER);
    if (err < 0)
        return err;
    len = proof_bytes(&proof, NULL, bytes);
    return ed25519_sign(uplink->agent->identity.key, bytes, len, signature);
}

static int take_challenge(struct uplink *uplink, const Culvert__Envelope *message)
{
    struct agent *agent = uplink->agent;
    uint8_t signature[ED25519_SIGNATURE];
    char version[64], system[64], transport[32];
    Culvert__Envelope envelope;
    Culvert__Hello hello;
    Culvert__Versions versions;
    int err = sign_hello(uplink, message->challenge, signature);

    culvert__envelope__init(&envelope);
    culvert__hello__init(&hello);
    culvert__versions__init(&versions);
    if (err == 0)
        err = state_next_epoch(agent->state, &hello.epoch);
    if (err < 0)
        return err;
    (void)snprintf(version, sizeof(version), "%s", CULVERT_VERSION);
    system_describe(system, sizeof(system));
    (void)snprintf(transport, sizeof(transport), "%s", uplink->way->name);
    versions.lowest = versions.highest = PROTO_VERSION;
    hello.agent_id = agent->identity.agent_id;
    hello.signature = (ProtobufCBinaryData){sizeof(signature), signature};
    hello.versions = &versions;
    hello.software = version;
    hello.system = system;
    hello.transport = transport;
    envelope.body_case = CULVERT__ENVELOPE__BODY_HELLO;
    envelope.hello = &hello;
    control_enter(&uplink->control, CONTROL_DECIDING, loop_now_us(agent->loop));
    return send_envelope(uplink, &envelope);
}

/* The next connection, also after a restart, is first tried by the way that worked. */
static void remember(struct uplink *uplink)
{
    struct agent *agent = uplink->agent;

    agent->way = uplink->way;
    if (agent->ways.preferred == uplink->way)
        return;
    agent->ways.preferred = uplink->way;
    state_write_way(agent->state, uplink->way->name);
}

static int take_welcome(struct uplink *uplink, const Culvert__Envelope *message)
{
    struct agent *agent = uplink->agent;
    const Culvert__Welcome *welcome = message->welcome;
    int64_t now_us = loop_now_us(agent->loop);
    struct uplink *old = agent->current;

    if (welcome->version != PROTO_VERSION)
        return -ERR_VERSION;
    control_enter(&uplink->control, CONTROL_READY, now_us);
    if (welcome->heartbeat_ms >= 1000 && welcome->heartbeat_ms <= 10000)
        uplink->control.heartbeat_us = welcome->heartbeat_ms * 1000LL;
    uplink->welcome_us = now_us;
    agent->next = NULL;
    agent->current = uplink;
    if (old && old != uplink)
        end(old);
    agent->online_us = now_us;
    loop_timer_stop(&agent->retry);
    set_words(agent, "connected");
    remember(uplink);
    LOG(LOG_INFO, "agent", agent->identity.agent_id, "connected", KV_S("server", agent->host),
        KV_I("port", agent->port), KV_S("transport", uplink->way->name));
    cameras_tell_states(agent);
    return 0;
}

static int take_cameras(struct uplink *uplink, const Culvert__Envelope *message)
{
    struct message_bytes packed;
    uint8_t *bytes;

    if (uplink->part_count == sizeof(uplink->parts) / sizeof(uplink->parts[0]))
        return -ERR_TOO_MANY;
    packed.len = culvert__cameras__get_packed_size(message->cameras);
    bytes = malloc(packed.len + 1);
    if (!bytes)
        return -ENOMEM;
    culvert__cameras__pack(message->cameras, bytes);
    packed.bytes = bytes;
    uplink->parts[uplink->part_count] = message_unpack(&culvert__cameras__descriptor, packed);
    free(bytes);
    if (!uplink->parts[uplink->part_count])
        return -ENOMEM;
    uplink->part_count++;
    if (!message->cameras->more)
        take_list(uplink);
    return 0;
}

/* All parts are here. */
static void take_list(struct uplink *uplink)
{
    Culvert__Camera **rows = calloc(LIST_MAX, sizeof(Culvert__Camera *));
    size_t count = 0;

    for (size_t i = 0; rows && i < uplink->part_count; i++) {
        const Culvert__Cameras *part = (const Culvert__Cameras *)(void *)uplink->parts[i];

        for (size_t j = 0; j < part->n_cameras && count < LIST_MAX; j++)
            rows[count++] = part->cameras[j];
    }
    if (rows)
        cameras_take(uplink->agent, rows, count);
    free(rows);
    drop_parts(uplink);
}

static int take_start(struct uplink *uplink, const Culvert__Envelope *message)
{
    cameras_start(uplink->agent, message->start);
    return 0;
}

static int take_stop(struct uplink *uplink, const Culvert__Envelope *message)
{
    cameras_stop(uplink->agent, message->stop->camera_id);
    return 0;
}

/* What can't be looked into yet is answered in words, so that nobody waits. */
static int answer_report(struct uplink *uplink, uint64_t number)
{
    Culvert__Envelope envelope;
    Culvert__Report report;
    char text[] = "this version of the agent can't look into that";

    culvert__envelope__init(&envelope);
    culvert__report__init(&report);
    report.number = number;
    report.text = text;
    envelope.body_case = CULVERT__ENVELOPE__BODY_REPORT;
    envelope.report = &report;
    return send_envelope(uplink, &envelope);
}

static int take_probe(struct uplink *uplink, const Culvert__Envelope *message)
{
    return answer_report(uplink, message->probe->number);
}

static int take_diagnose(struct uplink *uplink, const Culvert__Envelope *message)
{
    return answer_report(uplink, message->diagnose->number);
}

/* The server goes away, or sends us elsewhere: the new connection is made before this one ends.
 * hold_ms: another one has our place, don't come back sooner. */
static int take_goodbye(struct uplink *uplink, const Culvert__Envelope *message)
{
    struct agent *agent = uplink->agent;
    const Culvert__Goodbye *goodbye = message->goodbye;
    int64_t hold_us = goodbye->hold_ms * 1000LL;
    char reason[SENTENCE];

    text_clean(reason, sizeof(reason), goodbye->reason);
    LOG(LOG_INFO, "agent", agent->identity.agent_id, "goodbye", KV_S("reason", reason),
        KV_I("hold_ms", goodbye->hold_ms));
    if (goodbye->n_addresses && agent_parse_address(goodbye->addresses[0], agent->host,
                                                    sizeof(agent->host), &agent->port) < 0)
        LOG(LOG_WARN, "agent", agent->identity.agent_id, "bad-redirect");
    control_enter(&uplink->control, CONTROL_LEAVING, loop_now_us(agent->loop));
    set_words(agent, reason);
    if (hold_us == 0) {
        uplink_dial(agent);
        return 0;
    }
    if (agent->current == uplink && !agent->next)
        retry_in(agent, hold_us < LONG_WAIT_US ? hold_us : LONG_WAIT_US);
    end(uplink);
    return 0;
}

/* How long to wait when the server refuses; 0: the usual back-off. */
static int64_t refusal_wait_us(Culvert__Refused__Code code)
{
    switch (code) {
    case CULVERT__REFUSED__CODE__VERSION:
    case CULVERT__REFUSED__CODE__UNKNOWN_AGENT:
    case CULVERT__REFUSED__CODE__REVOKED:
    case CULVERT__REFUSED__CODE__UNSUPPORTED:
        return LONG_WAIT_US;
    case CULVERT__REFUSED__CODE__STALE_EPOCH:
        return BACKOFF_MIN_US;
    case CULVERT__REFUSED__CODE__OTHER:
    case CULVERT__REFUSED__CODE__PROTOCOL:
    case CULVERT__REFUSED__CODE__CODE:
    case CULVERT__REFUSED__CODE__BUSY:
    case CULVERT__REFUSED__CODE__TICKET:
    case _CULVERT__REFUSED__CODE_IS_INT_SIZE:
        break;
    }
    return 0;
}

static int take_refused(struct uplink *uplink, const Culvert__Envelope *message)
{
    struct agent *agent = uplink->agent;
    const Culvert__Refused *refused = message->refused;
    int64_t wait_us = refusal_wait_us(refused->code);
    char text[SENTENCE];

    text_clean(text, sizeof(text), refused->text);
    if (refused->code == CULVERT__REFUSED__CODE__STALE_EPOCH)
        state_raise_epoch(agent->state, refused->highest_epoch);
    if (refused->code == CULVERT__REFUSED__CODE__REVOKED ||
        refused->code == CULVERT__REFUSED__CODE__UNKNOWN_AGENT)
        cameras_close(agent);
    if (wait_us)
        retry_in(agent, wait_us + (int64_t)random_below((uint64_t)wait_us / 2));
    lose(uplink, -ERR_DENIED, text);
    return 0;
}

static const struct {
    Culvert__Envelope__BodyCase body;
    int (*take)(struct uplink *uplink, const Culvert__Envelope *message);
} rows[] = {
    {CULVERT__ENVELOPE__BODY_CHALLENGE, take_challenge},
    {CULVERT__ENVELOPE__BODY_WELCOME, take_welcome},
    {CULVERT__ENVELOPE__BODY_CAMERAS, take_cameras},
    {CULVERT__ENVELOPE__BODY_START, take_start},
    {CULVERT__ENVELOPE__BODY_STOP, take_stop},
    {CULVERT__ENVELOPE__BODY_PROBE, take_probe},
    {CULVERT__ENVELOPE__BODY_DIAGNOSE, take_diagnose},
    {CULVERT__ENVELOPE__BODY_GOODBYE, take_goodbye},
    {CULVERT__ENVELOPE__BODY_REFUSED, take_refused},
};

static int on_message(void *owner, const Culvert__Envelope *message)
{
    struct uplink *uplink = owner;

    if (uplink->is_over)
        return 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].body == message->body_case)
            return rows[i].take(uplink, message);
    return 0; /* a later version uses it */
}

static int on_write(void *owner, const void *bytes, size_t len)
{
    struct uplink *uplink = owner;

    return uplink->conn ? conn_write_copy(uplink->conn, bytes, len) : -ERR_CLOSED;
}

static const struct control_handler control_handler = {.write = on_write, .on_message = on_message};

/* ---- the connection ---- */

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct uplink *uplink = owner;
    ssize_t used = control_input(&uplink->control, bytes, len, loop_now_us(uplink->agent->loop));

    (void)conn;
    uplink->probe_us = 0;
    if (uplink->is_over)
        return (ssize_t)len;
    if (used < 0) {
        lose(uplink, (int)used, uplink->control.reason);
        return (ssize_t)len;
    }
    return used;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct uplink *uplink = owner;

    (void)conn;
    uplink->conn = NULL;
    lose(uplink, err, NULL);
}

static const struct conn_handler conn_handler = {.on_input = on_input, .on_closed = on_closed};

static const struct conn_limits uplink_limits = {
    .input_bytes = MESSAGE_MAX_TO_AGENT + MESSAGE_LENGTH,
    .backlog_bytes = 4 * MESSAGE_MAX_TO_SERVER,
    .low_water_bytes = 16 * 1024,
    .handshake_us = 10 * 1000000,
};

static void on_connected(void *owner, struct conn *conn, const struct way *way)
{
    struct uplink *uplink = owner;
    int err;

    uplink->reach = NULL;
    uplink->conn = conn;
    uplink->way = way;
    conn_set_handler(conn, &conn_handler, uplink);
    err = control_init(&uplink->control, CONTROL_AGENT, &control_handler, uplink);
    if (err == 0)
        err = control_start(&uplink->control, loop_now_us(uplink->agent->loop));
    if (err < 0)
        lose(uplink, err, NULL);
}

static const char pin_text[] =
    "the server's key is not the one that this agent was enrolled with: refused";

static void on_failed(void *owner, int err, const char *words)
{
    struct uplink *uplink = owner;

    uplink->reach = NULL;
    lose(uplink, err, err == -ERR_PIN ? pin_text : words);
}

static const struct reach_handler reach_handler = {.on_open = on_connected, .on_failed = on_failed};

void uplink_dial(struct agent *agent)
{
    struct uplink *uplink;
    struct reach_target target = {.loop = agent->loop,
                                  .ways = &agent->ways,
                                  .host = agent->host,
                                  .port = agent->port,
                                  .device = agent_device(agent),
                                  .limits = &uplink_limits};

    if (agent->next || agent->is_stopping)
        return;
    loop_timer_stop(&agent->retry);
    uplink = calloc(1, sizeof(*uplink));
    if (!uplink) {
        retry_later(agent);
        return;
    }
    uplink->agent = agent;
    agent->next = uplink;
    if (reach_open(&uplink->reach, &target, &reach_handler, uplink) < 0)
        lose(uplink, -ENOMEM, NULL);
}

static void tick(struct uplink *uplink, int64_t now_us)
{
    int err = 0;

    if (!uplink || !uplink->conn)
        return;
    if (now_us >= control_wake_us(&uplink->control))
        err = control_tick(&uplink->control, now_us);
    if (err < 0) {
        lose(uplink, err, uplink->control.reason);
        return;
    }
    if (uplink->probe_us && now_us >= uplink->probe_us) {
        uplink->probe_us = 0;
        uplink_dial(uplink->agent); /* the new one takes over if this one is dead */
    }
}

void uplink_tick(struct agent *agent, int64_t now_us)
{
    tick(agent->next, now_us);
    tick(agent->current, now_us);
    if (!agent->current && !agent->next && !loop_timer_is_active(&agent->retry))
        retry_later(agent);
}

void uplink_network_changed(struct agent *agent)
{
    struct uplink *current = agent->current;

    if (current && current->control.state == CONTROL_READY) {
        current->control.sent_us = 0; /* the next tick sends a ping */
        current->probe_us = loop_now_us(agent->loop) + PROBE_US;
        return;
    }
    agent->backoff_us = BACKOFF_MIN_US;
    if (loop_timer_is_active(&agent->retry))
        loop_timer_start(&agent->retry, BACKOFF_MIN_US);
}

void uplink_hang_up(struct agent *agent)
{
    Culvert__Envelope envelope;
    Culvert__Goodbye goodbye;
    char reason[] = "the agent stops";

    loop_timer_stop(&agent->retry);
    culvert__envelope__init(&envelope);
    culvert__goodbye__init(&goodbye);
    goodbye.reason = reason;
    envelope.body_case = CULVERT__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &goodbye;
    if (agent->current && agent->current->control.state == CONTROL_READY &&
        send_envelope(agent->current, &envelope) == 0) {
        conn_close_flushed(agent->current->conn, FLUSH_US);
        agent->current->conn = NULL;
    }
    if (agent->current)
        end(agent->current);
    if (agent->next)
        end(agent->next);
}

void uplink_send_state(struct agent *agent, const struct camera_words *words)
{
    Culvert__Envelope envelope;
    Culvert__CameraState state;
    char id[64], text[SENTENCE];

    if (!agent->current || agent->current->control.state != CONTROL_READY)
        return;
    culvert__envelope__init(&envelope);
    culvert__camera_state__init(&state);
    (void)snprintf(id, sizeof(id), "%s", words->camera_id);
    (void)snprintf(text, sizeof(text), "%s", words->text);
    state.camera_id = id;
    state.state = words->state;
    state.text = text;
    envelope.body_case = CULVERT__ENVELOPE__BODY_STATE;
    envelope.state = &state;
    send_or_lose(agent->current, &envelope);
}

struct stats {
    Culvert__LaneStats lanes[64], *lane_of[64];
    char ids[64][32];
    size_t count;
};

static void add_stats(void *owner, const struct camera_report *report)
{
    struct stats *stats = owner;
    Culvert__LaneStats *lane;

    if (!report->is_wanted || stats->count == sizeof(stats->lanes) / sizeof(stats->lanes[0]))
        return;
    lane = &stats->lanes[stats->count];
    culvert__lane_stats__init(lane);
    (void)snprintf(stats->ids[stats->count], sizeof(stats->ids[0]), "%s", report->id);
    lane->camera_id = stats->ids[stats->count];
    lane->frames = report->frames;
    lane->bytes = report->bytes;
    lane->dropped = report->dropped;
    lane->queue_ms = report->queue_ms;
    stats->lane_of[stats->count++] = lane;
}

void uplink_send_stats(struct agent *agent)
{
    Culvert__Envelope envelope;
    Culvert__Stats message;
    struct stats stats = {.count = 0};

    if (!agent->current || agent->current->control.state != CONTROL_READY)
        return;
    cameras_report(agent, add_stats, &stats);
    culvert__envelope__init(&envelope);
    culvert__stats__init(&message);
    message.lanes = stats.lane_of;
    message.n_lanes = stats.count;
    message.uptime_s = (uint64_t)(loop_now_us(agent->loop) - agent->online_us) / 1000000;
    envelope.body_case = CULVERT__ENVELOPE__BODY_STATS;
    envelope.stats = &message;
    send_or_lose(agent->current, &envelope);
}
