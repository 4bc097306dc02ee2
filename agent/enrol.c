/* `culvert-agent enroll CODE`: a code becomes an identity on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/control.h"
#include "agent-proto/message.h"
#include "agent-proto/text.h"
#include "agent/reach.h"
#include "agent/run.h"
#include "agent/system.h"
#include "agent/ways.h"
#include "crypto/digest.h"
#include "net/conn.h"

/* Each way to the server may take its time to fail. */
enum { PATIENCE_US = 60 * 1000000 };

struct enrolment {
    const struct options *options;
    struct loop *loop;
    struct ways ways;
    struct state *state;
    struct reach *reach;
    struct conn *conn;
    const struct way *way; /* how conn got there */
    struct control control;
    struct loop_timer patience;
    struct enrol_code code;
    struct identity identity;
    uint8_t seal_public[HPKE_PUBLIC_KEY], public_key[ED25519_PUBLIC_KEY];
    int status;
};

static int fail(struct enrolment *enrolment, const char *what, const char *why)
{
    (void)fprintf(stderr, "culvert-agent: %s: %s\n", what, why);
    enrolment->status = 1;
    if (enrolment->loop)
        loop_stop(enrolment->loop);
    return -ERR_DENIED;
}

/* The signature over the challenge and this connection, by the key that is being enrolled. */
static int sign(struct enrolment *enrolment, const Culvert__Challenge *challenge,
                uint8_t signature[ED25519_SIGNATURE])
{
    struct proto_proof proof;
    uint8_t bytes[PROTO_SIGNED_MAX];
    size_t len;
    int err;

    if (challenge->nonce.len != PROTO_NONCE)
        return -ERR_PROTOCOL;
    memcpy(proof.nonce, challenge->nonce.data, PROTO_NONCE);
    err = conn_exporter(enrolment->conn, PROTO_EXPORTER_LABEL, proof.exporter, PROTO_EXPORTER);
    if (err < 0)
        return err;
    len = proof_bytes(&proof, enrolment->seal_public, bytes);
    return ed25519_sign(enrolment->identity.key, bytes, len, signature);
}

static int take_challenge(struct enrolment *enrolment, const Culvert__Challenge *challenge)
{
    uint8_t signature[ED25519_SIGNATURE];
    char version[64], system[64];
    Culvert__Envelope envelope;
    Culvert__Enrol enrol;
    Culvert__Versions versions;
    int err = sign(enrolment, challenge, signature);

    if (err < 0)
        return err;
    culvert__envelope__init(&envelope);
    culvert__enrol__init(&enrol);
    culvert__versions__init(&versions);
    (void)snprintf(version, sizeof(version), "%s", CULVERT_VERSION);
    system_describe(system, sizeof(system));
    versions.lowest = versions.highest = PROTO_VERSION;
    enrol.secret = (ProtobufCBinaryData){ENROL_SECRET, enrolment->code.secret};
    enrol.key = (ProtobufCBinaryData){ED25519_PUBLIC_KEY, enrolment->public_key};
    enrol.seal_key = (ProtobufCBinaryData){HPKE_PUBLIC_KEY, enrolment->seal_public};
    enrol.signature = (ProtobufCBinaryData){ED25519_SIGNATURE, signature};
    enrol.versions = &versions;
    enrol.software = version;
    enrol.system = system;
    envelope.required = true;
    envelope.body_case = CULVERT__ENVELOPE__BODY_ENROL;
    envelope.enrol = &enrol;
    control_enter(&enrolment->control, CONTROL_DECIDING, loop_now_us(enrolment->loop));
    return control_send(&enrolment->control, &envelope, loop_now_us(enrolment->loop));
}

static int take_enrolled(struct enrolment *enrolment, const Culvert__Enrolled *enrolled)
{
    struct identity *identity = &enrolment->identity;
    int err;

    text_clean(identity->agent_id, sizeof(identity->agent_id), enrolled->agent_id);
    text_clean(identity->name, sizeof(identity->name), enrolled->name);
    err = state_write_identity(enrolment->state, identity);
    if (err < 0)
        return fail(enrolment, "the identity can't be written", err_text(err));
    state_write_way(enrolment->state, enrolment->way->name);
    printf("enrolled as %s (%s) at %s port %u\n", identity->name, identity->agent_id,
           identity->host, identity->port);
    enrolment->status = 0;
    loop_stop(enrolment->loop);
    return 0;
}

static int on_message(void *owner, const Culvert__Envelope *message)
{
    struct enrolment *enrolment = owner;
    char text[192];

    if (message->body_case == CULVERT__ENVELOPE__BODY_CHALLENGE)
        return take_challenge(enrolment, message->challenge);
    if (message->body_case == CULVERT__ENVELOPE__BODY_ENROLLED)
        return take_enrolled(enrolment, message->enrolled);
    if (message->body_case == CULVERT__ENVELOPE__BODY_REFUSED)
        return fail(enrolment, "the server refuses",
                    text_clean(text, sizeof(text), message->refused->text));
    return 0;
}

static int on_write(void *owner, const void *bytes, size_t len)
{
    struct enrolment *enrolment = owner;

    return conn_write_copy(enrolment->conn, bytes, len);
}

