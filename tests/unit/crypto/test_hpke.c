/* HPKE against RFC 9180's own vectors (appendix A.3.1), and against tampering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hpke.h"

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

static const char sender_private[] =
    "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb";
static const char sender_public[] =
    "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c"
    "0900be863c403ce65c9bfcb9382657222d18c4";
static const char receiver_private[] =
    "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2";
static const char receiver_public[] =
    "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62f"
    "b3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
static const char plain_text[] = "4265617574792069732074727574682c20747275746820626561757479";
static const char cipher_text[] =
    "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";

static const struct hpke_context rfc_context = {
    .aead = HPKE_AES_128_GCM, .info = {"Ode on a Grecian Urn", 20}, .aad = {"Count-0", 7}};

static void the_rfcs_vector_is_sealed_to_the_byte(void **state)
{
    uint8_t sender[HPKE_PRIVATE_KEY], receiver[HPKE_PUBLIC_KEY], plain[64], want[256], got[256];
    size_t plain_len = from_hex(plain, plain_text), len;

    (void)state;
    from_hex(sender, sender_private);
    from_hex(receiver, receiver_public);
    len = from_hex(want, sender_public);
    len += from_hex(want + len, cipher_text);
    assert_int_equal(len, plain_len + HPKE_OVERHEAD);
    assert_int_equal(
        hpke_seal_with(&rfc_context, sender, receiver, (struct hpke_bytes){plain, plain_len}, got),
        0);
    assert_memory_equal(got, want, len);
}

static void the_rfcs_vector_is_opened(void **state)
{
    uint8_t receiver[HPKE_PRIVATE_KEY], sealed[256], want[64], got[64];
    size_t len = from_hex(sealed, sender_public), want_len = from_hex(want, plain_text);

    (void)state;
    len += from_hex(sealed + len, cipher_text);
    from_hex(receiver, receiver_private);
    assert_int_equal(hpke_open(&rfc_context, receiver, (struct hpke_bytes){sealed, len}, got), 0);
    assert_memory_equal(got, want, want_len);
}

static void what_is_sealed_to_an_agent_opens_there_only(void **state)
{
    static const char url[] = "rtsp://admin:secret@192.168.1.10/stream1";
    const struct hpke_context one = hpke_camera_url("agt_1"), two = hpke_camera_url("agt_2");
    uint8_t private_key[HPKE_PRIVATE_KEY], public_key[HPKE_PUBLIC_KEY];
    uint8_t other_private[HPKE_PRIVATE_KEY], other_public[HPKE_PUBLIC_KEY];
    uint8_t sealed[sizeof(url) + HPKE_OVERHEAD], got[sizeof(url)];
    struct hpke_bytes bytes = {sealed, sizeof(sealed)};

    (void)state;
    assert_int_equal(hpke_make_key(private_key, public_key), 0);
    assert_int_equal(hpke_make_key(other_private, other_public), 0);
    assert_int_equal(hpke_seal(&one, public_key, (struct hpke_bytes){url, sizeof(url)}, sealed), 0);
    assert_null(memmem(sealed, sizeof(sealed), "secret", 6));
    assert_int_equal(hpke_open(&one, private_key, bytes, got), 0);
    assert_string_equal((char *)got, url);
    assert_int_equal(hpke_open(&one, other_private, bytes, got), -ERR_AUTH);
    assert_int_equal(hpke_open(&two, private_key, bytes, got), -ERR_AUTH);
}

static void a_changed_byte_anywhere_is_refused(void **state)
{
    const struct hpke_context context = hpke_camera_url("agt_1");
    uint8_t private_key[HPKE_PRIVATE_KEY], public_key[HPKE_PUBLIC_KEY];
    uint8_t sealed[4 + HPKE_OVERHEAD], got[4];

    (void)state;
    assert_int_equal(hpke_make_key(private_key, public_key), 0);
    assert_int_equal(hpke_seal(&context, public_key, (struct hpke_bytes){"rtsp", 4}, sealed), 0);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_true(
            hpke_open(&context, private_key, (struct hpke_bytes){sealed, sizeof(sealed)}, got) < 0);
        sealed[i] ^= 1;
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_true(hpke_open(&context, private_key, (struct hpke_bytes){sealed, len}, got) < 0);
}

static void an_empty_text_and_the_longest_go_there_and_back(void **state)
{
    const struct hpke_context context = hpke_camera_url("agt_1");
    uint8_t private_key[HPKE_PRIVATE_KEY], public_key[HPKE_PUBLIC_KEY];
    static uint8_t plain[2000], sealed[sizeof(plain) + HPKE_OVERHEAD], got[sizeof(plain)];

    (void)state;
    memset(plain, 'x', sizeof(plain));
    assert_int_equal(hpke_make_key(private_key, public_key), 0);
    assert_int_equal(hpke_seal(&context, public_key, (struct hpke_bytes){"", 0}, sealed), 0);
    assert_int_equal(
        hpke_open(&context, private_key, (struct hpke_bytes){sealed, HPKE_OVERHEAD}, got), 0);
    assert_int_equal(
        hpke_seal(&context, public_key, (struct hpke_bytes){plain, sizeof(plain)}, sealed), 0);
    assert_int_equal(
        hpke_open(&context, private_key, (struct hpke_bytes){sealed, sizeof(sealed)}, got), 0);
    assert_memory_equal(got, plain, sizeof(plain));
}

static void a_key_that_is_no_point_is_refused(void **state)
{
    const struct hpke_context context = hpke_camera_url("agt_1");
    uint8_t point[HPKE_PUBLIC_KEY] = {4, 1, 2, 3}, sealed[HPKE_OVERHEAD];
    uint8_t zero[HPKE_PUBLIC_KEY] = {0};

    (void)state;
    assert_int_equal(hpke_seal(&context, point, (struct hpke_bytes){"", 0}, sealed), -ERR_PROTOCOL);
    assert_int_equal(hpke_seal(&context, zero, (struct hpke_bytes){"", 0}, sealed), -ERR_PROTOCOL);
}

static void an_info_past_its_limit_is_refused(void **state)
{
    static const uint8_t info[257];
    struct hpke_context context = {.aead = HPKE_AES_256_GCM, .info = {info, sizeof(info)}};
    uint8_t private_key[HPKE_PRIVATE_KEY], public_key[HPKE_PUBLIC_KEY], sealed[HPKE_OVERHEAD];

    (void)state;
    assert_int_equal(hpke_make_key(private_key, public_key), 0);
    assert_int_equal(hpke_seal(&context, public_key, (struct hpke_bytes){"", 0}, sealed),
                     -ERR_TOO_LONG);
    context.info.len = 256;
    assert_int_equal(hpke_seal(&context, public_key, (struct hpke_bytes){"", 0}, sealed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vector_is_sealed_to_the_byte),
        cmocka_unit_test(the_rfcs_vector_is_opened),
        cmocka_unit_test(what_is_sealed_to_an_agent_opens_there_only),
        cmocka_unit_test(a_changed_byte_anywhere_is_refused),
        cmocka_unit_test(an_empty_text_and_the_longest_go_there_and_back),
        cmocka_unit_test(a_key_that_is_no_point_is_refused),
        cmocka_unit_test(an_info_past_its_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
