/* The Transport header (hostile.md R6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/transport.h"

static struct rtsp_transport found[RTSP_TRANSPORTS_MAX];

static void alternatives_are_read_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(rtsp_transport_parse(found,
                                          "RTP/AVP;unicast;client_port=5000-5001,"
                                          "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=DEADBEEF"),
                     2);
    assert_false(found[0].is_tcp);
    assert_int_equal(found[0].client_rtp, 5000);
    assert_int_equal(found[0].client_rtcp, 5001);
    assert_true(found[1].is_tcp);
    assert_int_equal(found[1].channel, 2);
    assert_true(found[1].has_ssrc);
    assert_int_equal(found[1].ssrc, 0xdeadbeef);
}

static void r6_ports_and_channels_that_cannot_be_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "RTP/AVP/TCP;interleaved=255-0",
                                      "RTP/AVP/TCP;interleaved=1-1",
                                      "RTP/AVP/TCP;interleaved=255",
                                      "RTP/AVP/TCP;interleaved=256-257",
                                      "RTP/AVP/TCP;interleaved=",
                                      "RTP/AVP;client_port=0-1",
                                      "RTP/AVP;client_port=65535",
                                      "RTP/AVP;client_port=70000-70001",
                                      "RTP/AVP;client_port=99999999999999-1",
                                      "RTP/AVP;client_port=1-x"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(rtsp_transport_parse(found, bad[i]), -ERR_PROTOCOL);
    assert_int_equal(rtsp_transport_parse(found, "RAW/RAW/UDP"), 0); /* no alternative of ours */
    assert_int_equal(rtsp_transport_parse(found, "RTP/AVP,RTP/AVP,RTP/AVP,RTP/AVP,RTP/AVP,RTP/AVP,"
                                                 "RTP/AVP,RTP/AVP,RTP/AVP"),
                     -ERR_TOO_MANY);
}

static void r6_another_destination_is_not_even_read(void **state)
{
    (void)state;
    assert_int_equal(rtsp_transport_parse(found, "RTP/AVP;unicast;destination=203.0.113.9;"
                                                 "source=203.0.113.8;client_port=4000"),
                     1);
    assert_int_equal(found[0].client_rtcp, 4001);
}

static void multicast_and_srtp_are_seen(void **state)
{
    (void)state;
    assert_int_equal(rtsp_transport_parse(found, "RTP/AVP;multicast;ttl=127"), 1);
    assert_true(found[0].is_multicast);
    assert_int_equal(rtsp_transport_parse(found, "RTP/SAVP/TCP;unicast;interleaved=0-1"), 1);
    assert_true(found[0].is_secure);
    assert_true(found[0].is_tcp);
}

static void what_is_written_is_read_back(void **state)
{
    struct rtsp_transport transport = {.has_client_port = true,
                                       .has_server_port = true,
                                       .client_rtp = 5000,
                                       .client_rtcp = 5001,
                                       .server_rtp = 8000,
                                       .server_rtcp = 8001};
    char text[128], small[8];

    (void)state;
    assert_int_equal(rtsp_transport_format(&transport, text, sizeof(text)), 0);
    assert_int_equal(rtsp_transport_parse(found, text), 1);
    assert_int_equal(found[0].server_rtp, 8000);
    assert_int_equal(found[0].client_rtcp, 5001);
    assert_int_equal(rtsp_transport_format(&transport, small, sizeof(small)), -ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternatives_are_read_in_their_order),
        cmocka_unit_test(r6_ports_and_channels_that_cannot_be_are_refused),
        cmocka_unit_test(r6_another_destination_is_not_even_read),
        cmocka_unit_test(multicast_and_srtp_are_seen),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
