/* What is chosen of an offer, and what the answer says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/egress/webrtc/offer_file.h"

enum { SSRC = 1000, RTX_SSRC = 2000 };

static struct offer offer;
static struct offer_file file;
static struct tracks *tracks;
static struct choice choices[OFFER_MEDIA_MAX];
static struct writer writer;
static const char *wrong;
static char text[32 * 1024]; /* the answer */

static int begin(void **state)
{
    (void)state;
    tracks = tracks_new(2);
    assert_non_null(tracks);
    writer_init(&writer, sizeof(text) - 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tracks_unref(tracks);
    writer_fini(&writer);
    return 0;
}

/* profile and compatibility go into an H.264 SPS: all that the choice looks at. */
static void set_video(enum codec codec, uint8_t profile, uint8_t compatibility)
{
    const uint8_t sps[] = {0, 0, 0, 4, 0x67, profile, compatibility, 0x1f};

    buf_unref(tracks->track[0].config);
    tracks->track[0] = (struct track){.codec = codec, .clock_rate = 90000};
    if (codec == CODEC_H264)
        tracks->track[0].config = buf_copy(sps, sizeof(sps));
}

static void set_audio(enum codec codec, uint32_t clock_rate, uint8_t channels)
{
    tracks->track[1] =
        (struct track){.codec = codec, .clock_rate = clock_rate, .channels = channels};
}

static void read_offer(const char *name)
{
    offer_file_read(&file, name);
    assert_int_equal(offer_parse(&offer, file.text, file.len, &wrong), 0);
}

static void choose(void)
{
    assert_int_equal(sdp_choose(&offer, tracks, true, choices, &wrong), 0);
    for (unsigned i = 0; i < offer.media_count; i++) {
        if (choices[i].track < 0)
            continue;
        choices[i].ssrc = SSRC + i;
        if (choices[i].codec->rtx_payload_type)
            choices[i].rtx_ssrc = RTX_SSRC + i;
    }
}

static int write_answer(struct writer *out)
{
    static uint8_t fingerprint[FINGERPRINT_BYTES] = {0xab, 0x01, [31] = 0xff};
    static struct answer_candidate candidates[5];
    static const char *const addresses[] = {"192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1:8443",
                                            "192.0.2.1:443", "[::ffff:198.51.100.1]:443"};
    const struct answer_terms terms = {.offer = &offer,
                                       .choices = choices,
                                       .tracks = tracks,
                                       .ufrag = "00ours",
                                       .password = "our-password-of-24-bytes",
                                       .fingerprint = fingerprint,
                                       .candidates = candidates,
                                       .candidate_count = 5,
                                       .session_id = 12345,
                                       .cname = "culvert"};

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(addr_parse(&candidates[i].addr, addresses[i]), 0);
        candidates[i].is_tcp = i >= 3;
    }
    answer_write(out, &terms);
    return out->err;
}

static void answer(const char *name)
{
    read_offer(name);
    choose();
    writer_reset(&writer);
    assert_int_equal(write_answer(&writer), 0);
    memcpy(text, writer.bytes, writer.len);
    text[writer.len] = '\0';
}

/* The index-th media section of the answer, up to the next; static. 0: the session's lines. */
static const char *part(unsigned index)
{
    static char section[sizeof(text)];
    const char *from = text, *to;

    for (unsigned i = 0; i < index; i++) {
        from = strstr(from + 1, "\r\nm=");
        assert_non_null(from);
    }
    to = strstr(from + 1, "\r\nm=");
    snprintf(section, sizeof(section), "%.*s\r\n", to ? (int)(to - from) : (int)strlen(from), from);
    return section;
}

static bool has_line(unsigned index, const char *line)
{
    char whole[512];

    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    return strstr(part(index), whole) != NULL;
}

static void assert_line(unsigned index, const char *line)
{
    if (!has_line(index, line))
        fail_msg("no line \"%s\" in%s", line, part(index));
}

static void assert_no(unsigned index, const char *words)
{
    if (strstr(part(index), words))
        fail_msg("\"%s\" in%s", words, part(index));
}

