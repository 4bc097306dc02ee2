/* WHEP on a server whose connections are memory, which admits as the test wants: one camera,
 * "door", with H.264 and Opus. Include it in one file of a program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "egress/webrtc/webrtc.h"
#include "http/router.h"
#include "http/server.h"
#include "media/packager.h"
#include "unit/egress/webrtc/offer_file.h"
#include "unit/http/fake_conn.h"

enum { ANSWER_MAX = 64 * 1024 };

struct answered {
    unsigned status;
    char text[ANSWER_MAX]; /* all of it */
    const char *body;
};

struct rig {
    struct loop *loop;
    struct options *options;
    struct egress_env env;
    struct egress_instance *instance;
    struct http_router *router;
    struct http_server *server;
    struct hub *hub;
    struct view *view;
    struct tracks *tracks;

    bool is_asked_later; /* admissions wait for rig_decide */
    enum verdict verdict;
    const char *origins;
    struct admission *asked; /* the last */
    unsigned admit_count, leave_count;
    char token[TOKEN_TEXT], origin[128]; /* of the last admission */
    struct offer_file offer;
    struct answered answered;
};

static struct rig rig;

static const struct feed_kind rig_kinds[] = {
    {&packager_rtp, {1 << 20, 2 * 1000000}, 0},
    {.packager = NULL},
};

static const struct option rig_rows[] = {
    {"listen", OPTION_LIST, "", 0, 0, NULL, false, "addresses"},
    {"https-port", OPTION_INT, "8443", 0, 65535, NULL, false, "port"},
    {"public-port", OPTION_INT, "0", 0, 65535, NULL, false, "port"},
    {.name = NULL},
};

static inline void rig_turn(void)
{
    loop_stop(rig.loop);
    loop_run(rig.loop);
}

/* ---- the server's part ------------------------------------------------------------------------
 */

static inline void rig_decide(enum verdict verdict)
{
    struct admission *admission = rig.asked;

    admission->origins = rig.origins;
    admission->rule = "a-rule";
    if (verdict == VERDICT_ALLOW) {
        admission->view = rig.view;
        view_hold(rig.view);
    }
    admission->on_verdict(admission, verdict);
}

static void rig_admit(struct egress_env *env, struct admission *admission)
{
    admission->env = env;
    rig.asked = admission;
    rig.admit_count++;
    snprintf(rig.token, sizeof(rig.token), "%s", admission->token);
    snprintf(rig.origin, sizeof(rig.origin), "%s", admission->origin ? admission->origin : "");
    if (!rig.is_asked_later)
        rig_decide(rig.verdict);
}

static void rig_leave(struct egress_env *env, struct admission *admission)
{
    (void)env;
    if (admission->view)
        view_release(admission->view);
    admission->view = NULL;
    rig.leave_count++;
}

/* No camera here has a sub stream. */
static struct view *rig_view(struct egress_env *env, const char *slug)
{
    (void)env;
    (void)slug;
    return NULL;
}

static inline void rig_start(void)
{
    static char port[] = "--webrtc-port=0", stun[] = "--webrtc-stun=stun:stun.example";
    char *argv[] = {port, stun};
    struct option_error error;

    assert_int_equal(options_new(&rig.options), 0);
    assert_int_equal(options_add(rig.options, rig_rows), 0);
    assert_int_equal(options_add(rig.options, egress_webrtc.options), 0);
    assert_int_equal(options_read_flags(rig.options, 2, argv, &error), 0);
    assert_int_equal(http_router_new(&rig.router), 0);
    rig.env = (struct egress_env){.loop = rig.loop,
                                  .options = rig.options,
                                  .router = rig.router,
                                  .public_host = "127.0.0.1",
                                  .node_id = "n1",
                                  .admit = rig_admit,
                                  .leave = rig_leave,
                                  .view = rig_view};
    assert_int_equal(egress_webrtc.start(&rig.instance, &rig.env), 0);
    assert_int_equal(http_server_new(&rig.server, rig.loop, rig.router, NULL, NULL), 0);
}

