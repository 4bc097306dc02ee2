/* tests/unit/server/tunnel_fixture.h: a tunnel with its relay, store and TLS on one loop, and a
 * would-be agent made of agent-proto's own pieces.
 */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent-proto/enrol_code.h"
#include "agent-proto/lane.h"
#include "agent-proto/message.h"
#include "base/clock.h"
#include "base/loop.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"
#include "crypto/hpke.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/tls.h"
#include "server/relay.h"
#include "server/tunnel/tunnel.h"

enum { PATIENCE_US = 10 * 1000000, TURN_US = 1000, MESSAGES = 128 };

struct world {
    char folder[64];
    struct loop *loop;
    struct loop_timer turn;
    struct store *store;
    struct store_reader *reader;
    struct hub *hub;
    struct relay *relay;
    struct tunnel *tunnel;
    struct tls_server *tls_server;
    struct tls_client *tls_client;
    struct listener *listener;
    int writes_due;
    uint8_t key[ED25519_PRIVATE_KEY], public_key[ED25519_PUBLIC_KEY];
    uint8_t seal_public[HPKE_PUBLIC_KEY];
};

/* One connection of a would-be agent, and the envelopes it got. */
struct client {
    struct world *world;
    struct conn *conn;
    bool is_open, is_closed, is_lane;
    ProtobufCMessage *got[MESSAGES];
    unsigned count;
};

static inline bool is_over(int64_t until_us)
{
    return clock_mono_us() > until_us;
}

static inline void on_turn(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static inline void turn(struct world *world)
{
    loop_timer_start(&world->turn, TURN_US);
    loop_run(world->loop);
}

#define WAIT_FOR(world, condition)                                                                 \
    do {                                                                                           \
        int64_t until_us_ = clock_mono_us() + PATIENCE_US;                                         \
        while (!(condition) && !is_over(until_us_))                                                \
            turn(world);                                                                           \
        assert_true(condition);                                                                    \
    } while (0)

static inline void on_stored(void *owner, int err)
{
    struct world *world = owner;

    assert_int_equal(err, 0);
    world->writes_due--;
}

static inline struct store_done done_of(struct world *world)
{
    world->writes_due++;
    return (struct store_done){world->loop, on_stored, world};
}

/* ---- the world ---- */

static inline void on_tls_open(void *owner, struct conn *conn)
{
    struct world *world = owner;

    tunnel_accept(world->tunnel, conn);
}

static inline ssize_t on_tls_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)owner;
    (void)conn;
    (void)bytes;
    (void)len;
    return 0;
}

static inline void on_tls_closed(void *owner, struct conn *conn, int err)
{
    (void)owner;
    (void)conn;
    (void)err;
}

static const struct conn_handler tls_handler = {
    .on_open = on_tls_open, .on_input = on_tls_input, .on_closed = on_tls_closed};

static inline void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct world *world = owner;
    struct conn *conn;

    (void)peer;
    assert_int_equal(conn_accept(&conn, world->loop, fd, world->tls_server, &conn_limits_default),
                     0);
    conn_set_handler(conn, &tls_handler, world);
}

static const struct listener_handler listener_handler = {on_accept};

static inline void on_relay_state(void *owner, const char *slug, enum camera_state state,
                                  const char *text)
{
    (void)owner;
    (void)slug;
    (void)state;
    (void)text;
}

static inline void put_agent(struct world *world, const char *id, const uint8_t *public_key)
{
    struct store_agent agent = {.created_s = 1};

    (void)snprintf(agent.id, sizeof(agent.id), "%s", id);
    (void)snprintf(agent.name, sizeof(agent.name), "%s", id);
    memcpy(agent.key, public_key, sizeof(agent.key));
    memcpy(agent.seal_key, world->seal_public, sizeof(agent.seal_key));
    store_agent_put(world->store, &agent, done_of(world));
    WAIT_FOR(world, world->writes_due == 0);
}

static inline void put_camera(struct world *world, const char *id, const char *agent_id)
{
    static struct store_camera camera;

    memset(&camera, 0, sizeof(camera));
    (void)snprintf(camera.id, sizeof(camera.id), "%s", id);
    (void)snprintf(camera.agent_id, sizeof(camera.agent_id), "%s", agent_id);
    (void)snprintf(camera.slug, sizeof(camera.slug), "slug-%s", id);
    camera.sealed.len = 100;
    store_camera_put(world->store, &camera, done_of(world));
    WAIT_FOR(world, world->writes_due == 0);
    relay_camera_put(world->relay, &camera);
}

