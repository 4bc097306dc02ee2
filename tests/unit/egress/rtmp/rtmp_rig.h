/* RTMP's egress on a loop, with a server that answers as the test wants and connections that are
 * memory: one camera, "door", with H.264 and AAC. Include it in one file of a program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "egress/rtmp/rtmp.h"
#include "media/packager.h"
#include "media/stream.h"
#include "rtmp/amf.h"
#include "rtmp/chunk.h"
#include "rtmp/handshake.h"
#include "unit/http/fake_conn.h"

enum { RIG_VIDEO = 0, RIG_AUDIO = 1 };

struct rig {
    struct loop *loop;
    struct options *options;
    struct egress_env env;
    struct egress_instance *instance;
    struct hub *hub;
    struct view *view;
    struct stream *stream;
    struct tracks *tracks;

    bool is_asked_later; /* admissions wait for rig_decide */
    enum verdict verdict;
    struct admission *asked, *admitted;
    unsigned admit_count, leave_count;
    char token[TOKEN_TEXT], slug[SLUG_MAX]; /* of the last admission */
};

static struct rig rig;

static const struct feed_kind rig_kinds[] = {
    {&packager_flv, {1 << 20, 2 * 1000000}, 0},
    {.packager = NULL},
};

static const struct option rig_rows[] = {
    {"listen", OPTION_LIST, "", 0, 0, NULL, false, "addresses"},
    {.name = NULL},
};

static const uint8_t rig_sets[] = {0,    0,    0,    12,   0x67, 0x42, 0xc0, 0x1e,
                                   0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8, 0x80, 0,
                                   0,    0,    0,    4,    0x68, 0xce, 0x3c, 0x80};

