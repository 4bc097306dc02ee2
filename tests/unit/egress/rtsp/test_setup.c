/* Which transport a viewer gets, and that its media goes there. */
#include "rtsp_rig.h"

static void setup_is_answered_with_what_it_gets(void **state)
{
    static const struct {
        const char *target, *wish;
        unsigned status;
        const char *granted; /* of the answer's Transport */
    } rows[] = {
        {"/trackID=0", "RTP/AVP/TCP", 200, "RTP/AVP/TCP;unicast;interleaved=0-1"},
        {"/trackID=1", "RTP/AVP/TCP", 200, "RTP/AVP/TCP;unicast;interleaved=2-3"},
        {"/trackID=0", "RTP/AVP/TCP;unicast;interleaved=8-9", 200, ";interleaved=8-9"},
        {"/trackID=0", "RTP/AVP;unicast;client_port=5000-5001", 200,
         ";client_port=5000-5001;server"},
        {"/trackID=0", "RTP/AVP/TCP;interleaved=0-1;ssrc=DEADBEEF", 200, "interleaved=0-1"},
        {"/trackID=0", "RTP/AVP;multicast;client_port=5000-5001", 461, ""},
        {"/trackID=0", "RTP/AVP;multicast,RTP/AVP/TCP", 200, "RTP/AVP/TCP;unicast;interleaved=0-1"},
        {"/trackID=0", "RTP/SAVP/TCP", 461, ""},
        {"/trackID=0", "MP2T/TCP,RAW/RAW/UDP", 461, ""},
        {"/trackID=0", "RTP/AVP", 461, ""}, /* UDP without ports */
        {"/trackID=0", "RTP/AVP;client_port=0-1", 400, ""},
        {"/trackID=0", "RTP/AVP/TCP;interleaved=255", 400, ""},
        {"/trackID=2", "RTP/AVP/TCP", 404, ""},
        {"/trackID=18446744073709551616", "RTP/AVP/TCP", 404, ""},
        {"/trackID=x", "RTP/AVP/TCP", 404, ""},
        {"", "RTP/AVP/TCP", 404, ""}, /* which of two? */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct conn *conn = rig_viewer();
        char header[128];
        const char *answer;

        snprintf(header, sizeof(header), "Transport: %s\r\n", rows[i].wish);
        answer = rig_ask(conn, "SETUP", rows[i].target, header);
        if (rig_status(answer) != rows[i].status)
            fail_msg("%s %s: %u", rows[i].target, rows[i].wish, rig_status(answer));
        assert_non_null(strstr(rig_header(answer, "Transport"), rows[i].granted));
        assert_int_equal(strstr(answer, "Session: ") != NULL, rows[i].status == 200);
        assert_null(strstr(answer, "ssrc"));
        fake_peer_closes(conn);
        fake_conn_free(conn);
    }
}

static void without_a_transport_header_it_is_a_bad_request(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=0", "")), 400);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void over_tls_media_does_not_leave_in_clear(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    conn->is_tls = true;
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=0",
                                        "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n")),
                     461);
    rig_go_ready(conn, "RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP");
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void a_tracks_name_may_stand_behind_the_query_and_one_track_needs_none(void **state)
{
    struct conn *first = rig_viewer(), *second = rig_viewer();
    struct tracks *one = tracks_new(1);
    const char *answer;

    (void)state;
    answer = rig_ask(first, "SETUP", "?token=t/trackID=1", "Transport: RTP/AVP/TCP\r\n");
    assert_int_equal(rig_status(answer), 200);
    assert_non_null(strstr(answer, "interleaved=2-3"));
    one->track[0] = (struct track){.codec = CODEC_H264, .clock_rate = 90000};
    view_set_tracks(rig.view, one);
    tracks_unref(one);
    assert_int_equal(rig_status(rig_ask(second, "SETUP", "", "Transport: RTP/AVP/TCP\r\n")), 200);
    fake_peer_closes(first);
    fake_peer_closes(second);
    fake_conn_free(first);
    fake_conn_free(second);
}

