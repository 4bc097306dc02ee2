/* Digest and Basic, both ends, with the example of RFC 7616 section 3.9.1 (hostile.md R12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/digest.h"

#define NONCE "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static struct digest_challenge challenge;
static struct digest_credential credential;

static const struct digest_request mufasa = {.method = "GET",
                                             .uri = "/dir/index.html",
                                             .user = "Mufasa",
                                             .password = "Circle of Life",
                                             .count = 1,
                                             .cnonce = CNONCE};

static void the_rfc_example_gives_its_response(const char *algorithm, const char *response)
{
    char header[512], answer[2048];

    snprintf(header, sizeof(header),
             "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=%s, "
             "nonce=\"" NONCE "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
             algorithm);
    assert_int_equal(digest_challenge_parse(&challenge, header), 0);
    assert_true(challenge.has_qop);
    assert_int_equal(digest_answer(&challenge, &mufasa, answer, sizeof(answer)), 0);
    assert_non_null(strstr(answer, response));
    assert_int_equal(digest_credential_parse(&credential, answer), 0);
    assert_string_equal(credential.user, "Mufasa");
    assert_int_equal(digest_verify(&credential, "GET", "Circle of Life"), 0);
    assert_int_equal(digest_verify(&credential, "GET", "Circle of life"), -ERR_AUTH);
    assert_int_equal(digest_verify(&credential, "PLAY", "Circle of Life"), -ERR_AUTH);
}

static void md5_and_sha256_answer_as_the_rfc_says(void **state)
{
    (void)state;
    the_rfc_example_gives_its_response("MD5", "8ca523f5e9506fed4657c9700eebdbec");
    the_rfc_example_gives_its_response(
        "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

static void a_challenge_without_qop_is_answered_the_old_way(void **state)
{
    char answer[1024];
    struct digest_request request = mufasa;

    (void)state;
    request.method = "DESCRIBE";
    assert_int_equal(digest_challenge_parse(&challenge, "Digest realm=\"IP Camera\",nonce=\"abc\","
                                                        " stale=\"TRUE\""),
                     0);
    assert_true(challenge.is_stale);
    assert_int_equal(digest_answer(&challenge, &request, answer, sizeof(answer)), 0);
    assert_null(strstr(answer, "qop"));
    assert_int_equal(digest_credential_parse(&credential, answer), 0);
    assert_int_equal(digest_verify(&credential, "DESCRIBE", "Circle of Life"), 0);
}

static void stronger_schemes_compare_higher(void **state)
{
    (void)state;
    assert_int_equal(digest_challenge_parse(&challenge, "Basic realm=\"x\""), 0);
    assert_int_equal(challenge.scheme, AUTH_SCHEME_BASIC);
    assert_true(AUTH_SCHEME_SHA256 > AUTH_SCHEME_MD5 && AUTH_SCHEME_MD5 > AUTH_SCHEME_BASIC);
}

static void what_we_cannot_answer_is_said_so(void **state)
{
    static const char *const unknown[] = {"Negotiate", "Digest nonce=\"a\", algorithm=SHA-512-256",
                                          "Digest nonce=\"a\", qop=\"auth-int\"", "Digestx a=b"};

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        assert_int_equal(digest_challenge_parse(&challenge, unknown[i]), -ERR_UNSUPPORTED);
    assert_int_equal(digest_challenge_parse(&challenge, "Digest realm=\"no nonce\""),
                     -ERR_PROTOCOL);
}

static void basic_is_read_back(void **state)
{
    struct digest_request request = {.user = "Aladdin", .password = "open sesame"};
    char answer[256];

    (void)state;
    assert_int_equal(digest_challenge_parse(&challenge, "Basic realm=\"x\""), 0);
    assert_int_equal(digest_answer(&challenge, &request, answer, sizeof(answer)), 0);
    assert_string_equal(answer, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_int_equal(digest_credential_parse(&credential, answer), 0);
    assert_string_equal(credential.user, "Aladdin");
    assert_string_equal(credential.password, "open sesame");
    assert_int_equal(digest_credential_parse(&credential, "Basic !!!"), -ERR_PROTOCOL);
    assert_int_equal(digest_credential_parse(&credential, "Basic QQ=="), -ERR_PROTOCOL);
}

static void r12_malformed_credentials_are_refused(void **state)
{
    static char longer[8192];
    static const char *const bad[] = {
        "Digest", "Digest username=\"x\"", "Digest username=\"a\", nonce=\"b\"",
        "Digest username=\"a\", nonce=\"b\", response=\"c\", qop=auth"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(digest_credential_parse(&credential, bad[i]), -ERR_PROTOCOL);
    memset(longer, 'a', sizeof(longer) - 1);
    memcpy(longer, "Digest username=\"", 17);
    assert_int_equal(digest_credential_parse(&credential, longer), -ERR_TOO_LONG);
    longer[1000] = '\0';
    assert_int_equal(digest_credential_parse(&credential, longer), -ERR_TOO_LONG);
    assert_int_equal(digest_credential_parse(
                         &credential, "Digest username=\"a\", nonce=\"b\", response=\"c\", "
                                      "nc=00000000000000000000000001, cnonce=\"d\", qop=auth"),
                     -ERR_TOO_LONG);
}

static void a_nonce_is_ours_for_five_minutes(void **state)
{
    static const uint8_t key[32] = {1}, other[32] = {2};
    char nonce[DIGEST_NONCE];

    (void)state;
    assert_int_equal(nonce_make(key, 1000000, nonce), 0);
    assert_int_equal(nonce_check(key, 2000000, nonce), 0);
    assert_int_equal(nonce_check(key, 302000000, nonce), -ERR_TIMEOUT);
    assert_int_equal(nonce_check(other, 2000000, nonce), -ERR_AUTH);
    nonce[3] ^= 1;
    assert_int_equal(nonce_check(key, 2000000, nonce), -ERR_AUTH);
    assert_int_equal(nonce_check(key, 2000000, ""), -ERR_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_and_sha256_answer_as_the_rfc_says),
        cmocka_unit_test(a_challenge_without_qop_is_answered_the_old_way),
        cmocka_unit_test(stronger_schemes_compare_higher),
        cmocka_unit_test(what_we_cannot_answer_is_said_so),
        cmocka_unit_test(basic_is_read_back),
        cmocka_unit_test(r12_malformed_credentials_are_refused),
        cmocka_unit_test(a_nonce_is_ours_for_five_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
