/* STUN messages against RFC 5769's vectors, and against what no honest peer sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "egress/webrtc/stun.h"

#include "unit/egress/webrtc/stun_builder.h"

/* RFC 5769 sections 2.1 to 2.3: username "evtj:h6vY". */
static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
static const uint8_t sample_request[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
static const uint8_t sample_v4[] = {
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};
static const uint8_t sample_v6[] = {
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c};

enum { V4_ATTRIBUTE_AT = 36, V6_ATTRIBUTE_AT = 36, SAMPLE_INTEGRITY_AT = 76 };

static int parse(struct stun_message *out, const struct built *built)
{
    return stun_parse(out, built->bytes, built->len);
}

static void the_published_request_is_read(void **state)
{
    struct stun_message message;

    (void)state;
    assert_true(stun_is(sample_request, sizeof(sample_request)));
    assert_int_equal(stun_parse(&message, sample_request, sizeof(sample_request)), 0);
    assert_int_equal(message.class, STUN_REQUEST);
    assert_ptr_equal(message.transaction, sample_request + 8);
    assert_int_equal(message.username_len, 9);
    assert_memory_equal(message.username, "evtj:h6vY", 9);
    assert_int_equal(message.priority, 0x6e0001ff);
    assert_true(message.is_controlled);
    assert_false(message.is_controlling);
    assert_false(message.use_candidate);
    assert_true(message.tie_breaker == 0x932ff9b151263b36);
    assert_int_equal(message.integrity_offset, SAMPLE_INTEGRITY_AT);
    assert_true(message.has_fingerprint);
    assert_int_equal(message.unknown_count, 0);
    assert_true(stun_is_authentic(&message, sample_request, password));
    assert_false(stun_is_authentic(&message, sample_request, "VOkJxbRl1RmTxUk/WvJxBu"));
    assert_false(stun_is_authentic(&message, sample_request, ""));
}

static void the_published_responses_are_read(void **state)
{
    struct stun_message message;

    (void)state;
    assert_int_equal(stun_parse(&message, sample_v4, sizeof(sample_v4)), 0);
    assert_int_equal(message.class, STUN_SUCCESS);
    assert_true(message.has_fingerprint);
    assert_int_equal(message.unknown_count, 0);
    assert_true(stun_is_authentic(&message, sample_v4, password));
    assert_int_equal(stun_parse(&message, sample_v6, sizeof(sample_v6)), 0);
    assert_int_equal(message.class, STUN_SUCCESS);
    assert_true(stun_is_authentic(&message, sample_v6, password));
}

/* Ours say nothing of the software, so only the address's attribute is the published one. */
static void check_success(const char *mapped, const uint8_t *want, size_t want_len, size_t len)
{
    struct stun_message request, answer;
    struct addr addr = built_addr(mapped);
    uint8_t out[STUN_REPLY_MAX];

    assert_int_equal(stun_parse(&request, sample_request, sizeof(sample_request)), 0);
    assert_int_equal(stun_write_success(out, &request, &addr, password), len);
    assert_memory_equal(out + STUN_HEADER_BYTES, want, want_len);
    assert_int_equal(stun_parse(&answer, out, len), 0);
    assert_int_equal(answer.class, STUN_SUCCESS);
    assert_memory_equal(answer.transaction, request.transaction, STUN_TRANSACTION);
    assert_true(answer.has_fingerprint);
    assert_true(stun_is_authentic(&answer, out, password));
}

static void a_success_tells_the_published_address(void **state)
{
    (void)state;
    check_success("192.0.2.1:32853", sample_v4 + V4_ATTRIBUTE_AT, 12, 64);
    check_success("[::ffff:192.0.2.1]:32853", sample_v4 + V4_ATTRIBUTE_AT, 12, 64);
    check_success("[2001:db8:1234:5678:11:2233:4455:6677]:32853", sample_v6 + V6_ATTRIBUTE_AT, 24,
                  76);
}

/* What is sent to 192.0.2.1 goes another way than what is sent to these. */
static void only_a_mapped_address_is_told_as_ipv4(void **state)
{
    static const char *const texts[] = {"[64:ff9b::192.0.2.1]:32853", "[2002:c000:201::]:32853",
                                        "[::192.0.2.1]:32853"};
    struct stun_message request;
    uint8_t out[STUN_REPLY_MAX];

    (void)state;
    assert_int_equal(stun_parse(&request, sample_request, sizeof(sample_request)), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct addr addr = built_addr(texts[i]);

        assert_int_equal(stun_write_success(out, &request, &addr, password), 76);
    }
    assert_int_equal(stun_write_success(out, &request, &(struct addr){0}, password), 0);
}

static void a_message_cut_short_is_refused_at_every_byte(void **state)
{
    struct stun_message message;

    (void)state;
    for (size_t len = 0; len < sizeof(sample_request); len++) {
        uint8_t *cut = malloc(len ? len : 1); /* exactly so long, so that an overrun is seen */

        assert_non_null(cut);
        memcpy(cut, sample_request, len);
        assert_int_equal(stun_parse(&message, cut, len), -ERR_PROTOCOL);
        if (len < STUN_HEADER_BYTES)
            assert_false(stun_is(cut, len));
        free(cut);
    }
}

/* With the header's length made to fit the cut, what is left must be whole attributes. */
static void an_attribute_cut_short_is_refused_at_every_byte(void **state)
{
    static const size_t ends[] = {20, 40, 48, 60, 76, 100, 108};
    struct stun_message message;

    (void)state;
    for (size_t len = 20; len < sizeof(sample_request); len++) {
        struct built cut = {.len = len};
        int want = -ERR_PROTOCOL;

        memcpy(cut.bytes, sample_request, len);
        built_set_length(&cut, 0);
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
            if (len == ends[i])
                want = 0;
        assert_int_equal(parse(&message, &cut), want);
    }
}

static void a_wrong_length_in_the_header_is_refused(void **state)
{
    struct stun_message message;
    struct built wrong = {.len = sizeof(sample_request)};

    (void)state;
    for (unsigned length = 0; length <= 0xffff; length++) {
        memcpy(wrong.bytes, sample_request, sizeof(sample_request));
        wrong.bytes[2] = (uint8_t)(length >> 8);
        wrong.bytes[3] = (uint8_t)length;
        assert_int_equal(parse(&message, &wrong),
                         length == sizeof(sample_request) - 20 ? 0 : -ERR_PROTOCOL);
    }
}

/* Each attribute's length in turn, through all its values; the fingerprint would find most of the
 * lies, so it is left off. */
static void a_wrong_length_of_an_attribute_never_harms(void **state)
{
    static const size_t attributes[] = {20, 40, 48, 60, 76};
    struct stun_message message;

    (void)state;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        for (unsigned length = 0; length <= 0xffff; length++) {
            size_t at = attributes[i], len = sizeof(sample_request) - 8;
            uint8_t *wrong = malloc(len);

            assert_non_null(wrong);
            memcpy(wrong, sample_request, len);
            wrong[3] = (uint8_t)(len - 20);
            wrong[at + 2] = (uint8_t)(length >> 8);
            wrong[at + 3] = (uint8_t)length;
            if (length > len - at - 4)
                assert_int_equal(stun_parse(&message, wrong, len), -ERR_PROTOCOL);
            else if (stun_parse(&message, wrong, len) == 0 && message.username)
                assert_in_range(message.username_len, 0,
                                (size_t)(wrong + len - (const uint8_t *)message.username));
            free(wrong);
        }
}

static void attributes_of_fixed_length_have_no_other(void **state)
{
    static const struct {
        uint16_t type;
        size_t len;
    } fixed[] = {{AT_INTEGRITY, 20}, {AT_PRIORITY, 4},    {AT_USE_CANDIDATE, 0},
                 {AT_CONTROLLED, 8}, {AT_CONTROLLING, 8}, {AT_FINGERPRINT, 4}};
    static const uint8_t zeros[64];
    struct stun_message message;

    (void)state;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        for (size_t len = 0; len <= sizeof(zeros); len++) {
            struct built built = built_begin(TYPE_REQUEST);
            bool is_right = len == fixed[i].len && fixed[i].type != AT_FINGERPRINT;

            built_attribute(&built, fixed[i].type, zeros, len);
            assert_int_equal(parse(&message, &built), is_right ? 0 : -ERR_PROTOCOL);
        }
}

static void a_message_over_the_limit_is_refused(void **state)
{
    static const uint8_t zeros[BUILT_MAX - 100];
    struct stun_message message;

    (void)state;
    for (size_t len = STUN_MESSAGE_MAX - 32; len < STUN_MESSAGE_MAX; len++) {
        struct built built = built_begin(TYPE_REQUEST);

        built_attribute(&built, AT_USERNAME, zeros, len);
        assert_int_equal(parse(&message, &built),
                         built.len <= STUN_MESSAGE_MAX ? 0 : -ERR_PROTOCOL);
    }
}

static void only_binding_messages_are_taken(void **state)
{
    static const struct {
        uint16_t type;
        enum stun_class class;
    } bindings[] = {{0x0001, STUN_REQUEST},
                    {0x0011, STUN_INDICATION},
                    {0x0101, STUN_SUCCESS},
                    {0x0111, STUN_ERROR}};
    struct stun_message message;

    (void)state;
    for (unsigned type = 0; type <= 0xffff; type++) {
        struct built built = built_begin((uint16_t)type);
        int want = -ERR_PROTOCOL;

        for (size_t i = 0; i < 4; i++)
            if (bindings[i].type == type)
                want = 0;
        assert_int_equal(stun_is(built.bytes, built.len), type < 0x0400);
        assert_int_equal(parse(&message, &built), want);
    }
    for (size_t i = 0; i < 4; i++) {
        struct built built = built_begin(bindings[i].type);

        assert_int_equal(parse(&message, &built), 0);
        assert_int_equal(message.class, bindings[i].class);
    }
}

static void a_wrong_cookie_is_not_stun(void **state)
{
    struct stun_message message;

    (void)state;
    for (size_t bit = 32; bit < 64; bit++) {
        struct built built = built_begin(TYPE_REQUEST);

        built.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(stun_is(built.bytes, built.len));
        assert_int_equal(parse(&message, &built), -ERR_PROTOCOL);
    }
}

/* The sum covers every bit before it, and the fingerprint every bit of all. */
static void no_bit_changes_unseen(void **state)
{
    struct stun_message message;

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(sample_request); bit++) {
        struct built built = {.len = sizeof(sample_request)};

        memcpy(built.bytes, sample_request, built.len);
        built.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (parse(&message, &built) == 0)
            assert_false(message.has_fingerprint);
        built.len -= 8;
        built_set_length(&built, 0);
        if (bit / 8 != 2 && bit / 8 != 3 && bit / 8 < built.len && parse(&message, &built) == 0)
            assert_false(stun_is_authentic(&message, built.bytes, password));
    }
}

