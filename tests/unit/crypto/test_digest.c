/* SHA-256, HMAC and Ed25519 against published vectors (FIPS 180, RFC 2202, RFC 4231, RFC 8032). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "crypto/ed25519.h"

static void from_hex(uint8_t *out, const char *hex)
{
    for (size_t i = 0; i < strlen(hex) / 2; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void sha256_of_abc_is_as_published(void **state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    from_hex(want, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sha256_make("abc", 3, got), 0);
    assert_memory_equal(got, want, sizeof(got));
}

static void hmac_is_as_published(void **state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    from_hex(want, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(
        hmac_make((struct hmac_key){"Jefe", 4}, "what do ya want for nothing?", 28, got), 0);
    assert_memory_equal(got, want, sizeof(got));
}

static void hmac_takes_an_empty_key(void **state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    from_hex(want, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_int_equal(hmac_make((struct hmac_key){NULL, 0}, "", 0, got), 0);
    assert_memory_equal(got, want, sizeof(got));
}

static void hmac_sha1_is_as_published(void **state)
{
    uint8_t want[SHA1_BYTES], got[SHA1_BYTES];

    (void)state;
    from_hex(want, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    assert_int_equal(
        hmac_sha1_make((struct hmac_key){"Jefe", 4}, "what do ya want for nothing?", 28, got), 0);
    assert_memory_equal(got, want, sizeof(got));
    from_hex(want, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    assert_int_equal(hmac_sha1_make((struct hmac_key){NULL, 0}, "", 0, got), 0);
    assert_memory_equal(got, want, sizeof(got));
}

static void ed25519_signs_as_published(void **state)
{
    uint8_t private_key[32], public_key[32], want_key[32], want[64], got[64];

    (void)state;
    from_hex(private_key, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    from_hex(want_key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    from_hex(want,
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
             "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    assert_int_equal(ed25519_public_key(private_key, public_key), 0);
    assert_memory_equal(public_key, want_key, sizeof(want_key));
    assert_int_equal(ed25519_sign(private_key, "", 0, got), 0);
    assert_memory_equal(got, want, sizeof(want));
    assert_int_equal(ed25519_verify(public_key, "", 0, got), 0);
}

static void a_signature_is_of_one_key_and_one_text(void **state)
{
    uint8_t private_key[32], public_key[32], other_private[32], other_public[32], signature[64];

    (void)state;
    assert_int_equal(ed25519_make_key(private_key, public_key), 0);
    assert_int_equal(ed25519_make_key(other_private, other_public), 0);
    assert_int_equal(ed25519_sign(private_key, "hello", 5, signature), 0);
    assert_int_equal(ed25519_verify(public_key, "hello", 5, signature), 0);
    assert_int_equal(ed25519_verify(public_key, "hellO", 5, signature), -ERR_AUTH);
    assert_int_equal(ed25519_verify(public_key, "hello", 4, signature), -ERR_AUTH);
    assert_int_equal(ed25519_verify(other_public, "hello", 5, signature), -ERR_AUTH);
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 0x10;
        assert_int_equal(ed25519_verify(public_key, "hello", 5, signature), -ERR_AUTH);
        signature[i] ^= 0x10;
    }
}

static void secrets_compare_whole(void **state)
{
    (void)state;
    assert_true(secret_is_equal("abcd", "abcd", 4));
    assert_false(secret_is_equal("abcd", "abce", 4));
    assert_false(secret_is_equal("abcd", "bbcd", 4));
    assert_true(secret_is_equal("abcd", "abce", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_abc_is_as_published),
        cmocka_unit_test(hmac_is_as_published),
        cmocka_unit_test(hmac_takes_an_empty_key),
        cmocka_unit_test(hmac_sha1_is_as_published),
        cmocka_unit_test(ed25519_signs_as_published),
        cmocka_unit_test(a_signature_is_of_one_key_and_one_text),
        cmocka_unit_test(secrets_compare_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
