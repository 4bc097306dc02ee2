/* Offers as players write them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/egress/webrtc/offer_file.h"

#define FINGERPRINT                                                                                \
    "a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:"  \
    "17:18:19:1A:1B:1C:1D:1E:ff\r\n"
#define UFRAG "a=ice-ufrag:abcd\r\n"
#define PASSWORD "a=ice-pwd:0123456789abcdefghij+/\r\n"
#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define SESSION HEAD UFRAG PASSWORD FINGERPRINT
#define BUNDLE "a=group:BUNDLE 0 1\r\n"
#define VIDEO "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
#define MUX "a=rtcp-mux\r\n"
#define H264 "a=rtpmap:96 H264/90000\r\n"

static struct offer offer;
static struct offer_file file;
static const char *wrong;

/* From memory of its very length, so that a sanitizer sees what is read behind it. */
static int parse_bytes(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = offer_parse(&offer, copy, len, &wrong);
    free(copy);
    if (err)
        assert_true(strlen(wrong) > 10);
    else
        assert_string_equal(wrong, "");
    return err;
}

static int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_refused(const char *text, int err, const char *sentence)
{
    assert_int_equal(parse(text), -err);
    if (!strstr(wrong, sentence))
        fail_msg("\"%s\" does not say \"%s\"", wrong, sentence);
}

static int parse_file(const char *name)
{
    offer_file_read(&file, name);
    return parse_bytes(file.text, file.len);
}

static const struct offer_codec *find_type(const struct offer_media *media, unsigned type)
{
    for (unsigned i = 0; i < media->codec_count; i++)
        if (media->codec[i].payload_type == type)
            return &media->codec[i];
    fail_msg("no payload type %u", type);
    return media->codec; /* for the compiler: it does not come here */
}

static void chromium_offers_eight_kinds_of_h264(void **state)
{
    const struct offer_media *video = &offer.media[0], *audio = &offer.media[1];
    const struct offer_codec *codec;

    (void)state;
    assert_int_equal(parse_file("chromium"), 0);
    assert_int_equal(offer.media_count, 3);
    assert_string_equal(offer.ufrag, "4fx5");
    assert_string_equal(offer.password, "394+JJxIdoN3FFq2dRbvlOZX");
    assert_int_equal(offer.fingerprint[0], 0x89);
    assert_int_equal(offer.fingerprint[31], 0x0b);
    assert_true(offer.has_rtcp_mux && offer.has_fingerprint);
    assert_string_equal(video->kind_text, "video");
    assert_string_equal(video->transport, "UDP/TLS/RTP/SAVPF");
    assert_string_equal(video->mid, "0");
    assert_true(video->wants_media && video->is_bundled);
    assert_int_equal(video->codec_count, 8);
    codec = find_type(video, 102);
    assert_int_equal(codec->codec, CODEC_H264);
    assert_int_equal(codec->rtx_payload_type, 103);
    assert_int_equal(codec->profile_level_id, 0x42001f);
    assert_int_equal(codec->packetization_mode, 1);
    assert_true(codec->has_nack && codec->has_pli && codec->has_remb && codec->has_transport_cc);
    assert_int_equal(find_type(video, 39)->packetization_mode, 0);
    assert_int_equal(video->abs_send_time_id, 2);
    assert_int_equal(video->transport_cc_id, 4);
    assert_int_equal(video->playout_delay_id, 5);
    assert_int_equal(video->mid_id, 9);
    assert_int_equal(audio->codec_count, 3);
    assert_int_equal(find_type(audio, 111)->codec, CODEC_OPUS);
    assert_false(find_type(audio, 111)->has_nack);
    assert_int_equal(find_type(audio, 8)->codec, CODEC_PCMA);
    assert_true(offer.media[2].has_sctp);
    assert_int_equal(offer.media[2].sctp_port, 5000);
    assert_int_equal(offer.media[2].max_message_bytes, 262144);
}

