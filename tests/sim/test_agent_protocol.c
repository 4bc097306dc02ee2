/* Both ends of a control connection over a virtual link with delay and loss of the whole link,
 * under a fake clock. The link is TCP's: bytes come late, in pieces, or not at all, but in order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent-proto/control.h"
#include "agent-proto/message.h"

enum { MS = 1000, DELAY = 40 * MS, CHUNKS = 512, LOG_MAX = 4096 };

struct chunk {
    uint8_t bytes[4096];
    size_t len;
    int64_t due_us;
};

/* One direction. */
struct wire {
    struct chunk chunks[CHUNKS];
    unsigned first, count;
    uint8_t inbox[2 * MESSAGE_MAX_TO_AGENT];
    size_t len;
    bool is_cut;
};

struct end {
    struct control control;
    struct wire *out;
    struct end *peer;
    int err; /* why it ended */
    char log[LOG_MAX];
};

static struct wire wires[2];
static struct end server, agent;
static int64_t now_us;

static void note(struct end *end, const char *text)
{
    size_t len = strlen(end->log);

    (void)snprintf(end->log + len, sizeof(end->log) - len, "%s ", text);
}

static int on_write(void *owner, const void *bytes, size_t len)
{
    struct end *end = owner;

    for (size_t done = 0; done < len;) {
        struct chunk *chunk;
        size_t part = len - done < sizeof(chunk->bytes) ? len - done : sizeof(chunk->bytes);

        if (end->out->count == CHUNKS)
            return -ENOBUFS;
        chunk = &end->out->chunks[(end->out->first + end->out->count++) % CHUNKS];
        memcpy(chunk->bytes, (const uint8_t *)bytes + done, part);
        chunk->len = part;
        chunk->due_us = now_us + DELAY;
        done += part;
    }
    return 0;
}

static int send_body(struct end *end, Culvert__Envelope__BodyCase body, void *message)
{
    Culvert__Envelope envelope;

    culvert__envelope__init(&envelope);
    envelope.body_case = body;
    envelope.hello = message; /* a union of pointers */
    return control_send(&end->control, &envelope, now_us);
}

static int send_challenge(void)
{
    Culvert__Challenge challenge;

    culvert__challenge__init(&challenge);
    return send_body(&server, CULVERT__ENVELOPE__BODY_CHALLENGE, &challenge);
}

static int answer_hello(void)
{
    Culvert__Welcome welcome;

    culvert__welcome__init(&welcome);
    control_enter(&server.control, CONTROL_READY, now_us);
    return send_body(&server, CULVERT__ENVELOPE__BODY_WELCOME, &welcome);
}

static int answer_challenge(void)
{
    Culvert__Hello hello;

    culvert__hello__init(&hello);
    control_enter(&agent.control, CONTROL_DECIDING, now_us);
    return send_body(&agent, CULVERT__ENVELOPE__BODY_HELLO, &hello);
}

static int on_message(void *owner, const Culvert__Envelope *message)
{
    struct end *end = owner;

    note(end, control_message_name(message));
    if (message->body_case == CULVERT__ENVELOPE__BODY_HELLO) {
        control_enter(&server.control, CONTROL_DECIDING, now_us);
        return answer_hello();
    }
    if (message->body_case == CULVERT__ENVELOPE__BODY_CHALLENGE)
        return answer_challenge();
    if (message->body_case == CULVERT__ENVELOPE__BODY_WELCOME)
        control_enter(&agent.control, CONTROL_READY, now_us);
    return 0;
}

static const struct control_handler handler = {.write = on_write, .on_message = on_message};

/* What has come over the wire is offered, a few bytes more each time. */
static void deliver(struct end *to, struct wire *wire)
{
    while (wire->count && wire->chunks[wire->first].due_us <= now_us && !wire->is_cut) {
        struct chunk *chunk = &wire->chunks[wire->first];

        memcpy(wire->inbox + wire->len, chunk->bytes, chunk->len);
        wire->len += chunk->len;
        wire->first = (wire->first + 1) % CHUNKS;
        wire->count--;
    }
    if (wire->len && !to->err) {
        ssize_t used = control_input(&to->control, wire->inbox, wire->len, now_us);

        if (used < 0) {
            to->err = (int)used;
            return;
        }
        wire->len -= (size_t)used;
        memmove(wire->inbox, wire->inbox + used, wire->len);
    }
    if (to == &server && to->control.state == CONTROL_GREETING && !to->log[0]) {
        note(to, "(challenge)");
        assert_int_equal(send_challenge(), 0);
    }
}

static void tick(struct end *end)
{
    if (!end->err && now_us >= control_wake_us(&end->control))
        end->err = control_tick(&end->control, now_us);
}

