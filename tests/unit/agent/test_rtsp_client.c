/* The RTSP client against the dialects that cameras speak: each is a row, with what the client
 * must ask and what the camera answers to it. The camera is a listener on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/writer.h"
#include "camera_dialects.h"
#include "net/conn.h"
#include "net/listener.h"
#include "rtsp/digest.h"
#include "rtsp/message.h"
#include "unit/base/skipped_clock.h"

enum { TURN_US = 500, PATIENCE_S = 20, SECOND_US = 1000000 };

static struct {
    struct loop *loop;
    struct loop_timer tick;
    struct listener *listener;
    struct conn *conn; /* the camera's end */
    const struct dialect *dialect;
    unsigned exchange_count; /* done */
    uint16_t seq;
    bool is_over;

    struct rtsp_client *client;
    unsigned units, playing;
    bool has_failed;
    enum rtsp_failure failure;
    char text[256];
} camera;

static uint16_t camera_port(void)
{
    return addr_port(listener_addr(camera.listener));
}

/* The text with its $s filled in. */
static void expand(struct writer *out, const char *text, int64_t cseq)
{
    const char *sdp = camera.dialect->sdp ? camera.dialect->sdp : "";

    for (; *text; text++) {
        if (*text != '$')
            writer_put(out, text, 1);
        else if (*++text == 'C')
            writer_printf(out, "%lld", (long long)cseq);
        else if (*text == 'P')
            writer_printf(out, "%u", camera_port());
        else if (*text == 'B')
            writer_printf(out, "Content-type: application/sdp\r\ncontent-length: %zu\r\n\r\n%s",
                          strlen(sdp), sdp);
    }
}

static void send_frame(uint8_t channel)
{
    uint8_t bytes[4 + 12 + 160] = {'$', channel, 0, 172, 0x80, 0x80};

    bytes[7] = (uint8_t)camera.seq;
    bytes[10] = (uint8_t)(160 * camera.seq >> 8);
    bytes[11] = (uint8_t)(160 * camera.seq);
    camera.seq++;
    assert_int_equal(conn_write_copy(camera.conn, bytes, sizeof(bytes)), 0);
}

/* Is the password right in what a Digest answers? */
static void check_digest(const struct rtsp_message *request)
{
    const char *value = rtsp_header(request, "Authorization");
    struct digest_credential credential;

    if (!value || strncmp(value, "Digest ", 7) != 0)
        return;
    assert_int_equal(digest_credential_parse(&credential, value), 0);
    assert_string_equal(credential.user, "u");
    assert_string_equal(credential.uri, request->url);
    assert_int_equal(digest_verify(&credential, request->method, "secret"), 0);
}

static void check_header(const struct rtsp_message *request, const char *has)
{
    char name[32];
    size_t len = strcspn(has, ":");
    const char *value;

    if (*has == '!') {
        assert_null(rtsp_header(request, has + 1));
        return;
    }
    assert_true(len < sizeof(name));
    memcpy(name, has, len);
    name[len] = '\0';
    value = rtsp_header(request, name);
    if (!value || !strstr(value, has + len + 2))
        fail_msg("%s is \"%s\", not %s", name, value ? value : "", has);
}

static void check_request(const struct rtsp_message *message, const char *wants)
{
    char got[512], prefix[64];

    snprintf(prefix, sizeof(prefix), "rtsp://127.0.0.1:%u", camera_port());
    if (message->is_request) {
        assert_int_equal(strncmp(message->url, prefix, strlen(prefix)), 0);
        snprintf(got, sizeof(got), "%s %s", message->method, message->url + strlen(prefix));
    } else {
        snprintf(got, sizeof(got), "%u ", message->status);
    }
    assert_string_equal(got, wants);
}

static void answer(const struct exchange *exchange, int64_t cseq)
{
    struct writer out;

    if (exchange->frame_before)
        send_frame(exchange->frame_before - 1);
    writer_init(&out, 16 * 1024);
    expand(&out, exchange->answer, cseq);
    if (out.len)
        assert_int_equal(conn_write_copy(camera.conn, out.bytes, out.len), 0);
    writer_fini(&out);
    if (exchange->frame_after)
        send_frame(exchange->frame_after - 1);
}

static void on_message(const struct rtsp_message *message)
{
    const struct exchange *exchange = &camera.dialect->exchanges[camera.exchange_count];

    if (camera.is_over)
        return; /* TEARDOWN */
    if (!exchange->wants || camera.exchange_count == EXCHANGES)
        fail_msg("%s asked too much: %s", camera.dialect->name, message->method);
    check_request(message, exchange->wants);
    check_digest(message);
    for (unsigned i = 0; i < HAS && exchange->has[i]; i++)
        check_header(message, exchange->has[i]);
    camera.exchange_count++;
    answer(exchange, rtsp_cseq(message));
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    (void)owner;
    while (used < len && conn == camera.conn) {
        struct rtsp_parsed parsed = rtsp_parse(bytes + used, len - used);

        if (parsed.piece == RTSP_NEEDS_MORE)
            break;
        assert_int_not_equal(parsed.piece, RTSP_BAD);
        used += parsed.used;
        if (parsed.piece == RTSP_MESSAGE)
            on_message(parsed.message);
        rtsp_message_free(parsed.message);
    }
    return (ssize_t)used;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    (void)owner, (void)err;
    if (camera.conn == conn)
        camera.conn = NULL;
}