static void a_track_is_set_up_once_and_channels_are_one_tracks(void **state)
{
    static const char taken[] = "Transport: RTP/AVP/TCP;interleaved=1-2\r\n";
    struct conn *conn = rig_viewer();

    (void)state;
    rig_go_ready(conn, "RTP/AVP/TCP;interleaved=0-1");
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=0", "Transport: RTP/AVP/TCP\r\n")),
                     455);
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=1", taken)), 461);
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=1", "Transport: RTP/AVP/TCP\r\n")),
                     200);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void a_track_whose_codec_nobody_knows_yet_cannot_be_set_up(void **state)
{
    struct tracks *tracks = tracks_new(2);
    struct conn *conn = rig_viewer();

    (void)state;
    tracks->track[1] = (struct track){.codec = CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    view_set_tracks(rig.view, tracks);
    tracks_unref(tracks);
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=0", "Transport: RTP/AVP/TCP\r\n")),
                     404);
    assert_int_equal(rig_status(rig_ask(conn, "SETUP", "/trackID=1", "Transport: RTP/AVP/TCP\r\n")),
                     200);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

/* One frame of two RTP packets, framed for the track's own channels as the packager does. */
static void push_frame(uint8_t track, char byte)
{
    struct buf *buf = buf_new(2 * (4 + 20));
    struct packet *packet = packet_new(PACKET_RTP, buf, rig.view->tracks, 2);

    assert_non_null(packet);
    memset(buf->bytes, byte, buf->len);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *framing = buf->bytes + i * 24ul;

        memcpy(framing, (uint8_t[]){'$', (uint8_t)(2 * track), 0, 20}, 4);
        packet->span[i] = (struct rtp_span){.offset = 24 * i + 4, .len = 20};
    }
    packet->track = track;
    packet->is_key = true;
    feed_push(rig.view->feeds[PACKET_RTP].feed, packet);
    packet_unref(packet);
}

/* What came on that channel, without reports: how many packets of that byte. */
static unsigned count_packets(const struct conn *conn, uint8_t channel, char byte)
{
    unsigned count = 0;
    size_t len;

    for (size_t at = 0; at + 4 <= conn->out.len; at += 4 + len) {
        const uint8_t *head = conn->out.bytes + at;

        assert_int_equal(head[0], '$');
        len = (size_t)head[2] << 8 | head[3];
        assert_true(at + 4 + len <= conn->out.len);
        if (head[1] == channel && len == 20 && head[4] == (uint8_t)byte)
            count++;
    }
    return count;
}

static void media_comes_on_the_channels_that_the_viewer_chose(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    rig_go_playing(conn, "RTP/AVP/TCP;interleaved=6-7");
    push_frame(0, 'v');
    push_frame(1, 'a'); /* not set up */
    push_frame(0, 'w');
    assert_int_equal(count_packets(conn, 6, 'v'), 2);
    assert_int_equal(count_packets(conn, 6, 'w'), 2);
    assert_int_equal(count_packets(conn, 2, 'a'), 0);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void media_on_the_usual_channels_goes_as_it_is_until_a_pause(void **state)
{
    struct conn *conn = rig_viewer();
    char headers[128];

    (void)state;
    rig_go_ready(conn, "RTP/AVP/TCP");
    rig_ask(conn, "SETUP", "/trackID=1", "Transport: RTP/AVP/TCP\r\n");
    snprintf(headers, sizeof(headers), "%s", rig_session(conn));
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", headers)), 200);
    push_frame(0, 'v');
    push_frame(1, 'a');
    assert_int_equal(count_packets(conn, 0, 'v'), 2);
    assert_int_equal(count_packets(conn, 2, 'a'), 2);
    writer_consume(&conn->out, conn->out.len);
    assert_int_equal(rig_status(rig_ask(conn, "PAUSE", "", headers)), 200);
    push_frame(0, 'x');
    assert_int_equal(conn->out.len, 0);
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", headers)), 200);
    push_frame(0, 'y');
    assert_int_equal(count_packets(conn, 0, 'y'), 2);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(setup_is_answered_with_what_it_gets),
        TEST(without_a_transport_header_it_is_a_bad_request),
        TEST(over_tls_media_does_not_leave_in_clear),
        TEST(a_tracks_name_may_stand_behind_the_query_and_one_track_needs_none),
        TEST(a_track_is_set_up_once_and_channels_are_one_tracks),
        TEST(a_track_whose_codec_nobody_knows_yet_cannot_be_set_up),
        TEST(media_comes_on_the_channels_that_the_viewer_chose),
        TEST(media_on_the_usual_channels_goes_as_it_is_until_a_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