static void firefox_writes_formats_before_their_names(void **state)
{
    const struct offer_codec *codec;

    (void)state;
    assert_int_equal(parse_file("firefox"), 0);
    assert_int_equal(offer.fingerprint[0], 0xcf); /* said once, for the session */
    assert_int_equal(offer.media[0].codec_count, 2);
    codec = find_type(&offer.media[0], 126);
    assert_int_equal(codec->rtx_payload_type, 127);
    assert_int_equal(codec->profile_level_id, 0x42e01f);
    assert_int_equal(codec->packetization_mode, 1);
    assert_true(codec->has_nack && codec->has_pli && codec->has_remb && codec->has_transport_cc);
    assert_int_equal(find_type(&offer.media[0], 97)->packetization_mode, 0);
    assert_int_equal(offer.media[0].playout_delay_id, 6); /* "6/recvonly" */
    assert_int_equal(offer.media[1].codec_count, 3);
    assert_int_equal(offer.media[2].max_message_bytes, 1073741823);
    assert_int_equal(parse_file("firefox-without-h264"), 0);
    assert_int_equal(offer.media[0].codec_count, 0);
    assert_true(offer.media[0].wants_media);
}

static void safari_and_pion_offer_h265(void **state)
{
    (void)state;
    assert_int_equal(parse_file("safari"), 0);
    assert_int_equal(find_type(&offer.media[0], 104)->codec, CODEC_H265);
    assert_int_equal(find_type(&offer.media[0], 104)->profile_level_id, 0x01005d);
    assert_int_equal(find_type(&offer.media[0], 104)->rtx_payload_type, 105);
    assert_int_equal(find_type(&offer.media[0], 96)->profile_level_id, 0x640c1f);
    assert_int_equal(parse_file("pion"), 0);
    assert_int_equal(find_type(&offer.media[0], 116)->codec, CODEC_H265);
    assert_int_equal(find_type(&offer.media[0], 112)->profile_level_id, 0x64001f);
    assert_int_equal(offer.fingerprint[0], 0x67);
    assert_true(offer.media[2].has_sctp);
}

static void aiortc_has_credentials_a_section_and_data_of_old(void **state)
{
    (void)state;
    assert_int_equal(parse_file("aiortc"), 0);
    assert_string_equal(offer.ufrag, "gMK2");
    assert_string_equal(offer.media[1].ufrag, "pAT3");
    assert_true(offer.media[2].has_sctp);
    assert_int_equal(offer.media[2].sctp_port, 5000);
    assert_string_equal(offer.media[2].transport, "DTLS/SCTP");
    assert_int_equal(find_type(&offer.media[0], 101)->rtx_payload_type, 102);
    assert_false(find_type(&offer.media[0], 101)->has_transport_cc);
}

/* Port 0 together with bundle-only is no rejection (RFC 8843 section 6). */
static void gstreamer_offers_a_bundle_only_section(void **state)
{
    (void)state;
    assert_int_equal(parse_file("gstreamer"), 0);
    assert_true(offer.media[1].wants_media && offer.media[1].is_bundled);
    assert_string_equal(offer.media[1].mid, "audio1");
    assert_int_equal(find_type(&offer.media[1], 97)->codec, CODEC_OPUS);
    assert_int_equal(find_type(&offer.media[0], 96)->profile_level_id, 0x42000a);
    assert_int_equal(offer.media[0].transport_cc_id, 0);
    assert_int_equal(parse_file("gstreamer-without-bundle"), -ERR_UNSUPPORTED);
    assert_non_null(strstr(wrong, "a=group:BUNDLE"));
}

static void an_offer_cut_at_any_byte_is_no_harm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OFFER_NAMES; i++) {
        offer_file_read(&file, offer_names[i]);
        for (size_t cut = 0; cut < file.len; cut++)
            if (parse_bytes(file.text, cut) == 0)
                assert_in_range(offer.media_count, 1, 3);
    }
}