static const struct conn_handler camera_handler = {.on_input = on_input, .on_closed = on_closed};

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct conn_limits limits = conn_limits_default;

    (void)owner, (void)peer;
    conn_close(camera.conn);
    limits.first_byte_us = 0;
    assert_int_equal(conn_accept(&camera.conn, camera.loop, fd, NULL, &limits), 0);
    conn_set_handler(camera.conn, &camera_handler, NULL);
}

static const struct listener_handler listener_handler = {on_accept};

static void on_track(void *owner, unsigned index, const struct track *track)
{
    (void)owner, (void)index, (void)track;
}

static void on_unit(void *owner, unsigned index, const struct access_unit *unit)
{
    (void)owner, (void)index, (void)unit;
    assert_int_not_equal(camera.playing, 0);
    camera.units++;
}

static void on_report(void *owner, unsigned index, const struct rtcp_report *report)
{
    (void)owner, (void)index, (void)report;
}

static void on_playing(void *owner, unsigned track_count)
{
    (void)owner;
    assert_int_equal(camera.playing, 0);
    camera.playing = track_count;
}

static void on_failed(void *owner, enum rtsp_failure failure, const char *text)
{
    (void)owner;
    camera.client = NULL;
    camera.has_failed = true;
    camera.failure = failure;
    snprintf(camera.text, sizeof(camera.text), "%s", text);
}

static const struct rtsp_client_handler client_handler = {on_track, on_unit, on_report, on_playing,
                                                          on_failed};

static void on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void turn(void)
{
    loop_timer_start(&camera.tick, TURN_US);
    loop_run(camera.loop);
}

static void open_all(void)
{
    struct allow allow = {.has_loopback = true};
    static struct allow kept;
    struct addr addr;
    struct writer url;
    struct rtsp_url parsed;
    struct rtsp_client_config config = {.url = &parsed, .allow = &kept};

    kept = allow;
    assert_int_equal(loop_new(&camera.loop, 0), 0);
    loop_timer_init(&camera.tick, camera.loop, on_tick);
    assert_int_equal(addr_parse(&addr, "127.0.0.1"), 0);
    assert_int_equal(listener_open(&camera.listener, camera.loop, &addr, &listener_handler, NULL),
                     0);
    writer_init(&url, 1024);
    writer_text(&url, "rtsp://");
    expand(&url, camera.dialect->url, 0);
    writer_put(&url, "", 1);
    assert_int_equal(rtsp_url_parse(&parsed, (const char *)url.bytes), 0);
    writer_fini(&url);
    config.loop = camera.loop;
    assert_int_equal(rtsp_client_open(&camera.client, &config, &client_handler, NULL), 0);
}

static void close_all(void)
{
    camera.is_over = true;
    rtsp_client_close(camera.client);
    turn();
    conn_close(camera.conn);
    listener_close(camera.listener);
    turn();
    conn_close_ownerless(camera.loop);
    loop_free(camera.loop);
}

static bool has_ended(void)
{
    const struct dialect *dialect = camera.dialect;

    if (!dialect->tracks)
        return camera.has_failed;
    return camera.has_failed ||
           (camera.exchange_count < EXCHANGES && !dialect->exchanges[camera.exchange_count].wants &&
            camera.playing && camera.units >= dialect->units);
}

/* Turns, and moves the clock where nothing happens before it moves: for the next exchange, and for
 * deadlines. Half a second a turn, so that a sign of life that comes too early or late shows. */
static void let_time_pass(int64_t *waited_us)
{
    const struct exchange *next = &camera.dialect->exchanges[camera.exchange_count % EXCHANGES];
    unsigned before = camera.exchange_count;
    int64_t until_us = next->after_s ? next->after_s * (int64_t)SECOND_US : 0;

    if (!next->wants && !camera.dialect->tracks)
        until_us = 9 * SECOND_US; /* a failure that only time brings */
    turn();
    if (camera.exchange_count != before)
        *waited_us = 0;
    else if (*waited_us < until_us) {
        skipped_us += SECOND_US / 2;
        *waited_us += SECOND_US / 2;
    }
}

static void run(void **state)
{
    int64_t waited_us = 0;
    time_t began = time(NULL);

    memset(&camera, 0, sizeof(camera));
    camera.dialect = *state;
    open_all();
    while (!has_ended()) {
        if (time(NULL) > began + PATIENCE_S)
            fail_msg("after %u exchanges and %u units nothing more came", camera.exchange_count,
                     camera.units);
        let_time_pass(&waited_us);
    }
    if (camera.has_failed && camera.dialect->tracks)
        fail_msg("it failed: %s", camera.text);
    if (!camera.dialect->tracks) {
        assert_int_equal(camera.failure, camera.dialect->failure);
        assert_non_null(strstr(camera.text, camera.dialect->text));
        assert_null(strstr(camera.text, "secret"));
    }
    assert_int_equal(camera.playing, camera.dialect->tracks);
    assert_int_equal(camera.units, camera.dialect->units);
    close_all();
}

int main(void)
{
    enum { COUNT = sizeof(dialects) / sizeof(*dialects) };
    struct CMUnitTest tests[COUNT];

    for (unsigned i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){
            .name = dialects[i].name, .test_func = run, .initial_state = &dialects[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