/* A fingerprint that is right but for its length, or for what follows it. */
static void a_fingerprint_is_of_four_bytes_and_last(void **state)
{
    struct built right = built_begin(TYPE_REQUEST), built = right;
    struct stun_message message;
    uint32_t crc;

    (void)state;
    built_fingerprint(&right);
    assert_int_equal(parse(&message, &right), 0);
    assert_true(message.has_fingerprint);

    right = built;
    built_set_length(&right, 12);
    crc = built_crc(right.bytes, right.len) ^ 0x5354554e;
    built_number(&right, AT_FINGERPRINT, (uint64_t)crc << 32, 8);
    assert_int_equal(parse(&message, &right), -ERR_PROTOCOL);

    built_set_length(&built, 16);
    crc = built_crc(built.bytes, built.len) ^ 0x5354554e;
    built_number(&built, AT_FINGERPRINT, crc, 4);
    right = built;
    built_number(&built, AT_PRIORITY, 1, 4);
    assert_int_equal(parse(&message, &built), -ERR_PROTOCOL);
    built_number(&right, AT_FINGERPRINT, built_crc(right.bytes, right.len) ^ 0x5354554e, 4);
    assert_int_equal(parse(&message, &right), -ERR_PROTOCOL);
}

static void what_stands_after_the_integrity_is_ignored(void **state)
{
    struct built built = built_begin(TYPE_REQUEST);
    struct stun_message message;

    (void)state;
    built_attribute(&built, AT_USERNAME, "evtj:h6vY", 9);
    built_integrity(&built, password);
    built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
    built_attribute(&built, AT_USERNAME, "other", 5);
    built_number(&built, AT_CONTROLLING, 7, 8);
    built_attribute(&built, 0x7abc, "?", 1);
    built_integrity(&built, "another");
    built_fingerprint(&built);
    assert_int_equal(parse(&message, &built), 0);
    assert_int_equal(message.username_len, 9);
    assert_false(message.use_candidate);
    assert_false(message.is_controlling);
    assert_int_equal(message.unknown_count, 0);
    assert_true(message.has_fingerprint);
    assert_true(stun_is_authentic(&message, built.bytes, password));
}