static void the_least_offer_is_taken(void **state)
{
    (void)state;
    assert_int_equal(parse(SESSION VIDEO "a=mid:0\r\n" MUX H264), 0);
    assert_true(offer.media[0].wants_media);
    assert_false(offer.media[0].is_bundled);
    assert_int_equal(offer.fingerprint[31], 0xff);
    assert_int_equal(parse("v=0\n" UFRAG PASSWORD FINGERPRINT VIDEO "a=mid:0\n" MUX "a=rtcp-mux"),
                     0); /* LF alone, and no end of the last line */
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("", ERR_PROTOCOL, "v=0");
    assert_refused("<html>", ERR_PROTOCOL, "v=0");
    assert_refused(SESSION, ERR_PROTOCOL, "m= line");
    assert_refused(SESSION VIDEO MUX, ERR_PROTOCOL, "a=mid");
    assert_refused(HEAD PASSWORD FINGERPRINT VIDEO "a=mid:0\r\n" MUX, ERR_PROTOCOL, "a=ice-ufrag");
    assert_refused(HEAD UFRAG FINGERPRINT VIDEO "a=mid:0\r\n" MUX, ERR_PROTOCOL, "a=ice-pwd");
    assert_refused(HEAD UFRAG PASSWORD VIDEO "a=mid:0\r\n" MUX, ERR_PROTOCOL, "a=fingerprint");
    assert_refused(HEAD UFRAG PASSWORD "a=fingerprint:sha-1 00:01\r\n" VIDEO "a=mid:0\r\n" MUX,
                   ERR_UNSUPPORTED, "sha-256");
    assert_refused(SESSION VIDEO "a=mid:0\r\n", ERR_UNSUPPORTED, "a=rtcp-mux");
}

static void what_can_not_work_is_refused(void **state)
{
    (void)state;
    assert_refused(SESSION "a=ice-lite\r\n" VIDEO "a=mid:0\r\n" MUX, ERR_UNSUPPORTED, "a=ice-lite");
    assert_refused(SESSION VIDEO "a=mid:0\r\na=setup:passive\r\n" MUX, ERR_UNSUPPORTED,
                   "a=setup:passive");
    assert_refused(SESSION "a=setup:holdconn\r\n" VIDEO "a=mid:0\r\n" MUX, ERR_UNSUPPORTED,
                   "a=setup");
    assert_refused(SESSION VIDEO "a=mid:0\r\n" MUX VIDEO "a=mid:1\r\n" MUX, ERR_UNSUPPORTED,
                   "a=group:BUNDLE");
    assert_refused(SESSION "a=group:BUNDLE 0\r\n" VIDEO "a=mid:0\r\n" MUX VIDEO "a=mid:1\r\n" MUX,
                   ERR_UNSUPPORTED, "a=group:BUNDLE");
    assert_refused(SESSION BUNDLE VIDEO "a=mid:0\r\n" MUX VIDEO "a=mid:0\r\n" MUX, ERR_PROTOCOL,
                   "same a=mid");
}

static void malformed_credentials_are_refused(void **state)
{
    static char long_ufrag[2048];

    (void)state;
    assert_refused(HEAD "a=ice-ufrag:abc\r\n" VIDEO, ERR_PROTOCOL, "a=ice-ufrag");
    assert_refused(HEAD "a=ice-ufrag:ab:cd\r\n" VIDEO, ERR_PROTOCOL, "a=ice-ufrag");
    assert_refused(HEAD "a=ice-pwd:short\r\n" VIDEO, ERR_PROTOCOL, "a=ice-pwd");
    assert_refused(HEAD "a=fingerprint:sha-256 00:01\r\n" VIDEO, ERR_PROTOCOL, "32 hexadecimal");
    assert_refused(HEAD "a=fingerprint:SHA-256 00:0g\r\n" VIDEO, ERR_PROTOCOL, "32 hexadecimal");
    snprintf(long_ufrag, sizeof(long_ufrag), HEAD "a=ice-ufrag:%0257d\r\n" VIDEO, 0);
    assert_refused(long_ufrag, ERR_TOO_LONG, "256");
    snprintf(long_ufrag, sizeof(long_ufrag), HEAD "a=ice-pwd:%0257d\r\n" VIDEO, 0);
    assert_refused(long_ufrag, ERR_TOO_LONG, "256");
    snprintf(long_ufrag, sizeof(long_ufrag),
             HEAD "a=ice-ufrag:%0256d\r\na=ice-pwd:%0256d\r\n" FINGERPRINT VIDEO "a=mid:0\r\n" MUX,
             0, 0);
    assert_int_equal(parse(long_ufrag), 0);
    assert_int_equal(strlen(offer.password), 256);
}