static void run_ms(int ms)
{
    for (int64_t until = now_us + ms * (int64_t)MS; now_us < until; now_us += 10 * MS) {
        deliver(&server, &wires[0]);
        deliver(&agent, &wires[1]);
        tick(&server);
        tick(&agent);
    }
}

static int meet(void **state)
{
    (void)state;
    memset(wires, 0, sizeof(wires));
    memset(&server, 0, sizeof(server));
    memset(&agent, 0, sizeof(agent));
    now_us = 1000000000;
    agent.out = &wires[0];
    server.out = &wires[1];
    assert_int_equal(control_init(&server.control, CONTROL_SERVER, &handler, &server), 0);
    assert_int_equal(control_init(&agent.control, CONTROL_AGENT, &handler, &agent), 0);
    assert_int_equal(control_start(&server.control, now_us), 0);
    assert_int_equal(control_start(&agent.control, now_us), 0);
    return 0;
}

static void the_two_ends_greet_in_two_round_trips(void **state)
{
    (void)state;
    run_ms(4 * DELAY / MS + 50);
    assert_int_equal(server.control.state, CONTROL_READY);
    assert_int_equal(agent.control.state, CONTROL_READY);
    assert_string_equal(agent.log, "challenge welcome ");
    assert_string_equal(server.log, "(challenge) hello ");
}

static void a_quiet_connection_lives_by_its_pings(void **state)
{
    (void)state;
    run_ms(10 * 60 * 1000);
    assert_int_equal(server.err, 0);
    assert_int_equal(agent.err, 0);
    assert_in_range(agent.control.rtt_us, 2 * DELAY - 10 * MS, 2 * DELAY + 30 * MS);
}

static void a_dead_link_is_noticed_within_fifteen_seconds(void **state)
{
    int64_t cut_us;

    (void)state;
    run_ms(60000);
    wires[0].is_cut = true;
    wires[1].is_cut = true;
    cut_us = now_us;
    while (!(server.err && agent.err) && now_us < cut_us + 30 * 1000000)
        run_ms(100);
    assert_int_equal(server.err, -ERR_TIMEOUT);
    assert_int_equal(agent.err, -ERR_TIMEOUT);
    assert_true(now_us - cut_us <= CONTROL_SILENCE_US + 200 * MS);
}

static void one_direction_that_dies_is_noticed_by_its_reader(void **state)
{
    (void)state;
    run_ms(60000);
    wires[1].is_cut = true;
    run_ms(16000);
    assert_int_equal(agent.err, -ERR_TIMEOUT);
}

static void a_link_that_comes_back_in_time_goes_on(void **state)
{
    (void)state;
    run_ms(60000);
    wires[0].is_cut = true;
    wires[1].is_cut = true;
    run_ms(9000);
    wires[0].is_cut = false;
    wires[1].is_cut = false;
    run_ms(60000);
    assert_int_equal(server.err, 0);
    assert_int_equal(agent.err, 0);
}

static void an_agent_that_never_greets_is_let_go(void **state)
{
    (void)state;
    wires[0].is_cut = true;
    run_ms(11000);
    assert_int_equal(server.err, -ERR_TIMEOUT);
}

/* Bytes from the agent's side that its own end would never send. */
static void send_raw(const void *bytes, size_t len)
{
    assert_int_equal(on_write(&agent, bytes, len), 0);
}

static void send_packed(const Culvert__Envelope *envelope)
{
    struct writer writer;

    writer_init(&writer, 1 << 20);
    assert_int_equal(message_pack(&writer, &envelope->base, 1 << 20), 0);
    send_raw(writer.bytes, writer.len);
    writer_fini(&writer);
}

static void each_message_out_of_order_is_refused(void **state)
{
    static const Culvert__Envelope__BodyCase bodies[] = {
        CULVERT__ENVELOPE__BODY_HELLO,   CULVERT__ENVELOPE__BODY_ENROL,
        CULVERT__ENVELOPE__BODY_WELCOME, CULVERT__ENVELOPE__BODY_CHALLENGE,
        CULVERT__ENVELOPE__BODY_CAMERAS, CULVERT__ENVELOPE__BODY_START,
        CULVERT__ENVELOPE__BODY_STOP,    CULVERT__ENVELOPE__BODY_ENROLLED,
        CULVERT__ENVELOPE__BODY_PROBE,   CULVERT__ENVELOPE__BODY_DIAGNOSE,
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        uint8_t bytes[] = {0, 0, 0, 3, 0, 1, 0};
        unsigned tag = (unsigned)bodies[i] << 3 | 2; /* the body, empty */

        meet(state);
        run_ms(1000);
        assert_int_equal(server.control.state, CONTROL_READY);
        bytes[4] = (uint8_t)((tag & 0x7f) | (tag > 0x7f ? 0x80 : 0));
        bytes[5] = tag > 0x7f ? (uint8_t)(tag >> 7) : 0;
        bytes[3] = tag > 0x7f ? 3 : 2;
        send_raw(bytes, (size_t)(4 + bytes[3]));
        run_ms(200);
        assert_int_equal(server.err, -ERR_PROTOCOL);
        assert_non_null(strstr(agent.log, "refused"));
    }
}