static void of_two_of_a_kind_the_first_counts(void **state)
{
    struct built built = built_begin(TYPE_REQUEST);
    struct stun_message message;

    (void)state;
    built_attribute(&built, AT_USERNAME, "first", 5);
    built_attribute(&built, AT_USERNAME, "second", 6);
    built_number(&built, AT_PRIORITY, 1, 4);
    built_number(&built, AT_PRIORITY, 2, 4);
    built_number(&built, AT_CONTROLLING, 3, 8);
    built_number(&built, AT_CONTROLLING, 4, 8);
    assert_int_equal(parse(&message, &built), 0);
    assert_int_equal(message.username_len, 5);
    assert_memory_equal(message.username, "first", 5);
    assert_int_equal(message.priority, 1);
    assert_true(message.tie_breaker == 3);
}

static void without_integrity_nothing_is_authentic(void **state)
{
    struct built built = built_begin(TYPE_REQUEST);
    struct stun_message message;

    (void)state;
    built_attribute(&built, AT_USERNAME, "evtj:h6vY", 9);
    built_fingerprint(&built);
    assert_int_equal(parse(&message, &built), 0);
    assert_false(stun_is_authentic(&message, built.bytes, password));
    assert_false(stun_is_authentic(&message, built.bytes, ""));
}