/* What would come back in the answer is a token or is refused. */
static void nothing_can_be_injected(void **state)
{
    (void)state;
    assert_refused(SESSION VIDEO "a=mid:0\ra=x\r\n" MUX, ERR_PROTOCOL, "control characters");
    assert_refused(SESSION VIDEO "a=mid:0 1\r\n" MUX, ERR_PROTOCOL, "a=mid");
    assert_refused(SESSION VIDEO "a=mid:\r\n" MUX, ERR_PROTOCOL, "a=mid");
    assert_refused(SESSION VIDEO "a=mid:\xc3\xa4\r\n" MUX, ERR_PROTOCOL, "a=mid");
    assert_refused(SESSION VIDEO "a=mid:0\"\r\n" MUX, ERR_PROTOCOL, "a=mid");
    assert_refused(SESSION VIDEO "a=mid:012345678901234567890123456789012\r\n", ERR_TOO_LONG,
                   "a=mid");
    assert_refused(SESSION "m=vid\"eo 9 UDP/TLS/RTP/SAVPF 96\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=video 9 UDP//SAVPF 96\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=video 9 <b>/x 96\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=video x UDP/TLS/RTP/SAVPF 96\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=video 9\r\n", ERR_PROTOCOL, "m= line");
    assert_refused(SESSION "m=aaaaaaaaaaaaaaaa 9 UDP/TLS/RTP/SAVPF 96\r\n", ERR_TOO_LONG,
                   "m= line");
    assert_refused(SESSION "m=video 9 UDP/TLS/RTP/SAVPF/AAAAAAAAAA 96\r\n", ERR_TOO_LONG,
                   "m= line");
    assert_int_equal(parse_bytes(SESSION VIDEO "a=mid:0\0\r\n" MUX,
                                 sizeof(SESSION VIDEO "a=mid:0\0\r\n" MUX) - 1),
                     -ERR_PROTOCOL);
}

static void odd_numbers_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(
        parse(SESSION
              "m=video 9 UDP/TLS/RTP/SAVPF 128 256 -1 x 96 96 97 4294967296\r\n"
              "a=mid:0\r\na=rtpmap:128 H264/90000\r\na=rtpmap:224 H264/90000\r\n"
              "a=rtpmap:-1 H264/90000\r\na=rtpmap:\r\na=rtpmap:97\r\na=rtpmap:97 H264\r\n"
              "a=rtpmap:97 H264/8000\r\na=fmtp:\r\na=fmtp:128 apt=96\r\na=rtcp-fb:128 nack\r\n"
              "a=fmtp:96 profile-level-id=zz001f;packetization-mode=99999999999;;=;a\r\n"
              "a=extmap:0 "
              "urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
              "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
              "a=extmap:256 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
              "a=extmap:x urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:\r\n"
              "a=candidate:1 1 udp 1 x.local 99999 typ host\r\n" MUX H264),
        0);
    assert_int_equal(offer.media[0].codec_count, 1);
    assert_int_equal(offer.media[0].codec[0].payload_type, 96);
    assert_int_equal(offer.media[0].codec[0].profile_level_id, 0x42000a);
    assert_int_equal(offer.media[0].codec[0].packetization_mode, 0);
    assert_int_equal(offer.media[0].mid_id, 0);
}

static void an_extension_number_is_taken_once_and_only_towards_the_viewer(void **state)
{
    (void)state;
    assert_int_equal(
        parse(SESSION VIDEO
              "a=mid:0\r\na=extmap:14 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
              "a=extmap:14 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
              "a=extmap:3/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"
              "a=extmap:4/recvonly http://www.ietf.org/id/"
              "draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n" MUX),
        0);
    assert_int_equal(offer.media[0].mid_id, 14);
    assert_int_equal(offer.media[0].abs_send_time_id, 0);
    assert_int_equal(offer.media[0].playout_delay_id, 0);
    assert_int_equal(offer.media[0].transport_cc_id, 4);
}

static void feedback_for_all_formats_counts_for_each(void **state)
{
    (void)state;
    assert_int_equal(parse(SESSION VIDEO "a=mid:0\r\na=rtcp-fb:* nack\r\na=rtcp-fb:* nack pli\r\n"
                                         "a=rtcp-fb:96 transport-cc\r\n" MUX H264),
                     0);
    assert_true(offer.media[0].codec[0].has_nack && offer.media[0].codec[0].has_pli);
    assert_true(offer.media[0].codec[0].has_transport_cc);
    assert_false(offer.media[0].codec[0].has_remb);
}

