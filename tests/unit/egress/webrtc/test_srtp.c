#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <srtp2/srtp.h>

#include "egress/webrtc/srtcp_gcm.h"
#include "egress/webrtc/srtp.h"
#include "egress/webrtc/srtp_gcm.h"

static const enum srtp_kind kinds[] = {SRTP_KIND_AEAD_AES_128_GCM, SRTP_KIND_AES128_CM_SHA1_80};

/* A sender report of ssrc 1, and an RTP packet of ssrc 1. */
static const uint8_t report[28] = {0x80, 200, 0, 6, 0, 0, 0, 1};
static const uint8_t packet[32] = {0x80, 96, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 1, 'p', 'i', 'c'};

struct ends {
    struct srtp_pair *ours, *theirs;
};

static void open_ends(struct ends *ends, enum srtp_kind kind)
{
    struct srtp_keys keys = {.kind = kind}, mirrored = {.kind = kind};

    for (uint8_t i = 0; i < SRTP_KEY_MAX; i++) {
        keys.sent[i] = mirrored.received[i] = i;
        keys.received[i] = mirrored.sent[i] = (uint8_t)(100 + i);
    }
    assert_int_equal(srtp_pair_open(&ends->ours, &keys), 0);
    assert_int_equal(srtp_pair_open(&ends->theirs, &mirrored), 0);
}

static void close_ends(struct ends *ends)
{
    srtp_pair_close(ends->ours);
    srtp_pair_close(ends->theirs);
}

static void reports_pass_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ends ends;
        uint8_t bytes[sizeof(report) + SRTP_OVERHEAD_MAX], again[sizeof(bytes)];
        ssize_t len;

        open_ends(&ends, kinds[i]);
        memcpy(bytes, report, sizeof(report));
        len = srtp_pair_protect_rtcp(ends.theirs, bytes, sizeof(report));
        assert_in_range(len, sizeof(report) + 4, sizeof(bytes));
        memcpy(again, bytes, sizeof(bytes));
        assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, bytes, (size_t)len), sizeof(report));
        assert_memory_equal(bytes, report, sizeof(report));
        assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, again, (size_t)len), -ERR_DENIED);
        close_ends(&ends);
    }
}

static void changed_and_cut_reports_are_denied(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ends ends;
        uint8_t bytes[sizeof(report) + SRTP_OVERHEAD_MAX], copy[sizeof(bytes)];
        ssize_t len;

        open_ends(&ends, kinds[i]);
        memcpy(bytes, report, sizeof(report));
        len = srtp_pair_protect_rtcp(ends.theirs, bytes, sizeof(report));
        for (ssize_t at = 0; at < len; at++) {
            memcpy(copy, bytes, sizeof(bytes));
            copy[at] ^= 1;
            assert_true(srtp_pair_unprotect_rtcp(ends.ours, copy, (size_t)len) < 0);
            memcpy(copy, bytes, sizeof(bytes));
            assert_true(srtp_pair_unprotect_rtcp(ends.ours, copy, (size_t)at) < 0);
        }
        assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, bytes, (size_t)len), sizeof(report));
        close_ends(&ends);
    }
}

static void media_is_encrypted_and_repeats_as_it_was(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ends ends;
        uint8_t first[sizeof(packet) + SRTP_OVERHEAD_MAX], second[sizeof(first)];
        ssize_t len;

        open_ends(&ends, kinds[i]);
        memcpy(first, packet, sizeof(packet));
        memcpy(second, packet, sizeof(packet));
        len = srtp_pair_protect(ends.ours, first, 12, packet + 12, sizeof(packet) - 12);
        assert_in_range(len, sizeof(packet) + 10, sizeof(first));
        assert_memory_equal(first, packet, 12); /* the header stays readable */
        assert_memory_not_equal(first + 12, packet + 12, 3);
        assert_int_equal(srtp_pair_protect(ends.ours, second, sizeof(packet), NULL, 0), len);
        assert_memory_equal(first, second, (size_t)len);
        close_ends(&ends);
    }
}

/* libsrtp2 with the same keys, as the judge. */
static srtp_t libsrtp_new(uint8_t key[SRTP_KEY_MAX], srtp_ssrc_type_t type)
{
    srtp_policy_t policy = {
        .ssrc = {.type = type}, .key = key, .window_size = 1024, .allow_repeat_tx = 1};
    srtp_t session;

    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
    return session;
}

