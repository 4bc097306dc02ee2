/* A one-time code and two keys become an agent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/enrol_code.h"
#include "agent-proto/text.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"
#include "crypto/hpke.h"
#include "server/tunnel/session.h"

/* Waits for the store. Holds the session. */
struct enrolment {
    struct agent_session *session;
    struct store_agent agent;
};

static void make_agent_id(char out[STORE_ID])
{
    (void)!snprintf(out, STORE_ID, "agt_%016llx", (unsigned long long)random_u64());
}

static void send_enrolled(struct agent_session *session, const struct store_agent *agent)
{
    Culvert__Envelope envelope;
    Culvert__Enrolled enrolled;
    struct store_agent made = *agent;

    if (store_agent_find(session->tunnel->env.reader, agent->id, &made) < 0)
        made = *agent; /* its name is missing: nothing else is */
    culvert__envelope__init(&envelope);
    culvert__enrolled__init(&enrolled);
    enrolled.agent_id = made.id;
    enrolled.name = made.name;
    envelope.body_case = CULVERT__ENVELOPE__BODY_ENROLLED;
    envelope.enrolled = &enrolled;
    LOG(LOG_INFO, "agent", made.id, "enrolled", KV_S("name", made.name));
    (void)!agent_session_send(session, &envelope); /* if it got lost, the agent says so */
    agent_session_close_flushed(session);
}

static void on_stored(void *owner, int err)
{
    struct enrolment *enrolment = owner;
    struct agent_session *session = enrolment->session;

    if (session->tunnel && err == 0) {
        send_enrolled(session, &enrolment->agent);
    } else if (session->tunnel && err == -ERR_DENIED) {
        wrong_codes_add(session->tunnel, conn_peer(session->conn));
        (void)!agent_session_refuse(
            session,
            (struct agent_session_words){CULVERT__REFUSED__CODE__CODE,
                                         "this code is unknown, was used, or is older than 15 "
                                         "minutes: make a new one in the dashboard",
                                         0});
    } else if (session->tunnel) {
        (void)!agent_session_refuse(session,
                                    (struct agent_session_words){CULVERT__REFUSED__CODE__BUSY,
                                                                 "the server can't write this down "
                                                                 "now: try again",
                                                                 0});
    }
    agent_session_release(session);
    free(enrolment);
}

/* The agent holds the private key of what it shows, and speaks on this very connection. */
static bool is_proved(const struct agent_session *session, const Culvert__Enrol *enrol)
{
    uint8_t signed_bytes[PROTO_SIGNED_MAX];
    size_t len;

    if (enrol->secret.len != ENROL_SECRET || enrol->key.len != ED25519_PUBLIC_KEY ||
        enrol->seal_key.len != HPKE_PUBLIC_KEY || enrol->signature.len != ED25519_SIGNATURE)
        return false;
    len = proof_bytes(&session->proof, enrol->seal_key.data, signed_bytes);
    return ed25519_verify(enrol->key.data, signed_bytes, len, enrol->signature.data) == 0;
}

/* A seal key that is no point of the curve would be found out only with the first camera. */
static bool can_seal_to(const uint8_t *seal_key)
{
    const struct hpke_context context = hpke_camera_url("");
    uint8_t sealed[HPKE_OVERHEAD + 1];

    return hpke_seal(&context, seal_key, (struct hpke_bytes){"", 0}, sealed) == 0;
}

static int refuse_early(struct agent_session *session, const Culvert__Enrol *enrol)
{
    if (versions_choose(enrol->versions) < 0)
        return agent_session_refuse(
            session, (struct agent_session_words){
                         CULVERT__REFUSED__CODE__VERSION,
                         "no version in common: update the older of agent and server", 0});
    if (wrong_codes_is_over(session->tunnel, conn_peer(session->conn)))
        return agent_session_refuse(
            session, (struct agent_session_words){CULVERT__REFUSED__CODE__BUSY,
                                                  "too many wrong codes from this address: try "
                                                  "again in 15 minutes",
                                                  0});
    if (!is_proved(session, enrol) || !can_seal_to(enrol->seal_key.data))
        return agent_session_refuse(session,
                                    (struct agent_session_words){CULVERT__REFUSED__CODE__PROTOCOL,
                                                                 "the keys are not proved", 0});
    return 0;
}

int enrol_take(struct agent_session *session, const Culvert__Enrol *enrol)
{
    struct enrolment *enrolment;
    uint8_t hash[SHA256_BYTES];
    int err;

    control_enter(&session->control, CONTROL_DECIDING, loop_now_us(session->loop));
    err = refuse_early(session, enrol);
    if (err == 0)
        err = sha256_make(enrol->secret.data, enrol->secret.len, hash);
    if (err < 0)
        return err;
    enrolment = calloc(1, sizeof(*enrolment));
    if (!enrolment)
        return -ENOMEM;
    enrolment->session = session;
    make_agent_id(enrolment->agent.id);
    memcpy(enrolment->agent.key, enrol->key.data, STORE_KEY);
    memcpy(enrolment->agent.seal_key, enrol->seal_key.data, STORE_SEAL_KEY);
    text_clean(enrolment->agent.version, sizeof(enrolment->agent.version), enrol->software);
    text_clean(enrolment->agent.system, sizeof(enrolment->agent.system), enrol->system);
    enrolment->agent.created_s = clock_wall_us() / 1000000;
    session->holds++;
    store_agent_enrol(session->tunnel->env.store, hash, &enrolment->agent,
                      (struct store_done){session->loop, on_stored, enrolment});
    return 0;
}
