/* rtmp/handshake.c, against a player's half of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/digest.h"
#include "rtmp/handshake.h"

static const char player_key[] = "Genuine Adobe Flash Player 001";
static const char server_key[] = "Genuine Adobe Flash Media Server 001";

static size_t digest_at(const uint8_t *block, size_t place)
{
    return place + 4 +
           (size_t)(block[place] + block[place + 1] + block[place + 2] + block[place + 3]) % 728;
}

static void make_digest(const uint8_t *block, size_t at, const char *key, uint8_t out[32])
{
    uint8_t rest[RTMP_HANDSHAKE - 32];

    memcpy(rest, block, at);
    memcpy(rest + at, block + at + 32, sizeof(rest) - at);
    assert_int_equal(hmac_make((struct hmac_key){key, strlen(key)}, rest, sizeof(rest), out), 0);
}

static void make_hello(uint8_t hello[RTMP_HELLO])
{
    hello[0] = RTMP_VERSION;
    for (size_t i = 1; i < RTMP_HELLO; i++)
        hello[i] = (uint8_t)(i * 31);
}

static void a_simple_hello_is_echoed(void **state)
{
    uint8_t hello[RTMP_HELLO], answer[RTMP_ANSWER];

    (void)state;
    make_hello(hello);
    memset(hello + 5, 0, 4);
    assert_int_equal(rtmp_handshake(hello, answer), 0);
    assert_int_equal(answer[0], RTMP_VERSION);
    assert_memory_equal(answer + 1, "\0\0\0\0\0\0\0\0", 8);
    assert_memory_equal(answer + RTMP_HELLO, hello + 1, RTMP_HANDSHAKE);
    memset(hello + 1, 0, RTMP_HANDSHAKE); /* hostile.md M1 */
    assert_int_equal(rtmp_handshake(hello, answer), 0);
}

static void a_digest_is_answered_with_one(void **state)
{
    static const size_t places[] = {8, 772};
    uint8_t hello[RTMP_HELLO], answer[RTMP_ANSWER], digest[32];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *c1 = hello + 1, *s1 = answer + 1;

        make_hello(hello);
        make_digest(c1, digest_at(c1, places[i]), player_key, c1 + digest_at(c1, places[i]));
        assert_int_equal(rtmp_handshake(hello, answer), 0);
        make_digest(s1, digest_at(s1, places[i]), server_key, digest);
        assert_memory_equal(s1 + digest_at(s1, places[i]), digest, 32);
        assert_true(s1[4] >= 3); /* ffmpeg checks S2 from version 3 on */
        assert_memory_not_equal(answer + RTMP_HELLO, c1, RTMP_HANDSHAKE);
    }
}

static void a_digest_that_is_wrong_makes_it_a_simple_one(void **state)
{
    uint8_t hello[RTMP_HELLO], answer[RTMP_ANSWER];

    (void)state;
    make_hello(hello);
    assert_int_equal(rtmp_handshake(hello, answer), 0);
    assert_memory_equal(answer + RTMP_HELLO, hello + 1, RTMP_HANDSHAKE);
}

static void other_versions_are_refused(void **state)
{
    static const uint8_t versions[] = {0, 1, 2, 4, 6, 8, 'G', 0x16, 0xff};
    uint8_t hello[RTMP_HELLO], answer[RTMP_ANSWER];

    (void)state;
    make_hello(hello);
    for (size_t i = 0; i < sizeof(versions); i++) {
        hello[0] = versions[i];
        assert_int_equal(rtmp_handshake(hello, answer), -ERR_VERSION);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_simple_hello_is_echoed),
        cmocka_unit_test(a_digest_is_answered_with_one),
        cmocka_unit_test(a_digest_that_is_wrong_makes_it_a_simple_one),
        cmocka_unit_test(other_versions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