static void unknown_required_attributes_are_listed_up_to_a_limit(void **state)
{
    struct built built = built_begin(TYPE_REQUEST);
    struct stun_message message;

    (void)state;
    built_attribute(&built, 0xc057, "abcd", 4); /* optional, of Chrome's */
    built_attribute(&built, 0x8fff, "", 0);
    for (unsigned i = 0; i < 20; i++)
        built_attribute(&built, (uint16_t)(0x7000 + i), "x", i % 2);
    assert_int_equal(parse(&message, &built), 0);
    assert_int_equal(message.unknown_count, STUN_UNKNOWN_MAX);
    for (unsigned i = 0; i < STUN_UNKNOWN_MAX; i++)
        assert_int_equal(message.unknown[i], 0x7000 + i);
}

static void an_error_says_its_code(void **state)
{
    static const struct {
        unsigned code;
        const char *value; /* of ERROR-CODE, after its four bytes of number */
    } cases[] = {{400, "Bad Request"}, {420, "Unknown Attribute"}, {487, "Role Conflict"}};
    struct stun_message request, answer;
    uint8_t out[STUN_REPLY_MAX];

    (void)state;
    assert_int_equal(stun_parse(&request, sample_request, sizeof(sample_request)), 0);
    for (size_t i = 0; i < 3; i++) {
        size_t len = stun_write_error(out, &request, cases[i].code, password);
        size_t text_len = strlen(cases[i].value);
        const uint8_t head[] = {0,
                                9,
                                0,
                                (uint8_t)(4 + text_len),
                                0,
                                0,
                                (uint8_t)(cases[i].code / 100),
                                (uint8_t)(cases[i].code % 100)};

        assert_int_equal(stun_parse(&answer, out, len), 0);
        assert_int_equal(answer.class, STUN_ERROR);
        assert_true(answer.has_fingerprint);
        assert_true(stun_is_authentic(&answer, out, password));
        assert_memory_equal(out + 20, head, sizeof(head));
        assert_memory_equal(out + 28, cases[i].value, text_len);
    }
    assert_int_equal(stun_write_error(out, &request, 300, password), 0);
}

