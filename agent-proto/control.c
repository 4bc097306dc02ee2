#include "agent-proto/control.h"

#include <errno.h>
#include <string.h>

#include "agent-proto/message.h"

enum { S = 1 << CONTROL_SERVER, A = 1 << CONTROL_AGENT };
enum { GREETING_US = 10000000, DECIDING_US = 10000000, LEAVING_US = 60000000 };
enum { BURST_US = 10 * 1000000 };

#define IN(state) (1U << (state))
enum {
    GREETING = IN(CONTROL_GREETING),
    DECIDING = IN(CONTROL_DECIDING),
    LIVE = IN(CONTROL_READY) | IN(CONTROL_LEAVING),
    ANY = IN(CONTROL_GREETING) | IN(CONTROL_DECIDING) | LIVE
};

static const struct {
    const char *name;
    int64_t deadline_us;
} states[CONTROL_STATES] = {
    [CONTROL_PREFACE] = {"preface", GREETING_US},   [CONTROL_GREETING] = {"greeting", GREETING_US},
    [CONTROL_DECIDING] = {"deciding", DECIDING_US}, [CONTROL_READY] = {"ready", 0},
    [CONTROL_LEAVING] = {"leaving", LEAVING_US},    [CONTROL_CLOSED] = {"closed", 0},
};

/* Who may send what, and in which state of the sender's. A sender that is ahead (the server is
 * ready before the agent knows) is never refused: its state is what the receiver is in or goes to
 * with that very message. */
static const struct {
    Culvert__Envelope__BodyCase body;
    const char *name;
    unsigned senders, states; /* states of the receiver */
} messages[] = {
    {CULVERT__ENVELOPE__BODY_HELLO, "hello", A, GREETING},
    {CULVERT__ENVELOPE__BODY_ENROL, "enrol", A, GREETING},
    {CULVERT__ENVELOPE__BODY_CHALLENGE, "challenge", S, GREETING},
    {CULVERT__ENVELOPE__BODY_WELCOME, "welcome", S, DECIDING},
    {CULVERT__ENVELOPE__BODY_ENROLLED, "enrolled", S, DECIDING},
    {CULVERT__ENVELOPE__BODY_CAMERAS, "cameras", S, LIVE},
    {CULVERT__ENVELOPE__BODY_START, "start", S, LIVE},
    {CULVERT__ENVELOPE__BODY_STOP, "stop", S, LIVE},
    {CULVERT__ENVELOPE__BODY_PROBE, "probe", S, LIVE},
    {CULVERT__ENVELOPE__BODY_DIAGNOSE, "diagnose", S, LIVE},
    {CULVERT__ENVELOPE__BODY_TRACKS, "tracks", A, LIVE},
    {CULVERT__ENVELOPE__BODY_STATE, "state", A, LIVE},
    {CULVERT__ENVELOPE__BODY_STATS, "stats", A, LIVE},
    {CULVERT__ENVELOPE__BODY_REPORT, "report", A, LIVE},
    {CULVERT__ENVELOPE__BODY_PING, "ping", S | A, LIVE},
    {CULVERT__ENVELOPE__BODY_PONG, "pong", S | A, LIVE},
    {CULVERT__ENVELOPE__BODY_GOODBYE, "goodbye", S | A, LIVE},
    {CULVERT__ENVELOPE__BODY_REFUSED, "refused", S | A, ANY},
};
enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static int find_message(const Culvert__Envelope *message)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        if (messages[i].body == message->body_case)
            return (int)i;
    return -1;
}

const char *control_message_name(const Culvert__Envelope *message)
{
    int index = find_message(message);

    return index < 0 ? "unknown" : messages[index].name;
}

int control_init(struct control *control, enum control_role role,
                 const struct control_handler *handler, void *owner)
{
    *control = (struct control){.handler = handler,
                                .owner = owner,
                                .role = role,
                                .state = CONTROL_PREFACE,
                                .heartbeat_us = CONTROL_HEARTBEAT_US};
    return handler->write && handler->on_message ? 0 : -EINVAL;
}