static void chromium_is_answered_field_by_field(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x4d, 0x00);
    set_audio(CODEC_OPUS, 48000, 2);
    answer("chromium");
    assert_int_equal(strncmp(text, "v=0\r\no=- 12345 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", 46),
                     0);
    assert_line(0, "a=ice-lite");
    assert_line(0, "a=group:BUNDLE 0 1 2");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 116 117");
    assert_line(1, "c=IN IP4 0.0.0.0");
    assert_line(1, "a=mid:0");
    assert_line(1, "a=ice-ufrag:00ours");
    assert_line(1, "a=ice-pwd:our-password-of-24-bytes");
    assert_line(1, "a=fingerprint:sha-256 AB:01:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
                   "00:00:00:00:00:00:00:00:00:00:00:00:FF");
    assert_line(1, "a=setup:passive");
    assert_line(1, "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time");
    assert_line(1, "a=extmap:4 "
                   "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01");
    assert_line(1, "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay");
    assert_line(1, "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid");
    assert_line(1, "a=sendonly");
    assert_line(1, "a=msid:culvert video");
    assert_line(1, "a=rtcp-mux");
    assert_line(1, "a=rtcp-rsize");
    assert_line(1, "a=rtpmap:116 H264/90000");
    assert_line(1, "a=fmtp:116 "
                   "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f");
    assert_line(1, "a=rtcp-fb:116 goog-remb");
    assert_line(1, "a=rtcp-fb:116 transport-cc");
    assert_line(1, "a=rtcp-fb:116 nack");
    assert_line(1, "a=rtcp-fb:116 nack pli");
    assert_line(1, "a=rtpmap:117 rtx/90000");
    assert_line(1, "a=fmtp:117 apt=116");
    assert_line(1, "a=ssrc-group:FID 1000 2000");
    assert_line(1, "a=ssrc:1000 cname:culvert");
    assert_line(1, "a=ssrc:2000 cname:culvert");
}

static void the_other_sections_of_chromium_are_answered(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x42, 0xc0);
    set_audio(CODEC_OPUS, 48000, 2);
    answer("chromium");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 108 109"); /* constrained baseline */
    assert_line(2, "m=audio 9 UDP/TLS/RTP/SAVPF 111");
    assert_line(2, "a=rtpmap:111 opus/48000/2");
    assert_line(2, "a=fmtp:111 minptime=10;useinbandfec=0;stereo=1;sprop-stereo=1");
    assert_line(2, "a=rtcp-fb:111 transport-cc");
    assert_line(2, "a=msid:culvert audio");
    assert_line(2, "a=ssrc:1001 cname:culvert");
    assert_line(2, "a=ice-ufrag:00ours");
    assert_no(2, "nack");
    assert_no(2, "FID");
    assert_no(2, "candidate");
    assert_line(3, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
    assert_line(3, "a=mid:2");
    assert_line(3, "a=sctp-port:5000");
    assert_line(3, "a=max-message-size:65536");
    assert_line(3, "a=setup:passive");
    assert_no(3, "a=sendonly");
}

/* Foundations are shared by address and transport; priorities fall, and UDP is above TCP. */
static void candidates_are_in_the_first_section(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x42, 0xc0);
    answer("chromium-video");
    assert_line(0, "a=group:BUNDLE 0");
    assert_line(1, "a=candidate:1 1 udp 2130706431 192.0.2.1 443 typ host");
    assert_line(1, "a=candidate:2 1 udp 2130706175 2001:db8::1 443 typ host");
    assert_line(1, "a=candidate:1 1 udp 2130705919 192.0.2.1 8443 typ host");
    assert_line(1, "a=candidate:4 1 tcp 1520434431 192.0.2.1 443 typ host tcptype passive");
    assert_line(1, "a=candidate:5 1 tcp 1520434175 198.51.100.1 443 typ host tcptype passive");
    assert_line(1, "a=end-of-candidates");
}

static void firefox_and_safari_are_answered(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x64, 0x00);
    set_audio(CODEC_AAC, 16000, 1);
    answer("firefox");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 126 127");
    assert_line(1, "a=fmtp:126 "
                   "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
    assert_line(1, "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay");
    assert_line(2, "a=fmtp:109 minptime=10;useinbandfec=0");
    assert_true(choices[1].is_transcoded);
    answer("safari");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 96 97");
    assert_line(1, "a=fmtp:96 "
                   "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f");
    assert_line(3, "a=sctp-port:5000");
    set_video(CODEC_H265, 0, 0);
    answer("safari");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 104 105");
    assert_line(1, "a=rtpmap:104 H265/90000");
    offer.media[0].codec[4].profile_level_id = 0x0201b4;
    assert_int_equal(offer.media[0].codec[4].codec, CODEC_H265);
    writer_reset(&writer);
    assert_int_equal(write_answer(&writer), 0);
    writer_put(&writer, "", 1);
    assert_non_null(strstr((char *)writer.bytes,
                           "a=fmtp:104 level-id=180;profile-id=2;tier-flag=1;tx-mode=SRST\r\n"));
}

