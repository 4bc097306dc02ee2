/* The server's end of agents' connections, over TLS on loopback, against agents that lie
 * (hostile.md A1 to A5, A8).
 */
#include "tunnel_fixture.h"

#include "server/tunnel/session.h"

/* ---- who is who ---- */

static void an_agent_is_welcomed_and_told_its_cameras(void **state)
{
    struct world *world = *state;
    struct client client;

    log_in(&client, world, 1 << 20);
    assert_string_equal(find(&client, CULVERT__ENVELOPE__BODY_WELCOME)->welcome->node_id, "node");
    assert_int_equal(find(&client, CULVERT__ENVELOPE__BODY_CAMERAS)->cameras->n_cameras, 1);
    assert_int_equal(tunnel_counters(world->tunnel).agents, 1);
    WAIT_FOR(world, relay_agent_is_online(world->relay, "agt_1"));
    client_close(&client);
    WAIT_FOR(world, !relay_agent_is_online(world->relay, "agt_1"));
    assert_int_equal(tunnel_counters(world->tunnel).agents, 0);
}

static void a5_a_signature_for_anything_else_is_refused(void **state)
{
    struct world *world = *state;
    uint8_t other_key[ED25519_PRIVATE_KEY], other_public[ED25519_PUBLIC_KEY];

    assert_int_equal(ed25519_make_key(other_key, other_public), 0);
    for (int fault = 0; fault < 4; fault++) {
        struct client client;
        struct hello_parts parts;

        client_open(&client, world, "CVC1");
        parts = read_challenge(&client);
        if (fault == 0)
            parts.proof.nonce[0] ^= 1; /* another challenge */
        if (fault == 1)
            parts.proof.exporter[0] ^= 1; /* another connection */
        if (fault == 2)
            parts.key = other_key;
        if (fault == 3)
            parts.id = "agt_2";
        send_hello(&client, &parts);
        assert_refused(&client, CULVERT__REFUSED__CODE__UNKNOWN_AGENT);
        client_close(&client);
    }
    assert_false(relay_agent_is_online(world->relay, "agt_1"));
}

static void a3_the_newer_of_two_with_one_key_stays(void **state)
{
    struct world *world = *state;
    struct client first, second, third;
    struct hello_parts parts;

    log_in(&first, world, 5 << 20);
    log_in(&second, world, 6 << 20);
    WAIT_FOR(world, first.is_closed);
    assert_true(find(&first, CULVERT__ENVELOPE__BODY_GOODBYE)->goodbye->hold_ms >= 10000);
    for (int i = 0; i < 50; i++)
        turn(world); /* the epoch is written down */
    client_open(&third, world, "CVC1");
    parts = read_challenge(&third);
    parts.epoch = 6 << 20;
    send_hello(&third, &parts);
    assert_refused(&third, CULVERT__REFUSED__CODE__STALE_EPOCH);
    assert_int_equal(find(&third, CULVERT__ENVELOPE__BODY_REFUSED)->refused->highest_epoch,
                     6 << 20);
    assert_false(second.is_closed);
    client_close(&first);
    client_close(&second);
    client_close(&third);
}

static void a_version_of_the_future_is_told_so(void **state)
{
    struct client client;
    struct hello_parts parts;

    client_open(&client, *state, "CVC1");
    parts = read_challenge(&client);
    parts.version = PROTO_VERSION + 1;
    send_hello(&client, &parts);
    assert_refused(&client, CULVERT__REFUSED__CODE__VERSION);
    client_close(&client);
}

static void strangers_get_no_answer(void **state)
{
    struct world *world = *state;
    struct client client;

    client_open(&client, world, "GET ");
    WAIT_FOR(world, client.is_closed);
    assert_int_equal(client.count, 0);
    client_close(&client);
}

/* ---- lanes ---- */

static void want_camera(struct world *world, struct client *client, uint8_t ticket[LANE_TICKET])
{
    relay_view_users(world->relay, 0, "slug-cam_1", true);
    WAIT_MESSAGE(client, START);
    assert_int_equal(find(client, CULVERT__ENVELOPE__BODY_START)->start->ticket.len, LANE_TICKET);
    memcpy(ticket, find(client, CULVERT__ENVELOPE__BODY_START)->start->ticket.data, LANE_TICKET);
}