void control_enter(struct control *control, enum control_state state, int64_t now_us)
{
    control->state = state;
    control->deadline_us = states[state].deadline_us ? now_us + states[state].deadline_us : 0;
}

int control_start(struct control *control, int64_t now_us)
{
    control->heard_us = now_us;
    control->sent_us = now_us;
    control_enter(control, control->role == CONTROL_AGENT ? CONTROL_GREETING : CONTROL_PREFACE,
                  now_us);
    if (control->role == CONTROL_SERVER)
        return 0;
    return control->handler->write(control->owner, proto_preface_control, PROTO_PREFACE);
}

static size_t max_from(enum control_role sender)
{
    return sender == CONTROL_SERVER ? MESSAGE_MAX_TO_AGENT : MESSAGE_MAX_TO_SERVER;
}

int control_send(struct control *control, const Culvert__Envelope *message, int64_t now_us)
{
    int index = find_message(message), err;
    struct writer writer;

    if (control->state == CONTROL_CLOSED)
        return -ERR_CLOSED;
    if (index < 0 || !(messages[index].senders & 1U << control->role))
        return -ERR_PROTOCOL;
    writer_init(&writer, max_from(control->role) + MESSAGE_LENGTH);
    err = message_pack(&writer, &message->base, max_from(control->role));
    if (err == 0)
        err = control->handler->write(control->owner, writer.bytes, writer.len);
    writer_fini(&writer);
    control->sent_us = now_us;
    return err;
}

void control_refuse(struct control *control, const Culvert__Refused *refused, int64_t now_us)
{
    Culvert__Envelope envelope;
    Culvert__Refused copy = *refused;

    culvert__envelope__init(&envelope);
    if (control->state == CONTROL_CLOSED)
        return;
    envelope.body_case = CULVERT__ENVELOPE__BODY_REFUSED;
    envelope.refused = &copy;
    (void)!control_send(control, &envelope, now_us); /* it closes either way */
    control_enter(control, CONTROL_CLOSED, now_us);
}

/* The peer broke a rule. */
static int refuse(struct control *control, Culvert__Refused__Code code, int64_t now_us)
{
    Culvert__Refused refused;
    char text[128];

    culvert__refused__init(&refused);
    (void)!snprintf(text, sizeof(text), "%s", control->reason);
    refused.code = code;
    refused.text = text;
    control_refuse(control, &refused, now_us);
    return -ERR_PROTOCOL;
}

static int send_ping(struct control *control, int64_t now_us)
{
    Culvert__Envelope envelope;
    Culvert__Ping ping;

    culvert__envelope__init(&envelope);
    culvert__ping__init(&ping);
    ping.sent_us = (uint64_t)now_us;
    envelope.body_case = CULVERT__ENVELOPE__BODY_PING;
    envelope.ping = &ping;
    return control_send(control, &envelope, now_us);
}

static int answer_ping(struct control *control, const Culvert__Ping *ping, int64_t now_us)
{
    Culvert__Envelope envelope;
    Culvert__Pong pong;

    culvert__envelope__init(&envelope);
    culvert__pong__init(&pong);
    pong.sent_us = ping->sent_us;
    envelope.body_case = CULVERT__ENVELOPE__BODY_PONG;
    envelope.pong = &pong;
    return control_send(control, &envelope, now_us);
}

static void take_pong(struct control *control, const Culvert__Pong *pong, int64_t now_us)
{
    int64_t rtt_us = now_us - (int64_t)pong->sent_us;

    if (pong->sent_us <= (uint64_t)now_us && rtt_us < CONTROL_SILENCE_US)
        control->rtt_us = rtt_us;
}

/* Each message moves the allowance on by its share of a second; it may be BURST_US ahead. */
static bool is_too_many(struct control *control, int64_t now_us)
{
    if (control->allowance_us < now_us)
        control->allowance_us = now_us;
    control->allowance_us += 1000000 / CONTROL_MESSAGES_PER_S;
    return control->role == CONTROL_SERVER && control->allowance_us - now_us > BURST_US;
}