static inline int rig_setup(void **state)
{
    static const uint8_t sps[] = {0, 0, 0, 4, 0x67, 0x42, 0xc0, 0x1f};

    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.origins = "";
    rig.tracks = tracks_new(2);
    assert_non_null(rig.tracks);
    rig.tracks->track[0] = (struct track){
        .codec = CODEC_H264, .clock_rate = 90000, .config = buf_copy(sps, sizeof(sps))};
    rig.tracks->track[1] = (struct track){.codec = CODEC_OPUS, .clock_rate = 48000, .channels = 2};
    assert_int_equal(loop_new(&rig.loop, 0), 0);
    assert_int_equal(hub_new(&rig.hub, rig.loop, rig_kinds), 0);
    hub_join(&rig.hub, 1);
    rig.view = hub_add(rig.hub, "door");
    assert_non_null(rig.view);
    view_set_tracks(rig.view, rig.tracks);
    rig_start();
    offer_file_read(&rig.offer, "chromium");
    return 0;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    egress_webrtc.stop(rig.instance);
    http_server_free(rig.server);
    http_router_free(rig.router);
    loop_drain(rig.loop);
    hub_free(rig.hub);
    loop_free(rig.loop);
    options_free(rig.options);
    tracks_unref(rig.tracks);
    return 0;
}

/* ---- the viewer's -----------------------------------------------------------------------------
 */

static inline struct conn *rig_connect(void)
{
    struct conn *conn = fake_conn_new(rig.loop, "http/1.1");

    http_server_accept(rig.server, conn);
    return conn;
}

static inline void rig_hang_up(struct conn *conn)
{
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

/* headers: whole lines. body may be NULL. */
static inline void rig_send(struct conn *conn, const char *request, const char *headers,
                            const char *body)
{
    static char text[2 * OFFER_MAX_BYTES];
    int len =
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: relay.example\r\n%s", request, headers);

    if (body)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "Content-Length: %zu\r\n\r\n%s",
                        strlen(body), body);
    else
        len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
    assert_true((size_t)len < sizeof(text));
    fake_input(conn, text, (size_t)len);
    rig_turn();
}

/* What was answered on that connection. status 0: nothing yet. */
static inline const struct answered *rig_answer(struct conn *conn)
{
    struct answered *answered = &rig.answered;
    char *end;

    assert_true(conn->out.len < sizeof(answered->text));
    if (conn->out.len)
        memcpy(answered->text, conn->out.bytes, conn->out.len);
    answered->text[conn->out.len] = '\0';
    answered->status = 0;
    (void)!sscanf(answered->text, "HTTP/1.1 %u", &answered->status);
    end = strstr(answered->text, "\r\n\r\n");
    answered->body = end ? end + 4 : "";
    return answered;
}

/* On a connection of its own. */
static inline unsigned rig_ask(const char *request, const char *headers, const char *body)
{
    struct conn *conn = rig_connect();

    rig_send(conn, request, headers, body);
    rig_answer(conn);
    rig_hang_up(conn);
    return rig.answered.status;
}

/* A header of the last answer, until the next call; "" without one. */
static inline const char *rig_header(const char *name)
{
    static char value[512], line[128];
    const char *at;

    snprintf(line, sizeof(line), "\r\n%s: ", name);
    at = strcasestr(rig.answered.text, line);
    if (!at || at >= rig.answered.body)
        return "";
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* An attribute's value in the last answer's SDP, until the next call. */
static inline const char *rig_attribute(const char *name)
{
    static char value[512], line[128];
    const char *at;

    snprintf(line, sizeof(line), "a=%s:", name);
    at = strstr(rig.answered.body, line);
    if (!at)
        return "";
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* An RFC 9457 problem with that status and rule; "": any. */
static inline void assert_problem(unsigned status, const char *rule)
{
    char member[128];

    assert_int_equal(rig.answered.status, status);
    assert_string_equal(rig_header("content-type"), "application/problem+json");
    snprintf(member, sizeof(member), "\"status\":%u", status);
    assert_non_null(strstr(rig.answered.body, member));
    assert_non_null(strstr(rig.answered.body, "\"detail\":\""));
    if (*rule)
        assert_non_null(strstr(rig.answered.body, rule));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