static void a_message_before_hello_is_refused(void **state)
{
    Culvert__Envelope envelope;
    Culvert__CameraState camera;

    (void)state;
    culvert__envelope__init(&envelope);
    culvert__camera_state__init(&camera);
    envelope.body_case = CULVERT__ENVELOPE__BODY_STATE;
    envelope.state = &camera;
    send_packed(&envelope);
    run_ms(200);
    assert_int_equal(server.err, -ERR_PROTOCOL);
    assert_null(strstr(server.log, "state"));
}

static void an_unknown_message_is_skipped_unless_it_is_required(void **state)
{
    static const uint8_t unknown[] = {0, 0, 0, 4, 0xaa, 0x06, 1, 'x'};
    static const uint8_t required[] = {0, 0, 0, 6, 0x08, 1, 0xaa, 0x06, 1, 'x'};

    (void)state;
    run_ms(1000);
    send_raw(unknown, sizeof(unknown));
    run_ms(200);
    assert_int_equal(server.err, 0);
    send_raw(required, sizeof(required));
    run_ms(200);
    assert_int_equal(server.err, -ERR_PROTOCOL);
    assert_non_null(strstr(agent.log, "refused"));
}

static void lengths_of_nothing_and_past_the_limit_end_it(void **state)
{
    static const uint8_t bad[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 1, 0, 1}};

    for (size_t i = 0; i < 3; i++) {
        meet(state);
        run_ms(1000);
        send_raw(bad[i], 4);
        run_ms(200);
        assert_int_equal(server.err, -ERR_PROTOCOL);
    }
}

static void a_flood_of_messages_is_refused(void **state)
{
    static const uint8_t pong[] = {0, 0, 0, 2, 0x72, 0};
    uint8_t burst[4096];
    size_t len = 0;

    (void)state;
    run_ms(1000);
    for (; len + sizeof(pong) <= sizeof(burst); len += sizeof(pong))
        memcpy(burst + len, pong, sizeof(pong));
    for (int i = 0; i < 12 && !server.err; i++) {
        send_raw(burst, len);
        run_ms(100);
    }
    assert_int_equal(server.err, -ERR_PROTOCOL);
    assert_string_equal(server.control.reason, "too many messages");
}

static void a_sender_may_only_send_what_is_its_to_send(void **state)
{
    Culvert__Welcome welcome;
    Culvert__Hello hello;

    (void)state;
    culvert__welcome__init(&welcome);
    culvert__hello__init(&hello);
    run_ms(1000);
    assert_int_equal(send_body(&agent, CULVERT__ENVELOPE__BODY_WELCOME, &welcome), -ERR_PROTOCOL);
    assert_int_equal(send_body(&server, CULVERT__ENVELOPE__BODY_HELLO, &hello), -ERR_PROTOCOL);
    control_enter(&agent.control, CONTROL_CLOSED, now_us);
    assert_int_equal(send_body(&agent, CULVERT__ENVELOPE__BODY_HELLO, &hello), -ERR_CLOSED);
}

static void a_peer_that_is_no_agent_is_not_answered(void **state)
{
    struct control control;

    (void)state;
    assert_int_equal(control_init(&control, CONTROL_SERVER, &handler, &server), 0);
    assert_int_equal(control_start(&control, now_us), 0);
    assert_int_equal(control_input(&control, (const uint8_t *)"GET / HTTP/1.1", 14, now_us),
                     -ERR_PROTOCOL);
    assert_int_equal(control_start(&control, now_us), 0);
    assert_int_equal(control_input(&control, (const uint8_t *)"CVL1", 4, now_us), -ERR_PROTOCOL);
    assert_int_equal(wires[1].count, 0);
}

int main(void)
{
#define SIM(test) cmocka_unit_test_setup(test, meet)
    const struct CMUnitTest tests[] = {
        SIM(the_two_ends_greet_in_two_round_trips),
        SIM(a_quiet_connection_lives_by_its_pings),
        SIM(a_dead_link_is_noticed_within_fifteen_seconds),
        SIM(one_direction_that_dies_is_noticed_by_its_reader),
        SIM(a_link_that_comes_back_in_time_goes_on),
        SIM(an_agent_that_never_greets_is_let_go),
        SIM(each_message_out_of_order_is_refused),
        SIM(a_message_before_hello_is_refused),
        SIM(an_unknown_message_is_skipped_unless_it_is_required),
        SIM(lengths_of_nothing_and_past_the_limit_end_it),
        SIM(a_flood_of_messages_is_refused),
        SIM(a_sender_may_only_send_what_is_its_to_send),
        SIM(a_peer_that_is_no_agent_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
