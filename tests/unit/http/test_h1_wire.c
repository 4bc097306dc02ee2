/* Heads and chunked bodies of HTTP/1.1, from bytes alone. What is refused, with which status, is
 * tested case by case in tests/integration/test_http1.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/chunks.h"
#include "http/h1_wire.h"

static const struct h1_limits limits = {
    .header_bytes = 200,
    .header_count = 4,
    .target_bytes = 20,
};

static ssize_t find(const char *text)
{
    struct h1_scan scan = {.at = 0};

    return h1_head_find(&scan, &limits, (const uint8_t *)text, strlen(text));
}

static unsigned parse(struct h1_head *head, const char *text)
{
    static char room[4096];

    snprintf(room, sizeof(room), "%s", text);
    return h1_head_parse(head, &limits, room, strlen(room));
}

static void a_head_is_found_only_at_its_last_byte(void **state)
{
    static const char text[] = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
    size_t len = strlen(text) - 4;
    struct h1_scan scan = {.at = 0};

    (void)state;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(h1_head_find(&scan, &limits, (const uint8_t *)text, cut), 0);
    assert_int_equal(h1_head_find(&scan, &limits, (const uint8_t *)text, len + 4), len);
    assert_int_equal(find(text), len);
}

static void heads_past_a_limit_are_refused_before_they_end(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[20 + 64] = '\0';
    assert_int_equal(find(text), 0);
    text[20 + 64] = 'a';
    text[20 + 64 + 1] = '\0';
    assert_int_equal(find(text), -414);
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.1\r\n", 16);
    text[20 + 64 + 200] = '\0';
    assert_int_equal(find(text), 0);
    text[20 + 64 + 200] = 'a';
    text[20 + 64 + 201] = '\0';
    assert_int_equal(find(text), -431);
    assert_int_equal(find("GET / HTTP/1.1\n"), -400);
    assert_int_equal(find("\n"), -400);
    assert_int_equal(find("\r\n\r\n"), -400);
}

static void fields_are_split_lowered_and_trimmed(void **state)
{
    struct h1_head head;

    (void)state;
    assert_int_equal(parse(&head, "PATCH /a?b HTTP/1.1\r\nHoSt: x\r\nX-Empty:\r\nX-Blank:   \r\n"
                                  "A:\t b c \t\r\n\r\n"),
                     0);
    assert_string_equal(head.method, "PATCH");
    assert_string_equal(head.target, "/a?b");
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.count, 4);
    assert_string_equal(head.fields[0].name, "host");
    assert_string_equal(head.fields[1].name, "x-empty");
    assert_string_equal(head.fields[1].value, "");
    assert_string_equal(head.fields[2].value, "");
    assert_string_equal(head.fields[3].name, "a");
    assert_string_equal(head.fields[3].value, "b c");
}

static void one_field_past_the_count_is_431(void **state)
{
    struct h1_head head;

    (void)state;
    assert_int_equal(parse(&head, "GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n"), 0);
    assert_int_equal(parse(&head, "GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\n\r\n"),
                     431);
}

static void the_target_is_bounded_to_the_byte(void **state)
{
    struct h1_head head;

    (void)state;
    assert_int_equal(parse(&head, "GET /2345678901234567890 HTTP/1.1\r\n\r\n"), 0);
    assert_int_equal(parse(&head, "GET /23456789012345678901 HTTP/1.1\r\n\r\n"), 414);
}

/* http-parser names a place in the next line for an empty value: to end it there would hide the
 * next field from us, and let a request be smuggled. */
static void a_field_behind_an_empty_one_is_seen(void **state)
{
    static const char *const empty[] = {"X:\r\n", "X: \r\n", "X: \t \r\n"};
    struct h1_framing framing;
    struct h1_head head;
    char text[128];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof(text),
                 "POST / HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n", empty[i]);
        assert_int_equal(parse(&head, text), 0);
        assert_int_equal(h1_head_framing(&framing, &head), 0);
        assert_true(framing.is_chunked);
        assert_string_equal(head.fields[1].value, "");
    }
}