static const struct feed_kind no_kinds[] = {{.packager = NULL}};

static inline void make_tls(struct world *world)
{
    static const char *const hosts[] = {"127.0.0.1"}, *const alpn[] = {"culvert/1", NULL};
    struct tls_client_options options = {.pin = NULL, .alpn = "culvert/1", .min_tls13 = true};
    char cert[128], key[128];
    uint8_t pin[TLS_PIN_BYTES];
    struct addr addr;

    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", world->folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", world->folder);
    assert_int_equal(tls_make_pair(cert, key, hosts, 1), 0);
    assert_int_equal(tls_server_new(&world->tls_server, cert, key, alpn), 0);
    tls_server_pin(world->tls_server, pin);
    options.pin = pin;
    assert_int_equal(tls_client_new(&world->tls_client, &options), 0);
    assert_int_equal(addr_parse(&addr, "127.0.0.1:0"), 0);
    assert_int_equal(listener_open(&world->listener, world->loop, &addr, &listener_handler, world),
                     0);
}

static inline int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct relay_env relay_env = {.owner = world, .on_state = on_relay_state};
    struct tunnel_env env;
    struct store_error error;
    uint8_t seal_private[HPKE_PRIVATE_KEY];
    char path[128];

    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/culvert-tunnel-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    (void)snprintf(path, sizeof(path), "%s/culvert.db", world->folder);
    assert_int_equal(loop_new(&world->loop, 0), 0);
    loop_timer_init(&world->turn, world->loop, on_turn);
    assert_int_equal(store_open(&world->store, path, &error), 0);
    assert_int_equal(store_reader_open(&world->reader, world->store), 0);
    assert_int_equal(hub_new(&world->hub, world->loop, no_kinds), 0);
    hub_join(&world->hub, 1);
    relay_env.loop = world->loop;
    assert_int_equal(relay_new(&world->relay, &relay_env), 0);
    env = (struct tunnel_env){.loop = world->loop,
                              .hub = world->hub,
                              .relay = world->relay,
                              .store = world->store,
                              .reader = world->reader,
                              .node_id = "node",
                              .public_address = "127.0.0.1:443"};
    assert_int_equal(tunnel_new(&world->tunnel, &env), 0);
    make_tls(world);
    assert_int_equal(hpke_make_key(seal_private, world->seal_public), 0);
    assert_int_equal(ed25519_make_key(world->key, world->public_key), 0);
    put_agent(world, "agt_1", world->public_key);
    put_camera(world, "cam_1", "agt_1");
    *state = world;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];

    for (int i = 0; i < 20; i++)
        turn(world);
    listener_close(world->listener);
    tunnel_free(world->tunnel);
    store_reader_close(world->reader);
    store_close(world->store);
    turn(world);
    relay_free(world->relay);
    hub_free(world->hub);
    loop_timer_stop(&world->turn);
    loop_free(world->loop);
    tls_server_free(world->tls_server);
    tls_client_free(world->tls_client);
    (void)snprintf(command, sizeof(command), "rm -rf %s", world->folder);
    assert_int_equal(system(command), 0);
    free(world);
    return 0;
}

/* ---- the client ---- */

static inline void on_open(void *owner, struct conn *conn)
{
    struct client *client = owner;

    (void)conn;
    client->is_open = true;
}

static inline ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct client *client = owner;
    struct message_bytes packed;
    size_t used = 0;
    ssize_t took;

    (void)conn;
    while ((took = message_next(&packed, bytes + used, len - used, MESSAGE_MAX_TO_AGENT)) > 0) {
        assert_true(client->count < MESSAGES);
        client->got[client->count] = message_unpack(
            client->is_lane ? &culvert__lane_answer__descriptor : &culvert__envelope__descriptor,
            packed);
        assert_non_null(client->got[client->count++]);
        used += (size_t)took;
    }
    return took < 0 ? took : (ssize_t)used;
}

static inline void on_closed(void *owner, struct conn *conn, int err)
{
    struct client *client = owner;

    (void)conn;
    (void)err;
    client->conn = NULL;
    client->is_closed = true;
}

static const struct conn_handler client_handler = {
    .on_open = on_open, .on_input = on_input, .on_closed = on_closed};