static const struct control_handler control_handler = {.write = on_write, .on_message = on_message};

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct enrolment *enrolment = owner;

    (void)conn;
    return control_input(&enrolment->control, bytes, len, loop_now_us(enrolment->loop));
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct enrolment *enrolment = owner;

    (void)conn;
    enrolment->conn = NULL;
    if (enrolment->status < 0)
        (void)!fail(enrolment, "the connection ended before the server answered", err_text(err));
}

static const struct conn_handler conn_handler = {.on_input = on_input, .on_closed = on_closed};

static void on_connected(void *owner, struct conn *conn, const struct way *way)
{
    struct enrolment *enrolment = owner;
    int err;

    enrolment->reach = NULL;
    enrolment->way = way;
    enrolment->conn = conn;
    conn_set_handler(conn, &conn_handler, enrolment);
    err = control_init(&enrolment->control, CONTROL_AGENT, &control_handler, enrolment);
    if (err == 0)
        err = control_start(&enrolment->control, loop_now_us(enrolment->loop));
    if (err < 0)
        (void)!fail(enrolment, "can't speak to the server", err_text(err));
}

static void on_failed(void *owner, int err, const char *words)
{
    struct enrolment *enrolment = owner;
    char where[sizeof(enrolment->identity.host) + 32];

    enrolment->reach = NULL;
    (void)snprintf(where, sizeof(where), "%s port %u", enrolment->identity.host,
                   enrolment->identity.port);
    (void)!fail(enrolment, where,
                err == -ERR_PIN ? "this server has another key than the code says: the code is "
                                  "for another server, or someone is in between"
                                : words);
}

static const struct reach_handler reach_handler = {.on_open = on_connected, .on_failed = on_failed};

static void on_patience(struct loop_timer *timer)
{
    struct enrolment *enrolment = list_entry(timer, struct enrolment, patience);

    (void)!fail(enrolment, "the server doesn't answer", err_text(ERR_TIMEOUT));
}

static const struct conn_limits enrol_limits = {
    .input_bytes = MESSAGE_MAX_TO_AGENT + MESSAGE_LENGTH,
    .backlog_bytes = 64 * 1024,
    .low_water_bytes = 1024,
    .handshake_us = 10 * 1000000,
};

static int connect_to(struct enrolment *enrolment)
{
    const char *device = option_text(enrolment->options, "bind-interface");
    struct reach_target target;
    int err = ways_init(&enrolment->ways, enrolment->options, enrolment->code.pin);

    if (err == 0)
        err = loop_new(&enrolment->loop, 0);
    if (err < 0)
        return err;
    loop_timer_init(&enrolment->patience, enrolment->loop, on_patience);
    loop_timer_start(&enrolment->patience, PATIENCE_US);
    target = (struct reach_target){.loop = enrolment->loop,
                                   .ways = &enrolment->ways,
                                   .host = enrolment->identity.host,
                                   .port = enrolment->identity.port,
                                   .device = device[0] ? device : NULL,
                                   .limits = &enrol_limits};
    return reach_open(&enrolment->reach, &target, &reach_handler, enrolment);
}

static int make_identity(struct enrolment *enrolment)
{
    struct identity *identity = &enrolment->identity;
    const char *server = option_text(enrolment->options, "server");
    int err;

    memcpy(identity->host, enrolment->code.host, sizeof(identity->host));
    memcpy(identity->pin, enrolment->code.pin, sizeof(identity->pin));
    identity->port = enrolment->code.port;
    if (server[0] &&
        agent_parse_address(server, identity->host, sizeof(identity->host), &identity->port) < 0)
        return fail(enrolment, "server", "must be host or host:port");
    err = ed25519_make_key(identity->key, enrolment->public_key);
    if (err == 0)
        err = hpke_make_key(identity->seal_key, enrolment->seal_public);
    return err < 0 ? fail(enrolment, "can't make keys", err_text(err)) : 0;
}

static void end(struct enrolment *enrolment)
{
    if (enrolment->loop) {
        loop_timer_stop(&enrolment->patience);
        reach_close(enrolment->reach);
        conn_close(enrolment->conn);
        loop_free(enrolment->loop);
    }
    ways_fini(&enrolment->ways);
    state_close(enrolment->state);
    secret_wipe(enrolment, sizeof(*enrolment));
}

int enrol_run(const struct options *options, const char *code)
{
    struct enrolment enrolment = {.options = options, .status = -1};
    struct identity present;
    int err = enrol_code_parse(&enrolment.code, code), status;

    if (err < 0)
        return -fail(&enrolment, "this is no enrolment code",
                     err == -ERR_VERSION ? "it was made for a newer agent: update this one"
                                         : "copy the whole line that begins with CULVERT-") > 0;
    if (run_open_state(&enrolment.state, options) < 0)
        return 1;
    if (state_read_identity(enrolment.state, &present) == 0)
        (void)fprintf(stderr, "culvert-agent: this replaces %s (%s)\n", present.name,
                      present.agent_id);
    if (make_identity(&enrolment) == 0) {
        err = connect_to(&enrolment);
        if (err == 0)
            loop_run(enrolment.loop);
        else
            (void)!fail(&enrolment, "can't connect", err_text(err));
    }
    status = enrolment.status == 0 ? 0 : 1;
    end(&enrolment);
    return status;
}
