/* RTSP while each allocation in turn fails: an error of the right name, never worse. */
#include "unit/scarce_memory.h"

#include <string.h>

#include "rtsp/digest.h"
#include "rtsp/message.h"
#include "rtsp/sdp.h"
#include "rtsp/transport.h"

static bool parse(long allocations)
{
    static const char text[] = "DESCRIBE rtsp://h/door RTSP/1.0\r\nCSeq: 3\r\nTransport: "
                               "RTP/AVP/TCP;interleaved=0-1\r\nContent-Length: 5\r\n\r\nhello";
    struct rtsp_parsed parsed;
    bool has_failed;

    memory_is_for(allocations);
    parsed = rtsp_parse((const uint8_t *)text, sizeof(text) - 1);
    has_failed = memory_ran_out(allocations);
    assert_int_equal(parsed.piece, has_failed ? RTSP_BAD : RTSP_MESSAGE);
    if (has_failed)
        assert_int_equal(parsed.status, 500);
    else
        assert_string_equal(parsed.message->body, "hello");
    rtsp_message_free(parsed.message);
    return has_failed;
}

static void a_message_is_whole_or_500(void **state)
{
    (void)state;
    fail_each(parse, 2);
}

static bool write_message(long allocations)
{
    char value[900];
    struct writer out;
    bool has_failed;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    writer_init(&out, 64 * 1024);
    memory_is_for(allocations);
    rtsp_write_response(&out, 200, 1);
    for (int i = 0; i < 8; i++)
        rtsp_write_header(&out, "X-Header", "%s", value);
    rtsp_write_end(&out, "text/plain", value, sizeof(value));
    has_failed = memory_ran_out(allocations);
    assert_true(has_failed == (out.err != 0));
    writer_fini(&out);
    return has_failed;
}

static void an_answer_is_written_whole_or_known_to_be_cut(void **state)
{
    (void)state;
    fail_each(write_message, 3);
}

static bool describe(long allocations)
{
    static const char text[] = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\n"
                               "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
                               "a=control:trackID=0\r\nm=audio 0 RTP/AVP 0\r\n";
    static const struct sdp_origin origin = {.name = "door", .host = "127.0.0.1", .id = 1};
    static struct sdp sdp;
    struct writer out;
    bool has_failed;

    writer_init(&out, 8192);
    memory_is_for(allocations);
    assert_int_equal(sdp_parse(&sdp, text, sizeof(text) - 1), 0);
    sdp_write(&out, &sdp, &origin);
    has_failed = memory_ran_out(allocations);
    assert_int_equal(sdp.media_count, 2);
    assert_true(has_failed == (out.err != 0));
    writer_fini(&out);
    return has_failed;
}

static void a_description_is_read_without_memory_and_written_whole_or_not(void **state)
{
    (void)state;
    fail_each(describe, 1);
}

/* Transports and Digest need none of ours: what OpenSSL asks for is its own. */
static bool answer(long allocations)
{
    static const struct digest_request request = {.method = "PLAY",
                                                  .uri = "rtsp://h/",
                                                  .user = "u",
                                                  .password = "p",
                                                  .count = 1,
                                                  .cnonce = "c"};
    static const uint8_t key[32];
    static struct digest_challenge challenge;
    static struct digest_credential credential;
    struct rtsp_transport transports[RTSP_TRANSPORTS_MAX];
    char text[1024], nonce[DIGEST_NONCE];
    int err;

    memory_is_for(allocations);
    assert_int_equal(rtsp_transport_parse(transports, "RTP/AVP;client_port=5000-5001"), 1);
    assert_int_equal(rtsp_transport_format(transports, text, sizeof(text)), 0);
    assert_int_equal(digest_challenge_parse(&challenge, "Digest realm=\"r\", nonce=\"n\", "
                                                        "qop=\"auth\", algorithm=SHA-256"),
                     0);
    err = digest_answer(&challenge, &request, text, sizeof(text));
    if (!err)
        err = digest_credential_parse(&credential, text);
    if (!err)
        err = digest_verify(&credential, "PLAY", "p");
    if (!err)
        err = nonce_make(key, 1000000, nonce);
    if (!err)
        err = nonce_check(key, 1000000, nonce);
    if (memory_ran_out(allocations))
        return true;
    assert_int_equal(err, 0);
    return false;
}

static void transports_and_digests_are_right_or_refused(void **state)
{
    (void)state;
    fail_each(answer, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_whole_or_500),
        cmocka_unit_test(an_answer_is_written_whole_or_known_to_be_cut),
        cmocka_unit_test(a_description_is_read_without_memory_and_written_whole_or_not),
        cmocka_unit_test(transports_and_digests_are_right_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