static inline void client_open(struct client *client, struct world *world, const char *preface)
{
    struct conn_target target = {.addr = *listener_addr(world->listener), .tls = world->tls_client};

    *client = (struct client){.world = world, .is_lane = memcmp(preface, "CVL1", 4) == 0};
    assert_int_equal(conn_connect(&client->conn, world->loop, &target, &conn_limits_default), 0);
    conn_set_handler(client->conn, &client_handler, client);
    WAIT_FOR(world, client->is_open);
    assert_int_equal(conn_write_copy(client->conn, preface, 4), 0);
}

static inline void client_close(struct client *client)
{
    conn_close(client->conn);
    while (client->count)
        message_free(client->got[--client->count]);
}

static const Culvert__Envelope *envelope_at(const struct client *client, unsigned index)
{
    return (const Culvert__Envelope *)(void *)client->got[index];
}

static const Culvert__Envelope *find(const struct client *client, Culvert__Envelope__BodyCase body)
{
    for (unsigned i = 0; i < client->count; i++)
        if (envelope_at(client, i)->body_case == body)
            return envelope_at(client, i);
    return NULL;
}

#define WAIT_MESSAGE(client, body)                                                                 \
    WAIT_FOR((client)->world, find(client, CULVERT__ENVELOPE__BODY_##body) != NULL)

static inline void assert_refused(struct client *client, Culvert__Refused__Code code)
{
    WAIT_FOR(client->world, client->is_closed);
    assert_non_null(find(client, CULVERT__ENVELOPE__BODY_REFUSED));
    assert_int_equal(find(client, CULVERT__ENVELOPE__BODY_REFUSED)->refused->code, code);
    assert_true(strlen(find(client, CULVERT__ENVELOPE__BODY_REFUSED)->refused->text) > 10);
}

static inline void send_body(struct client *client, Culvert__Envelope__BodyCase body, void *message)
{
    Culvert__Envelope envelope;
    struct writer writer;

    culvert__envelope__init(&envelope);
    envelope.body_case = body;
    envelope.hello = message; /* a union of pointers */
    writer_init(&writer, MESSAGE_MAX_TO_SERVER);
    assert_int_equal(message_pack(&writer, &envelope.base, MESSAGE_MAX_TO_SERVER), 0);
    (void)!conn_write_copy(client->conn, writer.bytes, writer.len);
    writer_fini(&writer);
}

/* What a Hello is made of; tests change one thing. */
struct hello_parts {
    const char *id;
    const uint8_t *key;
    uint64_t epoch;
    struct proto_proof proof;
    uint32_t version;
};

static inline struct hello_parts read_challenge(struct client *client)
{
    struct world *world = client->world;
    struct hello_parts parts = {
        .id = "agt_1", .key = world->key, .epoch = 1 << 20, .version = PROTO_VERSION};

    WAIT_MESSAGE(client, CHALLENGE);
    assert_int_equal(envelope_at(client, 0)->challenge->nonce.len, PROTO_NONCE);
    memcpy(parts.proof.nonce, envelope_at(client, 0)->challenge->nonce.data, PROTO_NONCE);
    assert_int_equal(
        conn_exporter(client->conn, PROTO_EXPORTER_LABEL, parts.proof.exporter, PROTO_EXPORTER), 0);
    return parts;
}

static inline void send_hello(struct client *client, const struct hello_parts *parts)
{
    uint8_t bytes[PROTO_SIGNED_MAX], signature[ED25519_SIGNATURE];
    size_t len = proof_bytes(&parts->proof, NULL, bytes);
    char id[64];
    Culvert__Hello hello;
    Culvert__Versions versions;

    culvert__hello__init(&hello);
    culvert__versions__init(&versions);
    assert_int_equal(ed25519_sign(parts->key, bytes, len, signature), 0);
    (void)snprintf(id, sizeof(id), "%s", parts->id);
    versions.lowest = versions.highest = parts->version;
    hello.agent_id = id;
    hello.signature = (ProtobufCBinaryData){sizeof(signature), signature};
    hello.epoch = parts->epoch;
    hello.versions = &versions;
    send_body(client, CULVERT__ENVELOPE__BODY_HELLO, &hello);
}

static inline void log_in(struct client *client, struct world *world, uint64_t epoch)
{
    struct hello_parts parts;

    client_open(client, world, "CVC1");
    parts = read_challenge(client);
    parts.epoch = epoch;
    send_hello(client, &parts);
    WAIT_MESSAGE(client, CAMERAS);
}