static void pion_and_aiortc_are_answered(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x64, 0x00);
    set_audio(CODEC_PCMA, 8000, 1);
    answer("pion");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 112 113");
    assert_line(2, "m=audio 9 UDP/TLS/RTP/SAVPF 8");
    assert_line(2, "a=rtpmap:8 PCMA/8000");
    assert_false(choices[1].is_transcoded);
    assert_no(2, "rtcp-fb:8 nack");
    answer("aiortc");
    assert_line(1,
                "m=video 9 UDP/TLS/RTP/SAVPF 101 102"); /* constrained baseline before baseline */
    assert_no(1, "transport-cc");
    assert_line(3, "m=application 9 DTLS/SCTP 5000");
    assert_line(3, "a=sctpmap:5000 webrtc-datachannel 65535");
    assert_no(3, "a=sctp-port");
}

static void gstreamer_is_answered_without_what_it_did_not_offer(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x4d, 0x00);
    set_audio(CODEC_MP3, 90000, 2);
    answer("gstreamer");
    assert_line(0, "a=group:BUNDLE video0 audio1");
    assert_line(1, "m=video 9 UDP/TLS/RTP/SAVPF 96");
    assert_line(1, "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1");
    assert_line(1, "a=rtcp-fb:96 nack pli");
    assert_no(1, "rtx");
    assert_no(1, "extmap");
    assert_no(1, "transport-cc"); /* offered, but not the extension that it counts */
    assert_false(has_line(1, "a=rtcp-fb:96 nack"));
    assert_line(2, "m=audio 9 UDP/TLS/RTP/SAVPF 97");
    assert_line(2, "a=fmtp:97 minptime=10;useinbandfec=0;stereo=1;sprop-stereo=1");
}

static void what_is_not_chosen_is_rejected_by_port_0(void **state)
{
    (void)state;
    set_video(CODEC_H265, 0, 0);
    set_audio(CODEC_PCMU, 8000, 1);
    answer("aiortc");
    assert_line(0, "a=group:BUNDLE 1 2");
    assert_line(1, "m=video 0 UDP/TLS/RTP/SAVPF 0");
    assert_line(1, "a=mid:0");
    assert_line(1, "a=inactive");
    assert_line(1, "a=setup:passive"); /* webrtcbin looks for it in refused sections, too */
    assert_no(1, "a=candidate");
    assert_line(2, "a=end-of-candidates");
    assert_line(2, "m=audio 9 UDP/TLS/RTP/SAVPF 0");
    assert_string_equal(offer_ufrag(&offer, choices), "pAT3"); /* the audio section's own */
    assert_int_equal(sdp_choose(&offer, tracks, false, choices, &wrong), 0);
    assert_false(choices[2].is_data);
    writer_reset(&writer);
    assert_int_equal(write_answer(&writer), 0);
    writer_put(&writer, "", 1);
    assert_non_null(strstr((char *)writer.bytes, "m=application 0 DTLS/SCTP 5000\r\n"));
    answer("chromium");
    assert_string_equal(offer_ufrag(&offer, choices), "4fx5");
}

static void only_the_first_section_that_takes_it_gets_the_track(void **state)
{
    static const char twice[] =
        "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghij12\r\na=fingerprint:sha-256 "
        "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:"
        "1E:1F\r\na=group:BUNDLE a b c\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:a\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:b\r\na=rtcp-mux\r\na=rtpmap:97 H264/90000\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:c\r\na=rtcp-mux\r\na=rtpmap:98 H264/90000\r\n"
        "m=text 9 RTP/AVP 99\r\n";

    (void)state;
    set_video(CODEC_H264, 0x42, 0xc0);
    assert_int_equal(offer_parse(&offer, twice, strlen(twice), &wrong), 0);
    choose();
    assert_int_equal(choices[0].track, -1);
    assert_int_equal(choices[1].track, 0);
    assert_int_equal(choices[2].track, -1);
    assert_int_equal(choices[1].codec->packetization_mode, 0); /* better than nothing */
    assert_int_equal(write_answer(&writer), 0);
    writer_put(&writer, "", 1);
    assert_non_null(strstr((char *)writer.bytes, "a=group:BUNDLE b\r\n"));
    assert_non_null(strstr((char *)writer.bytes, "m=text 0 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=i"));
}

