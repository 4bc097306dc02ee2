/* egress/rtmp/: a viewer's whole life, over a connection of memory. */
#include "rtmp_rig.h"

/* How many messages of a type the viewer was sent. */
static unsigned count_media(const struct conn *conn, uint8_t type)
{
    static const uint8_t tail[] = {1, 0, 0, 0};
    unsigned count = 0;

    for (size_t at = 0; at + 12 <= conn->out.len; at++)
        count += conn->out.bytes[at + 7] == type &&
                 memcmp(conn->out.bytes + at + 8, tail, 4) == 0 &&
                 (conn->out.bytes[at] == 4 || conn->out.bytes[at] == 6);
    return count;
}

static void a_viewer_is_connected_and_plays(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    rig_frame(RIG_VIDEO, true, 0);
    rig_frame(RIG_VIDEO, false, 40);
    rig_handshake(conn);
    rig_connect(conn, "live", "rtmp://127.0.0.1/live", NULL);
    assert_true(rig_was_told(conn, "NetConnection.Connect.Success"));
    assert_false(rig_was_told(conn, "fourCcList"));
    rig_play(conn, "door?token=secret");
    assert_string_equal(rig.token, "secret");
    assert_string_equal(rig.slug, "door");
    assert_true(rig_was_told(conn, "NetStream.Play.Start"));
    assert_true(rig_was_told(conn, "onMetaData"));
    assert_int_equal(count_media(conn, RTMP_VIDEO), 3); /* the header, and the current group */
    assert_int_equal(count_media(conn, RTMP_AUDIO), 1);
    assert_int_equal(conn->deadline_us, 0);
    rig_forget(conn);
    rig_frame(RIG_VIDEO, false, 80);
    assert_int_equal(conn->out.len, 12 + 5 + 6);
    fake_peer_closes(conn);
    assert_int_equal(rig.leave_count, 1);
    assert_int_equal(egress_rtmp.count(rig.instance), 0);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void a_token_is_found_wherever_players_put_it(void **state)
{
    static const struct {
        const char *app, *url, *name, *token, *slug;
    } rows[] = {
        {"live", "rtmp://h/live", "door?token=a", "a", "door"},
        {"live", "rtmp://h/live?token=b", "door", "b", "door"},
        {"live?token=c", "rtmp://h/live", "door", "c", "door"},
        {"live?token=c", "rtmp://h/live?token=b", "door", "b", "door"},
        {"live?token=c", "rtmp://h/live?token=b", "door?token=a", "a", "door"},
        {"live", "rtmp://h/live", "flv:door?x=1&token=a", "a", "door"},
        {"live/door?token=a", "rtmp://h/live/door", "", "a", "door"},
        {"door?token=a", "rtmp://h/door", "", "a", "door"},
        {"live", "rtmp://h/live", "/door/", "", "door"},
        {"live", "rtmp://h/live", "door?token=", "", "door"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct conn *conn = rig_viewer();

        rig_handshake(conn);
        rig_connect(conn, rows[i].app, rows[i].url, NULL);
        rig_play(conn, rows[i].name);
        assert_int_equal(rig.admit_count, i + 1);
        assert_string_equal(rig.token, rows[i].token);
        assert_string_equal(rig.slug, rows[i].slug);
        fake_peer_closes(conn);
        loop_drain(rig.loop);
        fake_conn_free(conn);
    }
}

static void a_name_that_is_none_is_refused(void **state)
{
    static const char *const names[] = {"",    "../door",    "a/../door", "/",
                                        "a/b", "http://x/y", "d:oor:x"};
    char long_name[400];

    (void)state;
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    for (size_t i = 0; i <= sizeof(names) / sizeof(*names); i++) {
        struct conn *conn = rig_viewer();

        rig_handshake(conn);
        rig_connect(conn, "", "", NULL);
        rig_play(conn, i ? names[i - 1] : long_name);
        assert_true(rig_was_told(conn, "NetStream.Play.StreamNotFound"));
        assert_true(conn->is_closed && conn->is_flushed);
        assert_int_equal(rig.admit_count, 0);
        loop_drain(rig.loop);
        fake_conn_free(conn);
    }
}

/* What is refused before connect is in chunks that the peer knows the size of. */
static void the_chunk_size_is_the_first_thing_said(void **state)
{
    static const uint8_t zeros[RTMP_HANDSHAKE],
        said[] = {2, 0, 0, 0, 0, 0, 4, RTMP_SET_CHUNK_SIZE, 0, 0, 0, 0, 0, 1, 0, 0};
    struct conn *conn = rig_viewer();

    (void)state;
    fake_input(conn, "\3", 1);
    fake_input(conn, zeros, sizeof(zeros));
    fake_input(conn, zeros, sizeof(zeros));
    assert_int_equal(conn->out.len, RTMP_ANSWER + sizeof(said));
    assert_memory_equal(conn->out.bytes + RTMP_ANSWER, said, sizeof(said));
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void an_app_that_is_too_long_is_refused(void **state)
{
    struct conn *conn = rig_viewer();
    char app[300];

    (void)state;
    memset(app, 'x', sizeof(app) - 1);
    app[sizeof(app) - 1] = '\0';
    rig_handshake(conn);
    rig_connect(conn, app, "", NULL);
    assert_true(rig_was_told(conn, "_error"));
    assert_true(rig_was_told(conn, "NetConnection.Connect.Rejected"));
    assert_true(conn->is_closed);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void each_verdict_has_its_words(void **state)
{
    static const struct {
        enum verdict verdict;
        const char *code;
    } rows[] = {
        {VERDICT_NO_CREDENTIAL, "NetStream.Play.Failed"},
        {VERDICT_BAD_CREDENTIAL, "NetStream.Play.Failed"},
        {VERDICT_DENIED, "NetStream.Play.Failed"},
        {VERDICT_TOO_MANY, "NetStream.Play.Failed"},
        {VERDICT_OVERLOADED, "NetStream.Play.Failed"},
        {VERDICT_AWAY, "NetStream.Play.StreamNotFound"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct conn *conn;

        rig.verdict = rows[i].verdict;
        conn = rig_playing(NULL);
        assert_true(rig_was_told(conn, rows[i].code));
        assert_true(rig_was_told(conn, verdict_detail(rows[i].verdict)));
        assert_true(conn->is_closed && conn->is_flushed);
        loop_drain(rig.loop);
        fake_conn_free(conn);
    }
}

static void an_admission_may_take_its_time(void **state)
{
    struct conn *conn;

    (void)state;
    rig.is_asked_later = true;
    conn = rig_playing(NULL);
    assert_non_null(rig.asked);
    rig_say(conn, "getStreamLength", "door", 0); /* waits */
    rig_forget(conn);
    rig_decide(VERDICT_ALLOW);
    assert_true(rig_was_told(conn, "NetStream.Play.Start"));
    fake_resume(conn);
    assert_true(rig_was_told(conn, "_result"));
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);

    conn = rig_playing(NULL); /* and one that goes while it is asked for */
    fake_peer_closes(conn);
    assert_null(rig.asked);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void a_revoked_viewer_is_told_and_goes(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    rig.admitted->on_revoked(rig.admitted, "The token was revoked.");
    assert_true(rig_was_told(conn, "The token was revoked."));
    assert_true(conn->is_closed && conn->is_flushed);
    assert_int_equal(rig.leave_count, 1);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void h265_is_for_players_that_name_it(void **state)
{
    struct conn *conn;

    (void)state;
    rig_set_tracks(CODEC_H265, CODEC_AAC); /* with parameter sets that aren't: nobody can have it */
    conn = rig_playing(NULL);
    assert_true(rig_was_told(conn, "H.265 (hvc1)"));
    assert_true(conn->is_closed);
    loop_drain(rig.loop);
    fake_conn_free(conn);

    rig_set_tracks(CODEC_MJPEG, CODEC_PCMU);
    conn = rig_playing("hvc1");
    assert_true(rig_was_told(conn, "NetStream.Play.Failed"));
    assert_true(rig_was_told(conn, "JPEG"));
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void opus_is_for_players_that_name_it(void **state)
{
    struct conn *plain, *enhanced;

    (void)state;
    rig_set_tracks(CODEC_H264, CODEC_OPUS);
    plain = rig_playing(NULL);
    enhanced = rig_playing("Opus");
    rig_frame(RIG_VIDEO, true, 0);
    rig_frame(RIG_AUDIO, true, 0);
    rig_frame(RIG_VIDEO, false, 40);
    assert_true(rig_was_told(enhanced, "OpusHead"));
    assert_false(rig_was_told(plain, "Opus"));
    assert_int_equal(count_media(plain, RTMP_AUDIO), 0);
    assert_int_equal(count_media(enhanced, RTMP_AUDIO), 2);
    assert_int_equal(count_media(plain, RTMP_VIDEO), 3);
    fake_peer_closes(plain);
    fake_peer_closes(enhanced);
    loop_drain(rig.loop);
    fake_conn_free(plain);
    fake_conn_free(enhanced);
}

static void pause_stops_the_media_until_its_end(void **state)
{
    struct conn *conn = rig_playing(NULL);
    struct writer body;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        rig_forget(conn);
        body = rig_command("pause", 0);
        amf_write_null(&body);
        amf_write_boolean(&body, i == 0);
        amf_write_number(&body, 1000);
        rig_end(conn, &body);
        assert_true(rig_was_told(conn, i ? "NetStream.Unpause.Notify" : "NetStream.Pause.Notify"));
        rig_forget(conn);
        rig_frame(RIG_VIDEO, true, i * 1000);
        assert_int_equal(count_media(conn, RTMP_VIDEO), i);
    }
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void commands_that_viewers_may_not_give_are_refused(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    rig_forget(conn);
    rig_say(conn, "seek", NULL, 1000);
    assert_true(rig_was_told(conn, "NetStream.Seek.Failed"));
    rig_say(conn, "unheard-of", "x", 0);
    assert_true(rig_was_told(conn, "NetConnection.Call.Failed"));
    rig_say(conn, "connect", "x", 0); /* a second time */
    assert_false(conn->is_closed);
    rig_say(conn, "publish", "door", 0);
    assert_true(rig_was_told(conn, "NetStream.Publish.BadName"));
    assert_true(conn->is_closed && conn->is_flushed);
    assert_int_equal(rig.leave_count, 1);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void a_stream_is_deleted_and_made_again(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    rig_say(conn, "deleteStream", NULL, 7); /* another's */
    assert_int_equal(rig.leave_count, 0);
    rig_forget(conn);
    rig_say(conn, "createStream", "", 0);
    assert_true(rig_was_told(conn, "_error"));
    rig_say(conn, "deleteStream", NULL, 1);
    assert_int_equal(rig.leave_count, 1);
    rig_play(conn, "door?token=again");
    assert_int_equal(rig.admit_count, 2);
    assert_string_equal(rig.token, "again");
    rig_say(conn, "play", "door?token=other", 0); /* instead of what plays */
    assert_int_equal(rig.leave_count, 2);
    assert_int_equal(rig.admit_count, 3);
    fake_peer_closes(conn);
    assert_int_equal(rig.leave_count, 3);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void nothing_can_be_published_unasked(void **state)
{
    static const uint8_t types[] = {RTMP_AUDIO, RTMP_VIDEO, RTMP_AGGREGATE};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct conn *conn = rig_playing(NULL);
        struct writer body;

        writer_init(&body, 10);
        writer_text(&body, "media");
        rig_send(conn, types[i], &body);
        writer_fini(&body);
        assert_true(rig_was_told(conn, "NetStream.Publish.BadName"));
        assert_true(conn->is_closed);
        loop_drain(rig.loop);
        fake_conn_free(conn);
    }
}

static void a_thousand_messages_before_connect_are_too_many(void **state)
{
    struct conn *conn = rig_viewer();
    unsigned sent = 0;

    (void)state;
    rig_handshake(conn);
    while (sent < 1000 && !conn->is_closed) {
        rig_say(conn, "createStream", "", 0);
        sent++;
    }
    assert_int_equal(sent, 101);
    assert_int_equal(rig.admit_count, 0);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void another_version_is_closed_at_its_first_byte(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    fake_input(conn, "\6", 1);
    assert_true(conn->is_closed);
    assert_int_equal(conn->out.len, 0);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void deadlines_are_not_put_off_by_a_byte_at_a_time(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    assert_int_equal(conn->deadline_us, 10 * 1000000);
    conn->deadline_us = -1;
    for (unsigned i = 0; i < RTMP_HELLO; i++)
        fake_input(conn, i ? "\0" : "\3", 1);
    assert_int_equal(conn->deadline_us, -1); /* as it was set first */
    for (unsigned i = 0; i < RTMP_HANDSHAKE; i++)
        fake_input(conn, "", 1);
    assert_int_equal(conn->deadline_us, 10 * 1000000); /* for connect */
    fake_input(conn, "\3", 1);
    assert_int_equal(conn->deadline_us, 10 * 1000000);
    conn->deadline_us = -1;
    for (unsigned i = 0; i < 5; i++)
        fake_input(conn, "", 1);
    assert_int_equal(conn->deadline_us, -1);
    egress_rtmp.stop(rig.instance);
    assert_true(conn->is_closed);
    loop_drain(rig.loop);
    fake_conn_free(conn);
    assert_int_equal(egress_rtmp.start(&rig.instance, &rig.env), 0);
}

static void a_ping_is_answered_and_bytes_are_acknowledged(void **state)
{
    struct conn *conn = rig_playing(NULL);
    struct writer body;

    (void)state;
    writer_init(&body, 5000);
    writer_uint(&body, 6, 2);
    writer_uint(&body, 0xabcd1234, 4);
    rig_forget(conn);
    rig_send(conn, RTMP_USER_CONTROL, &body);
    assert_true(rig_was_told(conn, "\xab\xcd\x12\x34"));
    writer_reset(&body);
    writer_uint(&body, 1, 4); /* a window of a byte: not more often than every 4 KiB */
    rig_forget(conn);
    rig_send(conn, RTMP_WINDOW_SIZE, &body);
    assert_int_equal(conn->out.len, 0);
    while (body.len < 4096)
        writer_uint(&body, 0, 8);
    rig_send(conn, RTMP_DATA, &body);
    assert_int_equal(conn->out.len, 16);
    assert_int_equal(conn->out.bytes[7], RTMP_ACKNOWLEDGEMENT);
    writer_fini(&body);
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void nonsense_ends_the_connection_alone(void **state)
{
    struct conn *good = rig_playing(NULL), *bad = rig_playing(NULL);
    struct writer body;

    (void)state;
    writer_init(&body, 1 << 16);
    for (unsigned i = 0; i < 1000; i++)
        writer_put(&body, "\3\0\1a", 4); /* nested without end */
    rig_send(bad, RTMP_COMMAND, &body);
    writer_fini(&body);
    assert_true(bad->is_closed);
    assert_false(good->is_closed);
    assert_int_equal(egress_rtmp.count(rig.instance), 1);
    fake_peer_closes(good);
    loop_drain(rig.loop);
    fake_conn_free(good);
    fake_conn_free(bad);
}

static void a_command_of_amf3_is_read_as_amf0(void **state)
{
    struct conn *conn = rig_viewer();
    struct writer body;

    (void)state;
    rig_handshake(conn);
    rig_connect(conn, "live", "", NULL);
    rig_forget(conn);
    writer_init(&body, 100);
    writer_uint(&body, 0, 1);
    amf_write_string(&body, "createStream");
    amf_write_number(&body, 2);
    writer_uint(&body, 0x11, 1); /* from here on AMF3 */
    writer_uint(&body, 1, 1);
    rig_send(conn, RTMP_COMMAND_AMF3, &body);
    writer_fini(&body);
    assert_true(rig_was_told(conn, "_result"));
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void a_viewer_that_reads_nothing_loses_whole_groups(void **state)
{
    struct conn *conn = rig_playing(NULL);
    int64_t at_ms = 0;
    size_t most;

    (void)state;
    conn->room = 0;
    rig_forget(conn);
    for (int i = 0; i < 200; i++, at_ms += 40) {
        struct frame *frame = frame_new(buf_new(40000));

        assert_non_null(frame);
        memset(frame->buf->bytes, 9, frame->buf->len);
        frame->is_key = i % 25 == 0;
        frame->segment = frame->is_key ? i : SEGMENT_NONE;
        frame->dts_us = frame->pts_us = 1000000 + at_ms * 1000;
        stream_push(rig.stream, frame);
        frame_unref(frame);
    }
    most = conn->most_backlog;
    assert_in_range(most, 1024 * 1024, 1024 * 1024 + 50000);
    rig_forget(conn);
    fake_take(conn, SIZE_MAX / 2);
    assert_int_equal(conn->out.bytes[0], 6);
    assert_int_equal(conn->out.bytes[12], 0x17); /* goes on at a key frame */
    assert_false(conn->is_closed);
    fake_peer_closes(conn);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void new_parameter_sets_come_with_the_next_key_frame(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    rig_frame(RIG_VIDEO, true, 0);
    rig_forget(conn);
    rig_set_tracks(CODEC_H264, CODEC_AAC);
    rig_frame(RIG_VIDEO, true, 40);
    assert_int_equal(count_media(conn, RTMP_VIDEO), 2);
    assert_int_equal(count_media(conn, RTMP_AUDIO), 1);
    assert_false(conn->is_closed);
    rig_set_tracks(CODEC_H264, CODEC_MP3);
    assert_true(rig_was_told(conn, "NetStream.Play.UnpublishNotify"));
    assert_true(conn->is_closed && conn->is_flushed);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void time_that_goes_far_back_ends_it(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    rig_frame(RIG_VIDEO, true, 100000);
    rig_frame(RIG_VIDEO, true, 99000);
    assert_false(conn->is_closed);
    rig_frame(RIG_VIDEO, true, 1000);
    assert_true(conn->is_closed && conn->is_flushed);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

static void a_camera_that_is_removed_ends_it(void **state)
{
    struct conn *conn = rig_playing(NULL);

    (void)state;
    hub_remove(rig.hub, "door");
    assert_true(rig_was_told(conn, "NetStream.Play.UnpublishNotify"));
    assert_true(conn->is_closed);
    loop_drain(rig.loop);
    fake_conn_free(conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_viewer_is_connected_and_plays),
        TEST(a_token_is_found_wherever_players_put_it),
        TEST(a_name_that_is_none_is_refused),
        TEST(the_chunk_size_is_the_first_thing_said),
        TEST(an_app_that_is_too_long_is_refused),
        TEST(each_verdict_has_its_words),
        TEST(an_admission_may_take_its_time),
        TEST(a_revoked_viewer_is_told_and_goes),
        TEST(h265_is_for_players_that_name_it),
        TEST(opus_is_for_players_that_name_it),
        TEST(pause_stops_the_media_until_its_end),
        TEST(commands_that_viewers_may_not_give_are_refused),
        TEST(a_stream_is_deleted_and_made_again),
        TEST(nothing_can_be_published_unasked),
        TEST(a_thousand_messages_before_connect_are_too_many),
        TEST(another_version_is_closed_at_its_first_byte),
        TEST(deadlines_are_not_put_off_by_a_byte_at_a_time),
        TEST(a_ping_is_answered_and_bytes_are_acknowledged),
        TEST(nonsense_ends_the_connection_alone),
        TEST(a_command_of_amf3_is_read_as_amf0),
        TEST(a_viewer_that_reads_nothing_loses_whole_groups),
        TEST(new_parameter_sets_come_with_the_next_key_frame),
        TEST(time_that_goes_far_back_ends_it),
        TEST(a_camera_that_is_removed_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