/* Our GCM against libsrtp2's, packet by packet, over a rollover, with an old packet sent again. */
static void gcm_is_what_libsrtp_makes(void **state)
{
    static const uint16_t seqs[] = {65533, 65534, 65535, 0, 1, 65535, 2, 1, 3};
    struct srtp_gcm *gcm;
    srtp_t theirs;
    uint8_t key[SRTP_KEY_MAX] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 12, 13, 14, 15, 16, 17, 18, 19};

    (void)state;
    theirs = libsrtp_new(key, ssrc_any_outbound);
    assert_int_equal(srtp_gcm_open(&gcm, (struct gcm_master){key, key + GCM_KEY_BYTES}), 0);
    for (unsigned i = 0; i < sizeof(seqs) / sizeof(*seqs); i++) {
        static const uint8_t head[] = {0x90, 96, 0, 0,    0,    0, 0, 1, 0,
                                       0,    0,  7, 0xbe, 0xde, 0, 1, 1, 2};
        uint8_t a[64 + SRTP_OVERHEAD_MAX] = {0};
        uint8_t b[sizeof(a)], bytes[sizeof(a)];
        size_t rest = i * 5; /* none, some, and nearly all behind the header */
        int len = 64;

        memcpy(a, head, sizeof(head));
        a[2] = (uint8_t)(seqs[i] >> 8);
        a[3] = (uint8_t)seqs[i];
        memset(a + sizeof(head), 0x55, 64 - sizeof(head));
        memcpy(b, a, sizeof(a));
        memcpy(bytes, a, sizeof(a));
        assert_int_equal(srtp_protect(theirs, b, &len), srtp_err_status_ok);
        memset(a + 64 - rest, 0, rest);
        assert_int_equal(srtp_gcm_protect(gcm, a, 64 - rest, bytes + 64 - rest, rest), len);
        assert_memory_equal(a, b, (size_t)len);
    }
    srtp_gcm_close(gcm);
    srtp_dealloc(theirs);
}

/* Our SRTCP with libsrtp2's at the other end, both ways, from two senders. */
static void libsrtp_reads_our_reports_and_we_read_its(void **state)
{
    uint8_t sent[SRTP_KEY_MAX] = {1, 2, 3}, received[SRTP_KEY_MAX] = {4, 5, 6};
    srtp_t reads = libsrtp_new(sent, ssrc_any_inbound);
    srtp_t writes = libsrtp_new(received, ssrc_any_outbound);
    struct srtcp_gcm *gcm;

    (void)state;
    assert_int_equal(srtcp_gcm_open(&gcm, (struct gcm_master){sent, sent + GCM_KEY_BYTES},
                                    (struct gcm_master){received, received + GCM_KEY_BYTES}),
                     0);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t bytes[sizeof(report) + SRTP_OVERHEAD_MAX];
        int len;

        memcpy(bytes, report, sizeof(report));
        bytes[7] = (uint8_t)(1 + i % 2);
        bytes[20] = (uint8_t)i;
        len = (int)srtcp_gcm_protect(gcm, bytes, sizeof(report));
        assert_int_equal(srtp_unprotect_rtcp(reads, bytes, &len), srtp_err_status_ok);
        assert_int_equal(len, sizeof(report));
        assert_int_equal(bytes[20], (uint8_t)i);
        assert_int_equal(srtp_protect_rtcp(writes, bytes, &len), srtp_err_status_ok);
        assert_int_equal(srtcp_gcm_unprotect(gcm, bytes, (size_t)len), sizeof(report));
        assert_int_equal(bytes[20], (uint8_t)i);
    }
    srtcp_gcm_close(gcm);
    srtp_dealloc(reads);
    srtp_dealloc(writes);
}