static void send_lane_hello(struct client *lane, const char *camera_id, const char *agent_id,
                            uint8_t ticket[LANE_TICKET])
{
    Culvert__LaneHello hello;
    Culvert__Versions versions;
    struct writer writer;
    char camera[64], agent[64];

    culvert__lane_hello__init(&hello);
    culvert__versions__init(&versions);
    (void)snprintf(camera, sizeof(camera), "%s", camera_id);
    (void)snprintf(agent, sizeof(agent), "%s", agent_id);
    versions.lowest = versions.highest = PROTO_VERSION;
    hello.camera_id = camera;
    hello.agent_id = agent;
    hello.versions = &versions;
    hello.ticket = (ProtobufCBinaryData){LANE_TICKET, ticket};
    writer_init(&writer, 8192);
    assert_int_equal(message_pack(&writer, &hello.base, MESSAGE_MAX_HELLO), 0);
    assert_int_equal(conn_write_copy(lane->conn, writer.bytes, writer.len), 0);
    writer_fini(&writer);
}

static Culvert__LaneAnswer__BodyCase answer_of(struct client *lane)
{
    WAIT_FOR(lane->world, lane->count > 0);
    return ((const Culvert__LaneAnswer *)(void *)lane->got[0])->body_case;
}

static void send_tracks(struct client *lane)
{
    struct tracks *tracks = tracks_new(1);
    struct writer writer;

    tracks->track[0] = (struct track){.codec = CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    writer_init(&writer, 4096);
    assert_int_equal(lane_write_tracks(&writer, tracks), 0);
    (void)!conn_write_copy(lane->conn, writer.bytes, writer.len);
    writer_fini(&writer);
    tracks_unref(tracks);
}

static void a_lane_with_its_ticket_feeds_the_stream(void **state)
{
    struct world *world = *state;
    struct view *view = hub_add(world->hub, "slug-cam_1");
    struct client client, lane;
    uint8_t ticket[LANE_TICKET];

    log_in(&client, world, 1 << 20);
    want_camera(world, &client, ticket);
    client_open(&lane, world, "CVL1");
    send_lane_hello(&lane, "cam_1", "agt_1", ticket);
    assert_int_equal(answer_of(&lane), CULVERT__LANE_ANSWER__BODY_ACCEPTED);
    send_tracks(&lane);
    WAIT_FOR(world, view->is_live);
    assert_int_equal(view->tracks->track[0].codec, CODEC_PCMU);
    client_close(&lane);
    WAIT_FOR(world, !view->is_live);
    assert_int_equal(tunnel_counters(world->tunnel).lanes, 0);
    client_close(&client);
}

static void a2_a_lane_for_what_was_not_asked_is_refused(void **state)
{
    struct world *world = *state;
    uint8_t ticket[LANE_TICKET], forged[LANE_TICKET] = {0};
    uint8_t other_key[ED25519_PRIVATE_KEY], other_public[ED25519_PUBLIC_KEY];
    struct client client;

    assert_int_equal(ed25519_make_key(other_key, other_public), 0);
    put_agent(world, "agt_2", other_public);
    put_camera(world, "cam_2", "agt_2");
    log_in(&client, world, 1 << 20);
    want_camera(world, &client, ticket);
    for (int fault = 0; fault < 4; fault++) {
        struct client lane;

        client_open(&lane, world, "CVL1");
        if (fault == 0)
            send_lane_hello(&lane, "cam_1", "agt_1", forged);
        if (fault == 1)
            send_lane_hello(&lane, "cam_2", "agt_1", ticket); /* another's camera */
        if (fault == 2)
            send_lane_hello(&lane, "cam_1", "agt_2", ticket);
        if (fault == 3)
            send_lane_hello(&lane, "cam_9", "agt_1", ticket);
        assert_int_equal(answer_of(&lane), CULVERT__LANE_ANSWER__BODY_REFUSED);
        WAIT_FOR(world, lane.is_closed);
        client_close(&lane);
    }
    assert_int_equal(tunnel_counters(world->tunnel).lanes, 0);
    client_close(&client);
}

static void a1_lanes_opened_again_and_again_replace_each_other(void **state)
{
    struct world *world = *state;
    struct client client, lanes[6];
    uint8_t ticket[LANE_TICKET];

    log_in(&client, world, 1 << 20);
    want_camera(world, &client, ticket);
    for (int i = 0; i < 6; i++) {
        client_open(&lanes[i], world, "CVL1");
        send_lane_hello(&lanes[i], "cam_1", "agt_1", ticket);
        assert_int_equal(answer_of(&lanes[i]), CULVERT__LANE_ANSWER__BODY_ACCEPTED);
        assert_true(tunnel_counters(world->tunnel).lanes <= 2);
    }
    WAIT_FOR(world, lanes[3].is_closed);
    assert_false(lanes[5].is_closed);
    for (int i = 0; i < 6; i++)
        client_close(&lanes[i]);
    client_close(&client);
}

static void a1_bytes_that_are_no_frames_end_the_lane(void **state)
{
    static const uint8_t bad[3][LANE_HEADER] = {{9}, {LANE_FRAME, 0, 0, 1}, {LANE_FRAME, 0, 7}};
    struct world *world = *state;
    struct client client;
    uint8_t ticket[LANE_TICKET];

    log_in(&client, world, 1 << 20);
    want_camera(world, &client, ticket);
    for (int i = 0; i < 3; i++) {
        struct client lane;

        client_open(&lane, world, "CVL1");
        send_lane_hello(&lane, "cam_1", "agt_1", ticket);
        assert_int_equal(answer_of(&lane), CULVERT__LANE_ANSWER__BODY_ACCEPTED);
        assert_int_equal(conn_write_copy(lane.conn, bad[i], LANE_HEADER), 0);
        WAIT_FOR(world, lane.is_closed);
        client_close(&lane);
    }
    assert_false(client.is_closed);
    client_close(&client);
}

static void a4_a_revoked_key_ends_control_and_lane_within_a_second(void **state)
{
    struct world *world = *state;
    struct client client, lane;
    uint8_t ticket[LANE_TICKET];
    int64_t revoked_us;

    log_in(&client, world, 1 << 20);
    want_camera(world, &client, ticket);
    client_open(&lane, world, "CVL1");
    send_lane_hello(&lane, "cam_1", "agt_1", ticket);
    assert_int_equal(answer_of(&lane), CULVERT__LANE_ANSWER__BODY_ACCEPTED);
    store_agent_revoke(world->store, "agt_1", done_of(world));
    WAIT_FOR(world, world->writes_due == 0);
    revoked_us = clock_mono_us();
    WAIT_FOR(world, client.is_closed && lane.is_closed);
    assert_true(clock_mono_us() - revoked_us < 1000000);
    assert_refused(&client, CULVERT__REFUSED__CODE__REVOKED);
    client_close(&client);
    client_close(&lane);
}

static void a8_an_agent_that_never_reads_costs_a_bounded_backlog(void **state)
{
    struct world *world = *state;
    struct client client;
    Culvert__Ping ping;
    unsigned sent = 0;

    culvert__ping__init(&ping);
    log_in(&client, world, 1 << 20);
    conn_pause(client.conn, true);
    for (; sent < 200000 && tunnel_counters(world->tunnel).agents; sent++) {
        if (conn_backlog(client.conn) < 65536)
            send_body(&client, CULVERT__ENVELOPE__BODY_PING, &ping);
        if (sent % 64 == 0)
            turn(world);
    }
    assert_int_equal(tunnel_counters(world->tunnel).agents,
                     0); /* too many messages, at the least */
    client_close(&client);
}

/* The only session there is. */
static struct agent_session *session_in(struct world *world)
{
    return agent_session_of(world->tunnel->sessions.next);
}

static void a8_commands_for_an_agent_that_never_reads_are_bounded(void **state)
{
    static const uint8_t ticket[RELAY_TICKET];
    struct world *world = *state;
    struct agent_session *session;
    struct client client;
    size_t most = 0;

    log_in(&client, world, 1 << 20);
    WAIT_FOR(world, tunnel_counters(world->tunnel).agents == 1);
    session = session_in(world);
    conn_pause(client.conn, true);
    for (int i = 0; i < 200000; i++) {
        session->relay.start(&session->relay, "cam_1", ticket);
        if (i % 512 == 0)
            turn(world);
        most = conn_backlog(session->conn) > most ? conn_backlog(session->conn) : most;
    }
    turn(world);
    assert_int_equal(session->commands.count, 512);
    assert_in_range(most, 1, SESSION_BACKLOG);
    assert_int_equal(tunnel_counters(world->tunnel).agents, 1);
    session->relay.stop(&session->relay, "cam_1"); /* must not be lost: the agent is, instead */
    WAIT_FOR(world, tunnel_counters(world->tunnel).agents == 0);
    client_close(&client);
}

enum { HOME_CAMERAS = 330 };

static void put_home(struct world *world)
{
    static struct store_camera camera;

    for (int i = 0; i < HOME_CAMERAS; i++) {
        memset(&camera, 0, sizeof(camera));
        (void)snprintf(camera.id, sizeof(camera.id), "cam_x%04d", i);
        (void)snprintf(camera.agent_id, sizeof(camera.agent_id), "agt_1");
        (void)snprintf(camera.slug, sizeof(camera.slug), "slug-%d", i);
        camera.sealed.len = camera.sealed_sub.len = i % 7 ? 1000 : STORE_SEALED;
        store_camera_put(world->store, &camera, done_of(world));
    }
    WAIT_FOR(world, world->writes_due == 0);
}

/* Every camera once and in order, in whole lists; how many lists. */
static int count_lists(const struct client *client)
{
    int lists = 0, rows = 0;

    for (unsigned i = 0; i < client->count; i++) {
        const Culvert__Envelope *envelope = envelope_at(client, i);
        char id[STORE_ID];

        if (envelope->body_case != CULVERT__ENVELOPE__BODY_CAMERAS)
            continue;
        for (size_t k = 0; k < envelope->cameras->n_cameras; k++, rows++) {
            (void)snprintf(id, sizeof(id), rows ? "cam_x%04d" : "cam_1", rows - 1);
            assert_string_equal(envelope->cameras->cameras[k]->id, id);
        }
        if (envelope->cameras->more)
            continue;
        assert_int_equal(rows, HOME_CAMERAS + 1);
        rows = 0;
        lists++;
    }
    return lists;
}

/* The list is larger than what may wait for an agent: it goes as fast as it is read, and what was
 * asked for meanwhile comes after it. */
static void a8_a_long_list_of_cameras_goes_in_parts(void **state)
{
    static const uint8_t ticket[RELAY_TICKET];
    struct world *world = *state;
    struct agent_session *session;
    struct client client;
    struct hello_parts parts;

    put_home(world);
    client_open(&client, world, "CVC1");
    parts = read_challenge(&client);
    conn_pause(client.conn, true);
    send_hello(&client, &parts);
    WAIT_FOR(world, tunnel_counters(world->tunnel).agents == 1);
    session = session_in(world);
    session->relay.start(&session->relay, "cam_x0329", ticket);
    session->relay.cameras_changed(&session->relay);
    for (int i = 0; i < 30; i++)
        turn(world);
    assert_in_range(conn_backlog(session->conn), 1, SESSION_BACKLOG);
    assert_true(session->listing.is_on && session->listing.is_due);
    conn_pause(client.conn, false);
    WAIT_MESSAGE(&client, START);
    assert_int_equal(count_lists(&client), 2);
    assert_int_equal(envelope_at(&client, client.count - 1)->body_case,
                     CULVERT__ENVELOPE__BODY_START);
    client_close(&client);
}

/* ---- enrolment ---- */

static void put_code(struct world *world, const uint8_t secret[ENROL_SECRET], int64_t lives_s)
{
    struct store_code code = {.agent_name = "attic",
                              .expires_s = clock_wall_us() / 1000000 + lives_s};

    assert_int_equal(sha256_make(secret, ENROL_SECRET, code.hash), 0);
    store_code_put(world->store, &code, done_of(world));
    WAIT_FOR(world, world->writes_due == 0);
}

/* Opens, answers the challenge by an Enrol; spoil changes one byte of the signature. */
static void enrol(struct client *client, struct world *world, const uint8_t secret[ENROL_SECRET],
                  bool spoil)
{
    uint8_t bytes[PROTO_SIGNED_MAX], signature[ED25519_SIGNATURE], key[32], public_key[32];
    uint8_t secret_copy[ENROL_SECRET];
    struct hello_parts parts;
    Culvert__Enrol message;
    Culvert__Versions versions;
    size_t len;

    client_open(client, world, "CVC1");
    parts = read_challenge(client);
    assert_int_equal(ed25519_make_key(key, public_key), 0);
    len = proof_bytes(&parts.proof, world->seal_public, bytes);
    assert_int_equal(ed25519_sign(key, bytes, len, signature), 0);
    signature[5] ^= spoil;
    memcpy(secret_copy, secret, sizeof(secret_copy));
    culvert__enrol__init(&message);
    culvert__versions__init(&versions);
    versions.lowest = versions.highest = PROTO_VERSION;
    message.versions = &versions;
    message.secret = (ProtobufCBinaryData){sizeof(secret_copy), secret_copy};
    message.key = (ProtobufCBinaryData){sizeof(public_key), public_key};
    message.seal_key = (ProtobufCBinaryData){HPKE_PUBLIC_KEY, world->seal_public};
    message.signature = (ProtobufCBinaryData){sizeof(signature), signature};
    send_body(client, CULVERT__ENVELOPE__BODY_ENROL, &message);
}

static void a_code_makes_one_agent_once(void **state)
{
    static const uint8_t secret[ENROL_SECRET] = {1, 2, 3};
    struct world *world = *state;
    struct client first, second, spoiled;

    put_code(world, secret, 900);
    enrol(&spoiled, world, secret, true);
    assert_refused(&spoiled, CULVERT__REFUSED__CODE__PROTOCOL);
    enrol(&first, world, secret, false);
    WAIT_MESSAGE(&first, ENROLLED);
    assert_string_equal(find(&first, CULVERT__ENVELOPE__BODY_ENROLLED)->enrolled->name, "attic");
    enrol(&second, world, secret, false);
    assert_refused(&second, CULVERT__REFUSED__CODE__CODE);
    client_close(&first);
    client_close(&second);
    client_close(&spoiled);
}

static void an_old_code_is_refused_and_five_wrong_ones_stop_an_address(void **state)
{
    static const uint8_t old[ENROL_SECRET] = {9}, good[ENROL_SECRET] = {8};
    struct world *world = *state;
    struct client client;

    put_code(world, old, -1);
    put_code(world, good, 900);
    for (int i = 0; i < 5; i++) {
        enrol(&client, world, old, false);
        assert_refused(&client, CULVERT__REFUSED__CODE__CODE);
        client_close(&client);
    }
    enrol(&client, world, good, false);
    assert_refused(&client, CULVERT__REFUSED__CODE__BUSY);
    client_close(&client);
}

static void draining_says_goodbye(void **state)
{
    struct world *world = *state;
    struct client client;

    log_in(&client, world, 1 << 20);
    tunnel_drain(world->tunnel);
    WAIT_MESSAGE(&client, GOODBYE);
    assert_int_equal(find(&client, CULVERT__ENVELOPE__BODY_GOODBYE)->goodbye->hold_ms, 0);
    assert_true(find(&client, CULVERT__ENVELOPE__BODY_GOODBYE)->goodbye->deadline_ms > 0);
    client_close(&client);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_agent_is_welcomed_and_told_its_cameras),
        IN_WORLD(a5_a_signature_for_anything_else_is_refused),
        IN_WORLD(a3_the_newer_of_two_with_one_key_stays),
        IN_WORLD(a_version_of_the_future_is_told_so),
        IN_WORLD(strangers_get_no_answer),
        IN_WORLD(a_lane_with_its_ticket_feeds_the_stream),
        IN_WORLD(a2_a_lane_for_what_was_not_asked_is_refused),
        IN_WORLD(a1_lanes_opened_again_and_again_replace_each_other),
        IN_WORLD(a1_bytes_that_are_no_frames_end_the_lane),
        IN_WORLD(a4_a_revoked_key_ends_control_and_lane_within_a_second),
        IN_WORLD(a8_an_agent_that_never_reads_costs_a_bounded_backlog),
        IN_WORLD(a8_commands_for_an_agent_that_never_reads_are_bounded),
        IN_WORLD(a8_a_long_list_of_cameras_goes_in_parts),
        IN_WORLD(a_code_makes_one_agent_once),
        IN_WORLD(an_old_code_is_refused_and_five_wrong_ones_stop_an_address),
        IN_WORLD(draining_says_goodbye),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