static void a_static_payload_type_needs_no_rtpmap(void **state)
{
    (void)state;
    assert_int_equal(parse(SESSION "m=audio 9 RTP/SAVPF 8 0\r\na=mid:0\r\n" MUX), 0);
    assert_int_equal(offer.media[0].codec_count, 2);
    assert_int_equal(offer.media[0].codec[0].codec, CODEC_PCMA);
    assert_int_equal(offer.media[0].codec[1].codec, CODEC_PCMU);
}

static void what_receives_nothing_wants_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse(SESSION "a=inactive\r\n" BUNDLE VIDEO
                                   "a=mid:0\r\na=recvonly\r\n" MUX VIDEO "a=mid:1\r\n" VIDEO
                                   "a=sendonly\r\n" VIDEO "a=recvonly\r\n"
                                   "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"),
                     -ERR_PROTOCOL); /* the fourth would, but has no mid */
    assert_int_equal(parse(SESSION "a=inactive\r\n" VIDEO "a=mid:0\r\na=recvonly\r\n" MUX VIDEO
                                   "a=mid:1\r\n" VIDEO "a=sendonly\r\n"
                                   "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"
                                   "m=video 9 UDP/XYZ 96\r\na=recvonly\r\n"
                                   "m=text 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"),
                     0);
    assert_true(offer.media[0].wants_media);
    for (unsigned i = 1; i < 6; i++)
        assert_false(offer.media[i].wants_media);
    assert_int_equal(offer.media[5].kind, OFFER_OTHER);
    assert_string_equal(offer.media[5].kind_text, "text");
}

static void a_bundle_may_name_what_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(parse(SESSION "a=group:LS 0\r\na=group:BUNDLE 7 0 x 0  1\r\n" VIDEO
                                   "a=mid:0\r\n" MUX VIDEO "a=mid:1\r\n" MUX),
                     0);
    assert_true(offer.media[0].is_bundled && offer.media[1].is_bundled);
}

static void a_data_section_needs_a_port_that_is_one(void **state)
{
    static const char *const without[] = {"", "a=sctp-port:0\r\n", "a=sctp-port:65536\r\n",
                                          "a=sctpmap:5000 other 3\r\n", "a=sctp-port:x\r\n"};
    char text[1024];

    (void)state;
    for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        snprintf(text, sizeof(text),
                 SESSION VIDEO "a=mid:0\r\n" MUX
                               "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n%s",
                 without[i]);
        assert_int_equal(parse(text), 0);
        assert_false(offer.media[1].has_sctp);
    }
    assert_int_equal(parse(SESSION "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
                                   "a=sctp-port:65535\r\na=max-message-size:0\r\n"),
                     0);
    assert_true(offer.media[0].has_sctp);
    assert_int_equal(offer.media[0].sctp_port, 65535);
    assert_int_equal(offer.media[0].max_message_bytes, UINT32_MAX);
}

/* begin, then line again and again up to so many bytes or times. Owned. */
static char *flood(const char *begin, const char *line, size_t count)
{
    size_t len = strlen(begin), step = strlen(line);
    char *text = malloc(len + step * count + 1);

    assert_non_null(text);
    memcpy(text, begin, len);
    for (size_t i = 0; i < count; i++, len += step)
        memcpy(text + len, line, step);
    text[len] = '\0';
    return text;
}

static void floods_are_refused_or_passed_over(void **state)
{
    char *text = flood(SESSION, VIDEO, 1000);

    (void)state;
    assert_refused(text, ERR_TOO_MANY, "16 media sections");
    free(text);
    text = flood(SESSION VIDEO "a=mid:0\r\n" MUX H264, "a=x\r\n", 10000);
    assert_int_equal(parse(text), 0);
    free(text);
    text = flood(SESSION VIDEO "a=mid:0\r\n" MUX H264,
                 "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n", 1000);
    assert_int_equal(parse(text), 0);
    free(text);
    text = flood(SESSION VIDEO "a=mid:0\r\n" MUX H264, "a=x\r\n", OFFER_MAX_BYTES / 5);
    assert_refused(text, ERR_TOO_LONG, "64 KiB");
    free(text);
}

static void more_codecs_than_there_is_room_for_are_passed_over(void **state)
{
    char text[8192];
    int len = snprintf(text, sizeof(text), SESSION "m=video 9 UDP/TLS/RTP/SAVPF");

    (void)state;
    for (int type = 0; type < 128; type++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %d", type);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\na=mid:0\r\n" MUX);
    for (int type = 0; type < 128; type++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "a=rtpmap:%d H264/90000\r\n", type);
    assert_int_equal(parse(text), 0);
    assert_int_equal(offer.media[0].codec_count, OFFER_CODECS_MAX);
}

