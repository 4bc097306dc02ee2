/* Who is this agent? The answer to its Hello. */
#include <string.h>

#include "agent-proto/text.h"
#include "base/log.h"
#include "crypto/ed25519.h"
#include "server/tunnel/session.h"

static const char unknown_text[] =
    "this server does not know this agent: enrol it with a code from the dashboard";

/* 0 and the record, or refused. The same words for no such agent and for a wrong signature. */
static int prove(struct agent_session *session, const Culvert__Hello *hello,
                 struct store_agent *agent)
{
    uint8_t signed_bytes[PROTO_SIGNED_MAX];
    size_t len = proof_bytes(&session->proof, NULL, signed_bytes);
    int err = -ERR_AUTH;

    if (strlen(hello->agent_id) < STORE_ID && hello->signature.len == ED25519_SIGNATURE)
        err = store_agent_find(session->tunnel->env.reader, hello->agent_id, agent);
    if (err == -ERR_STORE)
        return agent_session_refuse(session,
                                    (struct agent_session_words){CULVERT__REFUSED__CODE__BUSY,
                                                                 "the database can't be read", 0});
    if (err == 0)
        err = ed25519_verify(agent->key, signed_bytes, len, hello->signature.data);
    if (err < 0)
        return agent_session_refuse(
            session,
            (struct agent_session_words){CULVERT__REFUSED__CODE__UNKNOWN_AGENT, unknown_text, 0});
    if (agent->revoked_s)
        return agent_session_refuse(
            session,
            (struct agent_session_words){CULVERT__REFUSED__CODE__REVOKED,
                                         "this agent was revoked: enrol it again to use it", 0});
    return 0;
}

static int welcome(struct agent_session *session, const struct store_agent *agent, int version)
{
    const struct tunnel_env *env = &session->tunnel->env;
    Culvert__Envelope envelope;
    Culvert__Welcome message;
    char node_id[64], address[256], name[STORE_NAME], *addresses[1] = {address};

    culvert__envelope__init(&envelope);
    culvert__welcome__init(&message);
    (void)!snprintf(node_id, sizeof(node_id), "%s", env->node_id);
    (void)!snprintf(address, sizeof(address), "%s", env->public_address);
    memcpy(name, agent->name, sizeof(name));
    message.version = (uint32_t)version;
    message.node_id = node_id;
    message.name = name;
    message.addresses = addresses;
    message.n_addresses = address[0] ? 1 : 0;
    message.preferred = address;
    message.highest_epoch = agent->epoch;
    message.heartbeat_ms = CONTROL_HEARTBEAT_US / 1000;
    envelope.body_case = CULVERT__ENVELOPE__BODY_WELCOME;
    envelope.welcome = &message;
    return agent_session_send(session, &envelope);
}

/* From here on it is one of ours. */
static int let_in(struct agent_session *session, const Culvert__Hello *hello,
                  const struct store_agent *agent)
{
    struct tunnel *tunnel = session->tunnel;
    char version[sizeof(agent->version)], system[sizeof(agent->system)], transport[32];
    int err;

    text_clean(version, sizeof(version), hello->software);
    text_clean(system, sizeof(system), hello->system);
    text_clean(transport, sizeof(transport), hello->transport);
    session->is_let_in = true;
    tunnel->unproved--;
    tunnel->counters.agents++;
    control_enter(&session->control, CONTROL_READY, loop_now_us(session->loop));
    err = welcome(session, agent, PROTO_VERSION);
    if (err == 0)
        err = commands_list_cameras(session);
    if (err < 0)
        return err;
    LOG(LOG_INFO, "agent", agent->id, "connected", KV_S("name", agent->name),
        KV_S("version", version), KV_S("system", system), KV_S("transport", transport),
        KV_I("epoch", hello->epoch));
    store_agent_seen(tunnel->env.store, agent->id, hello->epoch, version, system);
    session->is_known = true;
    session->holds++;
    relay_agent_here(tunnel->env.relay, &session->relay);
    return 0;
}

int hello_take(struct agent_session *session, const Culvert__Hello *hello)
{
    struct store_agent agent;
    int err;

    control_enter(&session->control, CONTROL_DECIDING, loop_now_us(session->loop));
    err = prove(session, hello, &agent);
    if (err < 0)
        return err;
    memcpy(session->relay.id, agent.id, sizeof(session->relay.id));
    if (versions_choose(hello->versions) < 0)
        return agent_session_refuse(
            session, (struct agent_session_words){
                         CULVERT__REFUSED__CODE__VERSION,
                         "no version in common: update the older of agent and server", 0});
    if (hello->epoch <= agent.epoch || hello->epoch > INT64_MAX / 2)
        return agent_session_refuse(
            session,
            (struct agent_session_words){CULVERT__REFUSED__CODE__STALE_EPOCH,
                                         "a newer connection of this agent is known", agent.epoch});
    session->relay.epoch = hello->epoch;
    return let_in(session, hello, &agent);
}