static inline void rig_decide(enum verdict verdict)
{
    struct admission *admission = rig.asked;

    rig.asked = NULL;
    if (verdict == VERDICT_ALLOW) {
        rig.admitted = admission;
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
    snprintf(rig.slug, sizeof(rig.slug), "%s", admission->slug);
    if (!rig.is_asked_later)
        rig_decide(rig.verdict);
}

static void rig_leave(struct egress_env *env, struct admission *admission)
{
    (void)env;
    if (rig.asked == admission)
        rig.asked = NULL;
    if (admission->view) {
        view_release(admission->view);
        rig.leave_count++;
    }
    admission->view = NULL;
}

static inline void rig_start(void)
{
    static char flags[][40] = {"--rtmp-port=0", "--rtmps-port=0"};
    char *argv[] = {flags[0], flags[1]};
    struct option_error error;

    assert_int_equal(options_new(&rig.options), 0);
    assert_int_equal(options_add(rig.options, rig_rows), 0);
    assert_int_equal(options_add(rig.options, egress_rtmp.options), 0);
    assert_int_equal(options_read_flags(rig.options, 2, argv, &error), 0);
    rig.env = (struct egress_env){.loop = rig.loop,
                                  .options = rig.options,
                                  .public_host = "127.0.0.1",
                                  .admit = rig_admit,
                                  .leave = rig_leave};
    assert_int_equal(egress_rtmp.start(&rig.instance, &rig.env), 0);
}

/* The camera's stream with these codecs. */
static inline void rig_set_tracks(enum codec video, enum codec audio)
{
    tracks_unref(rig.tracks);
    rig.tracks = tracks_new(2);
    assert_non_null(rig.tracks);
    rig.tracks->track[RIG_VIDEO] = (struct track){.codec = video, .clock_rate = 90000};
    rig.tracks->track[RIG_VIDEO].config = buf_copy(rig_sets, sizeof(rig_sets));
    rig.tracks->track[RIG_AUDIO] =
        (struct track){.codec = audio, .clock_rate = 48000, .channels = 2};
    rig.tracks->track[RIG_AUDIO].config = buf_copy("\x11\x90", 2);
    stream_set_tracks(rig.stream, rig.tracks);
}

static inline int rig_setup(void **state)
{
    (void)state;
    rig = (struct rig){.verdict = VERDICT_ALLOW};
    assert_int_equal(loop_new(&rig.loop, 0), 0);
    assert_int_equal(hub_new(&rig.hub, rig.loop, rig_kinds), 0);
    hub_join(&rig.hub, 1);
    rig.view = hub_add(rig.hub, "door");
    assert_non_null(rig.view);
    assert_int_equal(stream_open(&rig.stream, rig.hub, "door"), 0);
    rig_set_tracks(CODEC_H264, CODEC_AAC);
    rig_start();
    return 0;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    egress_rtmp.stop(rig.instance);
    stream_close(rig.stream);
    tracks_unref(rig.tracks);
    loop_drain(rig.loop);
    hub_free(rig.hub);
    loop_free(rig.loop);
    options_free(rig.options);
    return 0;
}

/* A frame of the camera's, so many ms after its start. */
static inline void rig_frame(unsigned track, bool is_key, int64_t at_ms)
{
    struct frame *frame = frame_new(buf_copy("\0\0\0\2\x65\x88", 6));

    assert_non_null(frame);
    frame->track = (uint8_t)track;
    frame->is_key = is_key;
    frame->dts_us = frame->pts_us = 1000000 + at_ms * 1000;
    frame->segment = is_key && track == RIG_VIDEO ? at_ms : SEGMENT_NONE;
    stream_push(rig.stream, frame);
    frame_unref(frame);
}

static inline struct conn *rig_viewer(void)
{
    struct conn *conn = fake_conn_new(rig.loop, "");

    egress_rtmp.accept(rig.instance, conn);
    return conn;
}

static inline void rig_forget(struct conn *conn)
{
    writer_consume(&conn->out, conn->out.len);
}

static inline void rig_handshake(struct conn *conn)
{
    static const uint8_t zeros[RTMP_HANDSHAKE];

    fake_input(conn, "\3", 1);
    fake_input(conn, zeros, sizeof(zeros));
    assert_int_equal(conn->out.len, RTMP_ANSWER);
    fake_input(conn, zeros, sizeof(zeros));
    rig_forget(conn);
}

/* body as one message, in chunks of 128 bytes. */
static inline void rig_send(struct conn *conn, uint8_t type, const struct writer *body)
{
    struct rtmp_head head = {
        .chunk_stream = 3, .type = type, .message_stream = 1, .len = body->len};
    struct rtmp_chunker chunker;
    struct writer out;

    writer_init(&out, 1 << 20);
    rtmp_begin(&chunker, &out, &head, RTMP_CHUNK_FIRST);
    rtmp_put(&chunker, body->bytes, body->len);
    fake_input(conn, out.bytes, out.len);
    writer_fini(&out);
}

static inline struct writer rig_command(const char *name, double transaction)
{
    struct writer body;

    writer_init(&body, 1 << 16);
    amf_write_string(&body, name);
    amf_write_number(&body, transaction);
    return body;
}

static inline void rig_end(struct conn *conn, struct writer *body)
{
    rig_send(conn, RTMP_COMMAND, body);
    writer_fini(body);
}

static inline void rig_connect(struct conn *conn, const char *app, const char *url,
                               const char *fourcc)
{
    struct writer body = rig_command("connect", 1);

    amf_write_object(&body);
    amf_write_name(&body, "app");
    amf_write_string(&body, app);
    amf_write_name(&body, "tcUrl");
    amf_write_string(&body, url);
    if (fourcc) {
        amf_write_name(&body, "fourCcList");
        amf_write_array(&body, 2);
        amf_write_string(&body, "av01");
        amf_write_string(&body, fourcc);
    }
    amf_write_end(&body);
    rig_end(conn, &body);
}

/* A command with no object but null, and one text or number after it. */
static inline void rig_say(struct conn *conn, const char *name, const char *text, double number)
{
    struct writer body = rig_command(name, 4);

    amf_write_null(&body);
    if (text)
        amf_write_string(&body, text);
    else
        amf_write_number(&body, number);
    rig_end(conn, &body);
}

static inline void rig_play(struct conn *conn, const char *name)
{
    rig_say(conn, "createStream", "", 0);
    rig_say(conn, "play", name, 0);
}

/* Up to what it plays, of a viewer that knows fourcc besides, or NULL. */
static inline struct conn *rig_playing(const char *fourcc)
{
    struct conn *conn = rig_viewer();

    rig_handshake(conn);
    rig_connect(conn, "live", "rtmp://127.0.0.1/live", fourcc);
    rig_play(conn, "door?token=secret");
    return conn;
}

static inline bool rig_was_told(const struct conn *conn, const char *text)
{
    return conn->out.len && memmem(conn->out.bytes, conn->out.len, text, strlen(text)) != NULL;
}