static void an_error_without_a_password_has_no_integrity(void **state)
{
    struct stun_message request, answer;
    uint8_t out[STUN_REPLY_MAX];
    size_t len;

    (void)state;
    assert_int_equal(stun_parse(&request, sample_request, sizeof(sample_request)), 0);
    len = stun_write_error(out, &request, 400, NULL);
    assert_int_equal(stun_parse(&answer, out, len), 0);
    assert_int_equal(answer.integrity_offset, 0);
    assert_true(answer.has_fingerprint);
}

static void the_unknown_attributes_are_told(void **state)
{
    struct stun_message request, answer;
    uint8_t out[STUN_REPLY_MAX];

    (void)state;
    for (unsigned count = 0; count <= STUN_UNKNOWN_MAX; count++) {
        struct built built = built_begin(TYPE_REQUEST);
        size_t len, at = 20 + 8 + 20;

        for (unsigned i = 0; i < count; i++)
            built_attribute(&built, (uint16_t)(0x7000 + i), NULL, 0);
        assert_int_equal(parse(&request, &built), 0);
        len = stun_write_error(out, &request, 420, password);
        assert_in_range(len, 1, STUN_REPLY_MAX);
        assert_int_equal(stun_parse(&answer, out, len), 0);
        assert_true(stun_is_authentic(&answer, out, password));
        assert_int_equal(out[at + 1], 0x0a);
        assert_int_equal(out[at + 3], 2 * count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(out[at + 4 + 2 * i] << 8 | out[at + 5 + 2 * i], 0x7000 + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_request_is_read),
        cmocka_unit_test(the_published_responses_are_read),
        cmocka_unit_test(a_success_tells_the_published_address),
        cmocka_unit_test(only_a_mapped_address_is_told_as_ipv4),
        cmocka_unit_test(a_message_cut_short_is_refused_at_every_byte),
        cmocka_unit_test(an_attribute_cut_short_is_refused_at_every_byte),
        cmocka_unit_test(a_wrong_length_in_the_header_is_refused),
        cmocka_unit_test(a_wrong_length_of_an_attribute_never_harms),
        cmocka_unit_test(attributes_of_fixed_length_have_no_other),
        cmocka_unit_test(a_message_over_the_limit_is_refused),
        cmocka_unit_test(only_binding_messages_are_taken),
        cmocka_unit_test(a_wrong_cookie_is_not_stun),
        cmocka_unit_test(no_bit_changes_unseen),
        cmocka_unit_test(a_fingerprint_is_of_four_bytes_and_last),
        cmocka_unit_test(what_stands_after_the_integrity_is_ignored),
        cmocka_unit_test(of_two_of_a_kind_the_first_counts),
        cmocka_unit_test(without_integrity_nothing_is_authentic),
        cmocka_unit_test(unknown_required_attributes_are_listed_up_to_a_limit),
        cmocka_unit_test(an_error_says_its_code),
        cmocka_unit_test(an_error_without_a_password_has_no_integrity),
        cmocka_unit_test(the_unknown_attributes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