/* Which of Chromium's formats goes with a camera's profile. */
static void the_nearest_profile_is_chosen(void **state)
{
    static const struct {
        uint8_t profile, compatibility, type;
    } cases[] = {
        {0x42, 0x00, 102}, {0x42, 0xe0, 108}, {0x4d, 0x00, 116}, {0x4d, 0x80, 108},
        {0x58, 0xc0, 108}, {0x58, 0x80, 102}, {0x64, 0x00, 108}, {0xf4, 0x00, 41},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_video(CODEC_H264, cases[i].profile, cases[i].compatibility);
        read_offer("chromium");
        choose();
        assert_int_equal(choices[0].codec->payload_type, cases[i].type);
    }
    buf_unref(tracks->track[0].config); /* no parameter sets yet */
    tracks->track[0].config = NULL;
    choose();
    assert_int_equal(choices[0].codec->payload_type, 108);
}

static void assert_nothing_to_send(const char *name, const char *sentence)
{
    read_offer(name);
    assert_int_equal(sdp_choose(&offer, tracks, true, choices, &wrong), -ERR_UNSUPPORTED);
    if (!strstr(wrong, sentence))
        fail_msg("\"%s\" does not say \"%s\"", wrong, sentence);
}

static void the_cameras_codec_is_named_when_nothing_fits(void **state)
{
    (void)state;
    assert_nothing_to_send("chromium", "neither video nor audio");
    set_video(CODEC_H264, 0x42, 0xc0);
    assert_nothing_to_send("firefox-without-h264", "H.264");
    set_video(CODEC_H265, 0, 0);
    assert_nothing_to_send("chromium", "H.265");
    set_video(CODEC_MJPEG, 0, 0);
    assert_nothing_to_send("safari", "MJPEG");
    set_video(CODEC_NONE, 0, 0);
    set_audio(CODEC_PCMU, 8000, 1);
    assert_nothing_to_send("chromium-video", "PCMU");
    set_audio(CODEC_PCMA, 16000, 1); /* not the clock that the offer has */
    assert_nothing_to_send("chromium", "PCMA");
    set_audio(CODEC_AAC, 48000, 1);
    assert_nothing_to_send("chromium-video", "AAC");
    set_audio(CODEC_MP3, 48000, 1);
    assert_nothing_to_send("chromium-video", "MP3");
    set_audio(CODEC_L16, 48000, 1);
    assert_nothing_to_send("chromium-video", "L16");
    set_audio(CODEC_OPUS, 48000, 2);
    assert_nothing_to_send("chromium-video", "Opus");
}

static void audio_goes_alone_when_the_video_does_not_fit(void **state)
{
    (void)state;
    set_video(CODEC_H264, 0x42, 0xc0);
    set_audio(CODEC_L16, 44100, 2);
    answer("firefox-without-h264");
    assert_line(0, "a=group:BUNDLE 1 2");
    assert_line(1, "m=video 0 UDP/TLS/RTP/SAVPF 0");
    assert_line(2, "m=audio 9 UDP/TLS/RTP/SAVPF 109");
    assert_true(choices[1].is_transcoded);
}

static void an_answer_that_does_not_fit_says_so(void **state)
{
    struct writer small;

    (void)state;
    set_video(CODEC_H264, 0x42, 0xc0);
    set_audio(CODEC_OPUS, 48000, 2);
    answer("chromium");
    for (size_t limit = 0; limit < strlen(text); limit += 7) {
        writer_init(&small, limit);
        assert_int_equal(write_answer(&small), -ERR_TOO_LONG);
        assert_in_range(small.len, 0, limit);
        writer_fini(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chromium_is_answered_field_by_field, begin, end),
        cmocka_unit_test_setup_teardown(the_other_sections_of_chromium_are_answered, begin, end),
        cmocka_unit_test_setup_teardown(candidates_are_in_the_first_section, begin, end),
        cmocka_unit_test_setup_teardown(firefox_and_safari_are_answered, begin, end),
        cmocka_unit_test_setup_teardown(pion_and_aiortc_are_answered, begin, end),
        cmocka_unit_test_setup_teardown(gstreamer_is_answered_without_what_it_did_not_offer, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_not_chosen_is_rejected_by_port_0, begin, end),
        cmocka_unit_test_setup_teardown(only_the_first_section_that_takes_it_gets_the_track, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_nearest_profile_is_chosen, begin, end),
        cmocka_unit_test_setup_teardown(the_cameras_codec_is_named_when_nothing_fits, begin, end),
        cmocka_unit_test_setup_teardown(audio_goes_alone_when_the_video_does_not_fit, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_that_does_not_fit_says_so, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
