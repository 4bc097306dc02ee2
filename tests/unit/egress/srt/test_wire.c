/* Stream ids as callers type them, and as they must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "egress/srt/wire.h"

static void every_form_names_stream_and_token(void **state)
{
    static const char *const ids[] = {
        "#!::r=door,m=request,u=cv1_a_b",
        "#!::u=cv1_a_b,h=x,r=/door",
        "#!::s=cv1_a_b,r=door",
        "door?token=cv1_a_b",
        "door?x=1&token=cv1_a_b",
        "read:door:user:cv1_a_b",
        "read:door:cv1_a_b",
        "#!::t=stream,r=door,u=cv1_a_b",
    };
    struct srt_request request;

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        assert_int_equal(srt_request_parse(&request, ids[i]), SRT_CODE_OK);
        assert_string_equal(request.slug, "door");
        assert_string_equal(request.token, "cv1_a_b");
    }
    assert_int_equal(srt_request_parse(&request, "door"), SRT_CODE_OK);
    assert_string_equal(request.token, "");
}

static void what_is_wrong_has_its_code(void **state)
{
    static const struct {
        const char *id;
        enum srt_code code;
    } rows[] = {
        {"", SRT_CODE_BAD_REQUEST},
        {"#!::", SRT_CODE_NOT_FOUND},
        {"#!::r=a,r=b", SRT_CODE_BAD_REQUEST},
        {"#!::r=a,u=b,u=c", SRT_CODE_BAD_REQUEST},
        {"#!::r=a,m=publish", SRT_CODE_BAD_MODE},
        {"#!::r=a,t=file", SRT_CODE_MEDIA},
        {"#!::r", SRT_CODE_BAD_REQUEST},
        {"publish:a", SRT_CODE_BAD_MODE},
        {"a?token=x&token=y", SRT_CODE_BAD_REQUEST},
        {"a\r\nb", SRT_CODE_BAD_REQUEST},
    };
    struct srt_request request;
    char big[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(srt_request_parse(&request, rows[i].id), rows[i].code);
    memset(big, 'a', sizeof(big));
    big[513] = '\0';
    assert_int_equal(srt_request_parse(&request, big), SRT_CODE_BAD_REQUEST);
    big[512] = '\0';
    assert_int_equal(srt_request_parse(&request, big), SRT_CODE_NOT_FOUND);
}

/* Cut anywhere it is another stream id, or none, but always within its fields. */
static void every_form_may_be_cut_at_every_byte(void **state)
{
    static const char *const ids[] = {
        "#!::r=door,m=request,u=cv1_0123456789abcdef_0123456789abcdef0123456789abcdef,t=stream",
        "door?x=1&token=cv1_0123456789abcdef_0123456789abcdef0123456789abcdef",
        "read:door:user:cv1_0123456789abcdef_0123456789abcdef0123456789abcdef",
    };
    struct srt_request request;
    char cut[STREAM_ID_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
        for (size_t len = 0; len < strlen(ids[i]); len++) {
            memcpy(cut, ids[i], len);
            cut[len] = '\0';
            if (srt_request_parse(&request, cut) == SRT_CODE_OK)
                assert_true(request.slug[0] && strlen(request.token) < TOKEN_TEXT);
        }
}

static void a_slug_or_token_that_is_too_long_is_nobodys(void **state)
{
    struct srt_request request;
    char id[STREAM_ID_MAX] = "read:door:user:";
    size_t begin = strlen(id);

    (void)state;
    memset(id + begin, 'x', TOKEN_TEXT - 1);
    assert_int_equal(srt_request_parse(&request, id), SRT_CODE_OK);
    id[begin + TOKEN_TEXT - 1] = 'x';
    assert_int_equal(srt_request_parse(&request, id), SRT_CODE_UNAUTHORIZED);
    memset(id, 'x', SLUG_MAX);
    id[SLUG_MAX] = '\0';
    assert_int_equal(srt_request_parse(&request, id), SRT_CODE_NOT_FOUND);
    id[SLUG_MAX - 1] = '\0';
    assert_int_equal(srt_request_parse(&request, id), SRT_CODE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_names_stream_and_token),
        cmocka_unit_test(what_is_wrong_has_its_code),
        cmocka_unit_test(every_form_may_be_cut_at_every_byte),
        cmocka_unit_test(a_slug_or_token_that_is_too_long_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
