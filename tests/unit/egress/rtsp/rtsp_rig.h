/* RTSP's egress on a loop, with a server that answers as the test wants and connections that are
 * memory: one camera, "door", with H.264 and PCMU. Include it in one file of a program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "egress/rtsp/rtsp.h"
#include "media/packager.h"
#include "unit/http/fake_conn.h"

struct rig {
    struct loop *loop;
    struct options *options;
    struct egress_env env;
    struct egress_instance *instance;
    struct hub *hub;
    struct view *view;

    bool is_asked_later; /* admissions wait for rig_decide */
    enum verdict verdict;
    struct admission *asked; /* the one that waits */
    unsigned admit_count, leave_count;
    char token[TOKEN_TEXT]; /* of the last admission */
};

static struct rig rig;

static const struct feed_kind rig_kinds[] = {
    {&packager_rtp, {1 << 20, 2 * 1000000}, 0},
    {.packager = NULL},
};

static const struct option rig_rows[] = {
    {"listen", OPTION_LIST, "", 0, 0, NULL, false, "addresses"},
    {.name = NULL},
};

static inline void rig_decide(enum verdict verdict)
{
    struct admission *admission = rig.asked;

    rig.asked = NULL;
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
    assert_string_equal(admission->slug, "door");
    if (!rig.is_asked_later)
        rig_decide(rig.verdict);
}

static void rig_leave(struct egress_env *env, struct admission *admission)
{
    (void)env;
    if (rig.asked == admission)
        rig.asked = NULL;
    if (admission->view)
        view_release(admission->view);
    admission->view = NULL;
    rig.leave_count++;
}

static struct view *rig_view(struct egress_env *env, const char *slug)
{
    (void)env, (void)slug;
    return rig.view;
}

static bool rig_token_by_id(struct egress_env *env, const char *id, char out[TOKEN_TEXT])
{
    (void)env, (void)id, (void)out;
    return false;
}

static inline void rig_start(void)
{
    static char flags[][40] = {"--rtsp-port=0", "--rtsps-port=0", "--rtsp-udp-first-port=39200",
                               "--rtsp-udp-last-port=39299"};
    char *argv[] = {flags[0], flags[1], flags[2], flags[3]};
    struct option_error error;

    assert_int_equal(options_new(&rig.options), 0);
    assert_int_equal(options_add(rig.options, rig_rows), 0);
    assert_int_equal(options_add(rig.options, egress_rtsp.options), 0);
    assert_int_equal(options_read_flags(rig.options, 4, argv, &error), 0);
    rig.env = (struct egress_env){.loop = rig.loop,
                                  .options = rig.options,
                                  .public_host = "127.0.0.1",
                                  .admit = rig_admit,
                                  .leave = rig_leave,
                                  .view = rig_view,
                                  .token_by_id = rig_token_by_id};
    assert_int_equal(egress_rtsp.start(&rig.instance, &rig.env), 0);
}

static inline int rig_setup(void **state)
{
    struct tracks *tracks = tracks_new(2);

    (void)state;
    rig = (struct rig){.verdict = VERDICT_ALLOW};
    assert_non_null(tracks);
    tracks->track[0] = (struct track){.codec = CODEC_H264, .clock_rate = 90000};
    tracks->track[1] = (struct track){.codec = CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    assert_int_equal(loop_new(&rig.loop, 0), 0);
    assert_int_equal(hub_new(&rig.hub, rig.loop, rig_kinds), 0);
    hub_join(&rig.hub, 1);
    rig.view = hub_add(rig.hub, "door");
    assert_non_null(rig.view);
    view_set_tracks(rig.view, tracks);
    tracks_unref(tracks);
    rig_start();
    return 0;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    egress_rtsp.stop(rig.instance);
    loop_drain(rig.loop);
    hub_free(rig.hub);
    loop_free(rig.loop);
    options_free(rig.options);
    return 0;
}

static inline struct conn *rig_viewer(void)
{
    struct conn *conn = fake_conn_new(rig.loop, "");

    assert_int_equal(addr_parse(&conn->peer, "127.0.0.1:1234"), 0);
    egress_rtsp.accept(rig.instance, conn);
    return conn;
}

/* Sends text and returns all that is answered to it, until the next call. */
static inline const char *rig_say(struct conn *conn, const char *text)
{
    static char answer[16 * 1024];
    size_t len;

    fake_input(conn, text, strlen(text));
    len = conn->out.len < sizeof(answer) - 1 ? conn->out.len : sizeof(answer) - 1;
    if (len)
        memcpy(answer, conn->out.bytes, len);
    answer[len] = '\0';
    writer_consume(&conn->out, conn->out.len);
    return answer;
}

/* A request to the camera (target: what follows its name), and its answer. */
static inline const char *rig_ask(struct conn *conn, const char *method, const char *target,
                                  const char *headers)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s rtsp://127.0.0.1:8554/door%s RTSP/1.0\r\nCSeq: 7\r\n%s\r\n",
             method, target, headers);
    return rig_say(conn, text);
}

static inline unsigned rig_status(const char *answer)
{
    unsigned status = 0;

    if (sscanf(answer, "RTSP/1.0 %u", &status) != 1)
        return 0;
    return status;
}

/* The value of a header in an answer, until the next call; "" without one. */
static inline const char *rig_header(const char *answer, const char *name)
{
    static char value[512];
    const char *at = strstr(answer, name);
    size_t len;

    value[0] = '\0';
    if (!at)
        return value;
    at += strlen(name) + 2;
    len = strcspn(at, "\r\n");
    assert_true(len < sizeof(value));
    memcpy(value, at, len);
    value[len] = '\0';
    return value;
}

static inline void rig_go_ready(struct conn *conn, const char *transport)
{
    char header[256];

    snprintf(header, sizeof(header), "Transport: %s\r\n", transport);
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=0?token=t", header)), 200);
}

/* The session's id as a header, for what needs it. */
static inline const char *rig_session(struct conn *conn)
{
    static char header[64];

    snprintf(header, sizeof(header), "Session: %.40s\r\n",
             rig_header(rig_ask(conn, "GET_PARAMETER", "", ""), "Session"));
    return header;
}

static inline void rig_go_playing(struct conn *conn, const char *transport)
{
    rig_go_ready(conn, transport);
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", rig_session(conn))), 200);
}