static void a_long_line_is_passed_over_unless_it_is_a_media_line(void **state)
{
    char *text =
        flood(SESSION VIDEO "a=mid:0\r\n" MUX H264 "a=fmtp:96 packetization-mode=1;x=", "y", 8192);

    (void)state;
    assert_int_equal(parse(text), 0);
    assert_int_equal(offer.media[0].codec[0].packetization_mode, 0);
    free(text);
    text = flood(SESSION "m=video 9 UDP/TLS/RTP/SAVPF", " 96", 2000);
    assert_refused(text, ERR_TOO_LONG, "m= line");
    free(text);
}

static void a_fragment_names_new_credentials(void **state)
{
    static struct fragment fragment;
    static const char text[] = UFRAG PASSWORD
        "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 x.local 9 typ host\r\n"
        "a=candidate:2 1 udp 1 10.0.0.1 9 typ host\r\na=ice-ufrag:other\r\na=end-of-candidates";

    (void)state;
    assert_int_equal(fragment_parse(&fragment, text, strlen(text)), 0);
    assert_string_equal(fragment.ufrag, "abcd");
    assert_string_equal(fragment.password, "0123456789abcdefghij+/");
    assert_int_equal(fragment.candidate_count, 2);
    assert_true(fragment.has_end);
    assert_int_equal(fragment_parse(&fragment, "", 0), 0);
    assert_string_equal(fragment.ufrag, "");
    assert_false(fragment.has_end);
    for (size_t cut = 0; cut < strlen(text); cut++)
        assert_in_range(-fragment_parse(&fragment, text, cut), 0, ERR_LAST);
}

static void a_bad_fragment_is_refused(void **state)
{
    static struct fragment fragment;
    char *text = flood("", "a=candidate:1\r\n", OFFER_MAX_BYTES / 15 + 1);

    (void)state;
    assert_int_equal(fragment_parse(&fragment, text, strlen(text)), -ERR_TOO_LONG);
    free(text);
    text = flood("a=ice-ufrag:", "a", UFRAG_TEXT);
    assert_int_equal(fragment_parse(&fragment, text, strlen(text)), -ERR_TOO_LONG);
    free(text);
    assert_int_equal(fragment_parse(&fragment, "a=ice-ufrag:a", 13), -ERR_PROTOCOL);
    assert_int_equal(fragment_parse(&fragment, "a=ice-ufrag:abcd\rx", 18), -ERR_PROTOCOL);
    assert_int_equal(fragment_parse(&fragment, "a=ice-pwd:abcd", 14), -ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chromium_offers_eight_kinds_of_h264),
        cmocka_unit_test(firefox_writes_formats_before_their_names),
        cmocka_unit_test(safari_and_pion_offer_h265),
        cmocka_unit_test(aiortc_has_credentials_a_section_and_data_of_old),
        cmocka_unit_test(gstreamer_offers_a_bundle_only_section),
        cmocka_unit_test(an_offer_cut_at_any_byte_is_no_harm),
        cmocka_unit_test(the_least_offer_is_taken),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(what_can_not_work_is_refused),
        cmocka_unit_test(malformed_credentials_are_refused),
        cmocka_unit_test(nothing_can_be_injected),
        cmocka_unit_test(odd_numbers_are_passed_over),
        cmocka_unit_test(an_extension_number_is_taken_once_and_only_towards_the_viewer),
        cmocka_unit_test(feedback_for_all_formats_counts_for_each),
        cmocka_unit_test(a_static_payload_type_needs_no_rtpmap),
        cmocka_unit_test(what_receives_nothing_wants_nothing),
        cmocka_unit_test(a_bundle_may_name_what_is_not_there),
        cmocka_unit_test(a_data_section_needs_a_port_that_is_one),
        cmocka_unit_test(floods_are_refused_or_passed_over),
        cmocka_unit_test(more_codecs_than_there_is_room_for_are_passed_over),
        cmocka_unit_test(a_long_line_is_passed_over_unless_it_is_a_media_line),
        cmocka_unit_test(a_fragment_names_new_credentials),
        cmocka_unit_test(a_bad_fragment_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