static void framing_is_what_the_fields_say(void **state)
{
    struct h1_framing framing;
    struct h1_head head;

    (void)state;
    assert_int_equal(parse(&head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\n\r\n"), 0);
    assert_int_equal(h1_head_framing(&framing, &head), 0);
    assert_int_equal(framing.length, 7);
    assert_true(framing.keeps_alive);
    assert_int_equal(parse(&head, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n"
                                  "Connection: close\r\nExpect: 100-Continue\r\n\r\n"),
                     0);
    assert_int_equal(h1_head_framing(&framing, &head), 0);
    assert_true(framing.is_chunked);
    assert_true(framing.expects_continue);
    assert_false(framing.keeps_alive);
    assert_int_equal(parse(&head, "GET / HTTP/1.0\r\n\r\n"), 0);
    assert_int_equal(h1_head_framing(&framing, &head), 0);
    assert_null(framing.host);
    assert_false(framing.keeps_alive);
}

/* Decodes text in pieces of a size into out; 0 and done, 1 and not done, or the error. */
static int decode(const char *text, size_t piece, char out[64])
{
    size_t len = strlen(text), out_len = 0;
    struct chunks chunks;

    chunks_init(&chunks);
    for (size_t at = 0; at < len && !chunks_is_done(&chunks);) {
        size_t room = len - at < piece ? len - at : piece, data_len;
        const uint8_t *data;
        ssize_t used = chunks_read(&chunks, (const uint8_t *)text + at, room, &data, &data_len);

        if (used < 0)
            return (int)used;
        assert_true(used > 0 && (size_t)used <= room && out_len + data_len < 64);
        if (data_len)
            memcpy(out + out_len, data, data_len);
        out_len += data_len;
        at += (size_t)used;
    }
    out[out_len] = '\0';
    return chunks_is_done(&chunks) ? 0 : 1;
}

static void chunks_are_joined_however_they_are_cut(void **state)
{
    static const char text[] = "3;a=\"b\"\r\nhel\r\n00002\r\nlo\r\n0\r\nx: y\r\nz:\r\n\r\n";
    char out[64];

    (void)state;
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        assert_int_equal(decode(text, piece, out), 0);
        assert_string_equal(out, "hello");
    }
}

static void a_chunked_body_cut_short_anywhere_is_not_done(void **state)
{
    static const char text[] = "3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n";
    char cut[sizeof(text)], out[64];

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        memcpy(cut, text, len);
        cut[len] = '\0';
        assert_int_equal(decode(cut, len + 1, out), 1);
    }
}

static void a_chunked_body_with_one_byte_wrong_is_never_read_as_longer(void **state)
{
    static const char text[] = "5\r\nhello\r\n0\r\n\r\n";
    char wrong[sizeof(text)], out[64];

    (void)state;
    for (size_t at = 1; at < sizeof(text) - 1; at++) {
        if (at >= 3 && at < 8)
            continue; /* the data may be anything */
        for (int byte = 1; byte < 256; byte++) {
            memcpy(wrong, text, sizeof(text));
            wrong[at] = (char)byte;
            if (decode(wrong, sizeof(text), out) == 0)
                assert_string_equal(out, "hello");
        }
    }
}

static void chunk_sizes_have_fifteen_digits_at_most(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(decode("000000000000001\r\na\r\n0\r\n\r\n", 99, out), 0);
    assert_int_equal(decode("0000000000000001\r\na\r\n0\r\n\r\n", 99, out), -ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_found_only_at_its_last_byte),
        cmocka_unit_test(heads_past_a_limit_are_refused_before_they_end),
        cmocka_unit_test(fields_are_split_lowered_and_trimmed),
        cmocka_unit_test(one_field_past_the_count_is_431),
        cmocka_unit_test(the_target_is_bounded_to_the_byte),
        cmocka_unit_test(a_field_behind_an_empty_one_is_seen),
        cmocka_unit_test(framing_is_what_the_fields_say),
        cmocka_unit_test(chunks_are_joined_however_they_are_cut),
        cmocka_unit_test(a_chunked_body_cut_short_anywhere_is_not_done),
        cmocka_unit_test(a_chunked_body_with_one_byte_wrong_is_never_read_as_longer),
        cmocka_unit_test(chunk_sizes_have_fifteen_digits_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
