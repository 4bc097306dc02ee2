/* Session descriptions as cameras write them, and ours read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/sdp.h"

static const char hikvision[] =
    "v=0\r\no=- 1109162014219182 1109162014219192 IN IP4 x.y.z.w\r\ns=Media Presentation\r\n"
    "e=NONE\r\nb=AS:5100\r\nt=0 0\r\na=control:rtsp://192.168.1.64:554/Streaming/Channels/101/\r\n"
    "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:5000\r\na=recvonly\r\n"
    "a=x-dimensions:1920,1080\r\n"
    "a=control:rtsp://192.168.1.64:554/Streaming/Channels/101/trackID=1\r\n"
    "a=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00=,aO4=\r\n"
    "m=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=Media_header:MEDIAINFO=494D4B4801;\r\n"
    "m=audio 0 RTP/AVP 97\r\na=sendonly\r\na=control:trackID=3\r\na=rtpmap:97 "
    "MPEG4-GENERIC/16000/2\r\n";

static int parse(struct sdp *sdp, const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = sdp_parse(sdp, copy, len);
    free(copy);
    return err;
}

static void a_camera_is_read_with_its_backchannel_told_apart(void **state)
{
    static struct sdp sdp;

    (void)state;
    assert_int_equal(parse(&sdp, hikvision, strlen(hikvision)), 0);
    assert_int_equal(sdp.media_count, 3);
    assert_string_equal(sdp.media[0].kind, "video");
    assert_string_equal(sdp.media[0].encoding, "H264");
    assert_int_equal(sdp.media[0].clock_rate, 90000);
    assert_non_null(strstr(sdp.media[0].fmtp, "sprop-parameter-sets=Z00=,aO4="));
    assert_string_equal(sdp.media[1].control, "trackID=2");
    assert_int_equal(sdp.media[1].payload_type, 8);
    assert_true(sdp.media[2].is_backchannel);
    assert_int_equal(sdp.media[2].channels, 2);
}

static void a_static_payload_type_needs_no_rtpmap(void **state)
{
    static const char text[] = "m=audio 5004 RTP/AVP 0\n";
    static struct sdp sdp;

    (void)state;
    assert_int_equal(parse(&sdp, text, strlen(text)), 0);
    assert_int_equal(sdp.media[0].payload_type, 0);
    assert_string_equal(sdp.media[0].encoding, "");
}

static void junk_lines_and_trailing_junk_are_passed_over(void **state)
{
    static const char text[] = "garbage\n=\n\n\0o=\nm=video 0 RTP/AVP 96\na=rtpmap:97 X/1\n"
                               "a=rtpmap:96 H265/90000 \r\r\na=fmtp:\n\xff\xfe";
    static struct sdp sdp;

    (void)state;
    assert_int_equal(parse(&sdp, text, sizeof(text) - 1), 0);
    assert_int_equal(sdp.media_count, 1);
    assert_string_equal(sdp.media[0].encoding, "H265");
}

static void a_description_cut_at_any_byte_is_no_harm(void **state)
{
    static struct sdp sdp;

    (void)state;
    for (size_t cut = 0; cut <= strlen(hikvision); cut++)
        if (parse(&sdp, hikvision, cut) == 0)
            assert_in_range(sdp.media_count, 1, 3);
}

static void too_many_media_and_too_long_lines_are_cut(void **state)
{
    static char text[SDP_MAX_BYTES + 2];
    static struct sdp sdp;
    size_t len = 0;

    (void)state;
    while (len + 30 < sizeof(text) / 2) {
        memcpy(text + len, "m=video 0 RTP/AVP 96\r\n", 22);
        len += 22;
    }
    assert_int_equal(parse(&sdp, text, len), 0);
    assert_int_equal(sdp.media_count, SDP_MEDIA_MAX);
    memcpy(text, "m=video 0 RTP/AVP 96\na=fmtp:96 ", 31);
    memset(text + 31, 'a', 20000);
    assert_int_equal(parse(&sdp, text, 20031), 0);
    assert_in_range(strlen(sdp.media[0].fmtp), 4000, SDP_FMTP_MAX - 1);
    assert_int_equal(parse(&sdp, text, SDP_MAX_BYTES + 1), -ERR_TOO_LONG);
    assert_int_equal(parse(&sdp, "v=0\r\n", 5), -ERR_PROTOCOL);
}

static void what_we_write_is_read_back(void **state)
{
    static struct sdp in = {.control = "*",
                            .media_count = 2,
                            .media = {{.kind = "video",
                                       .payload_type = 96,
                                       .encoding = "H264",
                                       .clock_rate = 90000,
                                       .fmtp = "packetization-mode=1",
                                       .control = "trackID=0"},
                                      {.kind = "audio",
                                       .payload_type = 97,
                                       .encoding = "MPEG4-GENERIC",
                                       .clock_rate = 48000,
                                       .channels = 2,
                                       .control = "trackID=1"}}};
    static struct sdp out;
    struct sdp_origin origin = {.name = "door", .host = "127.0.0.1", .id = 1};
    struct writer text;

    (void)state;
    writer_init(&text, 8192);
    sdp_write(&text, &in, &origin);
    assert_int_equal(text.err, 0);
    assert_int_equal(parse(&out, (const char *)text.bytes, text.len), 0);
    assert_int_equal(out.media_count, 2);
    assert_string_equal(out.media[0].fmtp, in.media[0].fmtp);
    assert_string_equal(out.media[1].encoding, in.media[1].encoding);
    assert_int_equal(out.media[1].channels, 2);
    assert_string_equal(out.media[1].control, "trackID=1");
    writer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_is_read_with_its_backchannel_told_apart),
        cmocka_unit_test(a_static_payload_type_needs_no_rtpmap),
        cmocka_unit_test(junk_lines_and_trailing_junk_are_passed_over),
        cmocka_unit_test(a_description_cut_at_any_byte_is_no_harm),
        cmocka_unit_test(too_many_media_and_too_long_lines_are_cut),
        cmocka_unit_test(what_we_write_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