static int take_message(struct control *control, const Culvert__Envelope *message, int64_t now_us)
{
    int index = find_message(message);
    unsigned sender = control->role == CONTROL_SERVER ? A : S;

    if (index < 0 && !message->required)
        return 0;
    if (index < 0) {
        control->reason = "a required message that this version does not know";
        return refuse(control, CULVERT__REFUSED__CODE__UNSUPPORTED, now_us);
    }
    if (!(messages[index].senders & sender) || !(messages[index].states & IN(control->state))) {
        control->reason = "a message out of order";
        return refuse(control, CULVERT__REFUSED__CODE__PROTOCOL, now_us);
    }
    if (message->body_case == CULVERT__ENVELOPE__BODY_PING)
        return answer_ping(control, message->ping, now_us);
    if (message->body_case == CULVERT__ENVELOPE__BODY_PONG)
        take_pong(control, message->pong, now_us);
    else
        return control->handler->on_message(control->owner, message);
    return 0;
}

static int take_packed(struct control *control, struct message_bytes packed, int64_t now_us)
{
    ProtobufCMessage *message;
    int err;

    control->heard_us = now_us;
    if (is_too_many(control, now_us)) {
        control->reason = "too many messages";
        return refuse(control, CULVERT__REFUSED__CODE__PROTOCOL, now_us);
    }
    message = message_unpack(&culvert__envelope__descriptor, packed);
    if (!message) {
        control->reason = "a malformed message";
        return refuse(control, CULVERT__REFUSED__CODE__PROTOCOL, now_us);
    }
    err = take_message(control, (const Culvert__Envelope *)(void *)message, now_us);
    message_free(message);
    return err;
}

static ssize_t take_preface(struct control *control, const uint8_t *bytes, size_t len,
                            int64_t now_us)
{
    enum proto_kind kind;
    int err = proto_kind_of(bytes, len, &kind);

    if (err == -EAGAIN)
        return 0;
    if (err < 0 || kind != PROTO_CONTROL) {
        control->reason = "not a control connection";
        return -ERR_PROTOCOL;
    }
    control->heard_us = now_us;
    control_enter(control, CONTROL_GREETING, now_us);
    return PROTO_PREFACE;
}

ssize_t control_input(struct control *control, const uint8_t *bytes, size_t len, int64_t now_us)
{
    size_t max = max_from(control->role == CONTROL_SERVER ? CONTROL_AGENT : CONTROL_SERVER);
    size_t used = 0;

    if (control->state == CONTROL_PREFACE) {
        ssize_t preface = take_preface(control, bytes, len, now_us);

        if (preface <= 0)
            return preface;
        used = (size_t)preface;
    }
    while (control->state != CONTROL_CLOSED) {
        struct message_bytes packed;
        ssize_t took = message_next(&packed, bytes + used, len - used, max);
        int err;

        if (took < 0) {
            control->reason = "a message that is too long or empty";
            return refuse(control, CULVERT__REFUSED__CODE__PROTOCOL, now_us);
        }
        if (took == 0)
            return (ssize_t)used;
        err = take_packed(control, packed, now_us);
        if (err < 0)
            return err;
        used += (size_t)took;
    }
    return (ssize_t)len; /* what comes after the end is nothing */
}

int64_t control_wake_us(const struct control *control)
{
    int64_t wake_us = control->heard_us + CONTROL_SILENCE_US;

    if (control->state == CONTROL_READY && control->sent_us + control->heartbeat_us < wake_us)
        wake_us = control->sent_us + control->heartbeat_us;
    if (control->deadline_us && control->deadline_us < wake_us)
        wake_us = control->deadline_us;
    return wake_us;
}

int control_tick(struct control *control, int64_t now_us)
{
    if (control->state == CONTROL_CLOSED)
        return -ERR_CLOSED;
    if (now_us >= control->heard_us + CONTROL_SILENCE_US) {
        control->reason = "silent for too long";
        return -ERR_TIMEOUT;
    }
    if (control->deadline_us && now_us >= control->deadline_us) {
        control->reason = states[control->state].name;
        return -ERR_TIMEOUT;
    }
    if (control->state == CONTROL_READY && now_us >= control->sent_us + control->heartbeat_us)
        return send_ping(control, now_us);
    return 0;
}