/* RFC 3711 section 3.3.2: late ones pass once, those behind the window never. */
static void late_reports_pass_within_a_window(void **state)
{
    enum { COUNT = 80 };
    uint8_t made[COUNT][sizeof(report) + SRTP_OVERHEAD_MAX], copy[sizeof(made[0])];
    size_t len = sizeof(report) + GCM_TAG_BYTES + SRTCP_INDEX_BYTES;
    struct ends ends;

    (void)state;
    open_ends(&ends, SRTP_KIND_AEAD_AES_128_GCM);
    for (unsigned i = 0; i < COUNT; i++) {
        memcpy(made[i], report, sizeof(report));
        assert_int_equal(srtp_pair_protect_rtcp(ends.theirs, made[i], sizeof(report)), len);
    }
    memcpy(copy, made[0], len);
    assert_true(srtp_pair_unprotect_rtcp(ends.ours, copy, len) > 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = COUNT; i-- > 0;) {
            bool passes = round == 0 && i >= COUNT - 64;

            memcpy(copy, made[i], len);
            assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, copy, len) > 0, passes);
        }
    close_ends(&ends);
}

/* A ninth sender is heard, and the first, whose window is gone, still is. */
static void many_senders_are_heard(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends, SRTP_KIND_AEAD_AES_128_GCM);
    for (unsigned i = 0; i < 40; i++) {
        uint8_t bytes[sizeof(report) + SRTP_OVERHEAD_MAX];
        ssize_t len;

        memcpy(bytes, report, sizeof(report));
        bytes[7] = (uint8_t)(i % 10);
        len = srtp_pair_protect_rtcp(ends.theirs, bytes, sizeof(report));
        assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, bytes, (size_t)len), sizeof(report));
    }
    close_ends(&ends);
}

static void reports_in_the_clear_are_denied(void **state)
{
    struct ends ends;
    uint8_t bytes[sizeof(report) + SRTP_OVERHEAD_MAX];
    ssize_t len;

    (void)state;
    open_ends(&ends, SRTP_KIND_AEAD_AES_128_GCM);
    assert_int_equal(srtp_pair_protect_rtcp(ends.theirs, bytes, 7), -ERR_PROTOCOL);
    memcpy(bytes, report, sizeof(report));
    len = srtp_pair_protect_rtcp(ends.theirs, bytes, sizeof(report));
    bytes[len - SRTCP_INDEX_BYTES] &= 0x7f;
    assert_int_equal(srtp_pair_unprotect_rtcp(ends.ours, bytes, (size_t)len), -ERR_DENIED);
    close_ends(&ends);
}

static void what_is_no_packet_of_ours_is_refused(void **state)
{
    struct srtp_gcm *gcm;
    uint8_t key[SRTP_KEY_MAX] = {1}, bytes[64 + SRTP_OVERHEAD_MAX] = {0x90, 96};

    (void)state;
    assert_int_equal(srtp_gcm_open(&gcm, (struct gcm_master){key, key + GCM_KEY_BYTES}), 0);
    for (size_t len = 0; len < 16; len++)
        assert_int_equal(srtp_gcm_protect(gcm, bytes, len, NULL, 0), -ERR_PROTOCOL);
    bytes[15] = 13; /* an extension past the end */
    assert_int_equal(srtp_gcm_protect(gcm, bytes, 64, NULL, 0), -ERR_PROTOCOL);
    bytes[15] = 0;
    for (uint8_t ssrc = 0; ssrc < GCM_SOURCES_MAX; ssrc++) {
        bytes[11] = ssrc;
        assert_true(srtp_gcm_protect(gcm, bytes, 20, NULL, 0) > 0);
    }
    bytes[11] = 200;
    assert_int_equal(srtp_gcm_protect(gcm, bytes, 20, NULL, 0), -ERR_TOO_MANY);
    srtp_gcm_close(gcm);
}

static int start(void **state)
{
    (void)state;
    return srtp_pair_start();
}

static int stop(void **state)
{
    (void)state;
    srtp_pair_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_pass_once),
        cmocka_unit_test(changed_and_cut_reports_are_denied),
        cmocka_unit_test(gcm_is_what_libsrtp_makes),
        cmocka_unit_test(libsrtp_reads_our_reports_and_we_read_its),
        cmocka_unit_test(late_reports_pass_within_a_window),
        cmocka_unit_test(many_senders_are_heard),
        cmocka_unit_test(reports_in_the_clear_are_denied),
        cmocka_unit_test(what_is_no_packet_of_ours_is_refused),
        cmocka_unit_test(media_is_encrypted_and_repeats_as_it_was),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
