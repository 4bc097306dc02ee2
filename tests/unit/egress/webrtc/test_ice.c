/* The agent's credentials, and which messages it takes: honest ones, and hostile ones. */
#include "unit/egress/webrtc/ice_rig.h"

/* The code that the last reply says, 0 for a success. */
static unsigned reply_code(const struct rig *rig, size_t len)
{
    struct stun_message message;

    assert_int_equal(stun_parse(&message, rig->reply, len), 0);
    assert_true(message.has_fingerprint);
    assert_true(stun_is_authentic(&message, rig->reply, rig->ice.password));
    if (message.class == STUN_SUCCESS)
        return 0;
    assert_int_equal(message.class, STUN_ERROR);
    assert_int_equal(rig->reply[21], 0x09);
    return rig->reply[26] * 100u + rig->reply[27];
}

/* ---- credentials ---- */

static void credentials_are_ice_chars_and_name_the_loop(void **state)
{
    struct ice ice, other;
    char text[3];

    (void)state;
    for (unsigned loop = 0; loop < 256; loop++) {
        assert_int_equal(ice_init(&ice, loop, "h6vY", 1), 0);
        snprintf(text, sizeof(text), "%02x", loop);
        assert_memory_equal(ice.ufrag, text, 2);
        assert_int_equal(ice_loop_of(ice.ufrag), loop);
        assert_int_equal(strlen(ice.ufrag), ICE_UFRAG_TEXT - 1);
        assert_int_equal(strlen(ice.password), ICE_PASSWORD_TEXT - 1);
        assert_int_equal(strspn(ice.ufrag, "abcdefghijklmnopqrstuvwxyz0123456789"),
                         strlen(ice.ufrag));
        assert_int_equal(strspn(ice.password, "abcdefghijklmnopqrstuvwxyz234567"),
                         strlen(ice.password));
        assert_string_equal(ice.remote_ufrag, "h6vY");
        assert_int_equal(ice_init(&other, loop, "h6vY", 1), 0);
        assert_string_not_equal(ice.ufrag, other.ufrag);
        assert_string_not_equal(ice.password, other.password);
    }
    assert_int_equal(ice_init(&ice, 256, "h6vY", 1), -ERR_TOO_MANY);
}

static void a_remote_ufrag_has_a_limit(void **state)
{
    char text[UFRAG_TEXT + 1];
    struct ice ice;

    (void)state;
    memset(text, 'u', sizeof(text));
    text[UFRAG_TEXT] = '\0';
    assert_int_equal(ice_init(&ice, 0, text, 1), -ERR_TOO_LONG);
    text[UFRAG_TEXT - 1] = '\0';
    assert_int_equal(ice_init(&ice, 0, text, 1), 0);
}

static void a_loop_is_read_of_two_digits_alone(void **state)
{
    (void)state;
    assert_int_equal(ice_loop_of("00aaaa"), 0);
    assert_int_equal(ice_loop_of("ffaaaa"), 255);
    assert_int_equal(ice_loop_of("a0"), 160);
    assert_int_equal(ice_loop_of(""), -1);
    assert_int_equal(ice_loop_of("0"), -1);
    assert_int_equal(ice_loop_of("0g"), -1);
    assert_int_equal(ice_loop_of("g0"), -1);
    assert_int_equal(ice_loop_of("FF"), -1);
    assert_int_equal(ice_loop_of("+1"), -1);
}

static void the_ufrag_of_a_request_is_found(void **state)
{
    static const struct {
        const char *username;
        const char *ufrag; /* NULL: none */
    } cases[] = {
        {"1fabc:h6vY", "1fabc"},
        {"a+/Z9:", "a+/Z9"},
        {"abc:def:ghi", "abc"},
        {"12345678901234567890:x", "12345678901234567890"},
        {"123456789012345678901:x", NULL},
        {"1fabc", NULL},
        {":h6vY", NULL},
        {"1f\xffq:h6vY", NULL},
        {"1f abc:h6vY", NULL},
        {"", NULL},
    };
    char out[ICE_UFRAG_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct built built = built_begin(TYPE_REQUEST);

        built_attribute(&built, AT_USERNAME, cases[i].username, strlen(cases[i].username));
        assert_int_equal(ice_find_ufrag(built.bytes, built.len, out), cases[i].ufrag != NULL);
        if (cases[i].ufrag)
            assert_string_equal(out, cases[i].ufrag);
    }
}

static void only_a_request_names_a_ufrag(void **state)
{
    struct built without = built_begin(TYPE_REQUEST), other = built_begin(TYPE_INDICATION),
                 with_nul = built_begin(TYPE_REQUEST);
    char out[ICE_UFRAG_TEXT];

    (void)state;
    built_attribute(&other, AT_USERNAME, "1fabc:h6vY", 10);
    built_attribute(&with_nul, AT_USERNAME, "1f\0bc:h6vY", 10);
    assert_false(ice_find_ufrag(without.bytes, without.len, out));
    assert_false(ice_find_ufrag(other.bytes, other.len, out));
    assert_false(ice_find_ufrag(with_nul.bytes, with_nul.len, out));
    assert_false(ice_find_ufrag((const uint8_t *)"", 0, out));
}

/* ---- checks ---- */

static void a_check_is_answered_and_proves_its_path(void **state)
{
    struct rig *rig = rig_of(state);
    size_t len;

    assert_false(is_proven(rig, "192.0.2.1:5000"));
    len = check(rig, "192.0.2.1:5000");
    assert_int_equal(len, 64);
    assert_int_equal(reply_code(rig, len), 0);
    assert_true(is_proven(rig, "192.0.2.1:5000"));
    assert_false(is_proven(rig, "192.0.2.1:5001"));
    assert_false(is_proven(rig, "192.0.2.2:5000"));
    assert_int_equal(check(rig, "[2001:db8::1]:5000"), 76);
    assert_null(ice_selected(&rig->ice, rig->now_us));
}

static void a_nomination_selects(void **state)
{
    struct rig *rig = rig_of(state);

    assert_int_equal(check(rig, "192.0.2.1:5000"), 64);
    assert_int_equal(nominate(rig, "192.0.2.2:5000"), 64);
    assert_true(is_selected(rig, "192.0.2.2:5000"));
    assert_int_equal(nominate(rig, "192.0.2.1:5000"), 64);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
}

/* I1: USE-CANDIDATE from two sources. The newest has it, a plain check changes nothing. */
static void of_two_nominated_sources_the_newest_is_selected(void **state)
{
    struct rig *rig = rig_of(state);

    for (int i = 0; i < 20; i++) {
        rig->now_us += SECOND / 10;
        nominate(rig, "192.0.2.1:5000");
        assert_true(is_selected(rig, "192.0.2.1:5000"));
        nominate(rig, "192.0.2.2:5000");
        assert_true(is_selected(rig, "192.0.2.2:5000"));
        check(rig, "192.0.2.1:5000");
        assert_true(is_selected(rig, "192.0.2.2:5000"));
    }
    assert_int_equal(count_paths(rig), 2);
}

static void a_wrong_password_gets_silence_and_changes_nothing(void **state)
{
    struct rig *rig = rig_of(state);
    char wrong[ICE_PASSWORD_TEXT];

    nominate(rig, "192.0.2.1:5000");
    for (size_t i = 0; i < strlen(rig->ice.password); i++) {
        struct built built = begin_check(rig, AT_CONTROLLING);

        memcpy(wrong, rig->ice.password, sizeof(wrong));
        wrong[i] ^= 1;
        built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
        built_integrity(&built, wrong);
        built_fingerprint(&built);
        assert_silence(rig, &built);
    }
    assert_true(is_selected(rig, "192.0.2.1:5000"));
}

static void an_unknown_user_gets_silence(void **state)
{
    struct rig *rig = rig_of(state);
    char names[7][64];

    snprintf(names[0], 64, "%s:other", rig->ice.ufrag);
    snprintf(names[1], 64, "%s:h6vYx", rig->ice.ufrag);
    snprintf(names[2], 64, "%s:h6v", rig->ice.ufrag);
    snprintf(names[3], 64, "%s", rig->ice.ufrag);
    snprintf(names[4], 64, "h6vY:%s", rig->ice.ufrag);
    snprintf(names[5], 64, "%.19s_:h6vY", rig->ice.ufrag);
    snprintf(names[6], 64, "%s;h6vY", rig->ice.ufrag);
    for (size_t i = 0; i < 7; i++) {
        struct built built = built_begin(TYPE_REQUEST);

        built_attribute(&built, AT_USERNAME, names[i], strlen(names[i]));
        built_number(&built, AT_CONTROLLING, 1, 8);
        end_check(rig, &built);
        assert_silence(rig, &built);
    }
}

static void without_username_or_integrity_there_is_silence(void **state)
{
    struct rig *rig = rig_of(state);
    struct built nameless = built_begin(TYPE_REQUEST), bare = begin_check(rig, AT_CONTROLLING);

    built_number(&nameless, AT_CONTROLLING, 1, 8);
    end_check(rig, &nameless);
    assert_silence(rig, &nameless);
    built_fingerprint(&bare);
    assert_silence(rig, &bare);
}

/* The name proves nothing where it stands after what the sum covers. */
static void a_username_after_the_integrity_is_none(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = built_begin(TYPE_REQUEST);
    char username[64];

    snprintf(username, sizeof(username), "%s:h6vY", rig->ice.ufrag);
    built_integrity(&built, rig->ice.password);
    built_attribute(&built, AT_USERNAME, username, strlen(username));
    built_fingerprint(&built);
    assert_silence(rig, &built);
}

static void a_nomination_after_the_integrity_is_none(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = begin_check(rig, AT_CONTROLLING);
    struct ice_route from = udp("192.0.2.1:5000");

    built_integrity(&built, rig->ice.password);
    built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
    built_fingerprint(&built);
    assert_int_equal(input(rig, &from, &built), 64);
    assert_null(ice_selected(&rig->ice, rig->now_us));
}

static void what_is_no_request_gets_silence(void **state)
{
    static const uint16_t types[] = {0x0011, 0x0101, 0x0111, 0x0003, 0x0113};
    struct rig *rig = rig_of(state);
    struct ice_route from = udp("192.0.2.1:5000");

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct built built = begin_check(rig, AT_CONTROLLING);

        built.bytes[0] = (uint8_t)(types[i] >> 8);
        built.bytes[1] = (uint8_t)types[i];
        end_check(rig, &built);
        assert_int_equal(input(rig, &from, &built), 0);
    }
    assert_int_equal(count_paths(rig), 0);
}

static void a_check_cut_short_gets_silence_at_every_byte(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = make_check(rig, true), cut = built;
    struct ice_route from = udp("192.0.2.1:5000");

    for (cut.len = 0; cut.len < built.len; cut.len++)
        assert_int_equal(input(rig, &from, &cut), 0);
    assert_int_equal(count_paths(rig), 0);
    assert_int_equal(input(rig, &from, &built), 64);
}

static void every_bit_of_a_check_counts(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = make_check(rig, true), wrong;
    struct ice_route from = udp("192.0.2.1:5000");

    for (size_t bit = 0; bit < built.len * 8; bit++) {
        wrong = built;
        wrong.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        input(rig, &from, &wrong);
        /* A fingerprint by another type is one more attribute after the sum: of no account. */
        if (bit / 8 < built.len - 8)
            assert_int_equal(count_paths(rig), 0);
    }
}

static void an_unknown_required_attribute_gets_420(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route from = udp("192.0.2.1:5000");

    for (unsigned count = 1; count < 20; count++) {
        struct built built = begin_check(rig, AT_CONTROLLING);
        size_t len;

        built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
        for (unsigned i = 0; i < count; i++)
            built_attribute(&built, (uint16_t)(0x7000 + i), NULL, 0);
        end_check(rig, &built);
        len = input(rig, &from, &built);
        assert_int_equal(reply_code(rig, len), 420);
    }
    assert_int_equal(count_paths(rig), 0);
    assert_null(ice_selected(&rig->ice, rig->now_us));
}

static void an_unknown_optional_attribute_is_skipped(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = begin_check(rig, AT_CONTROLLING);
    struct ice_route from = udp("192.0.2.1:5000");

    built_number(&built, 0xc057, 0x00010032, 4);
    built_number(&built, 0xc001, 3, 4);
    end_check(rig, &built);
    assert_int_equal(input(rig, &from, &built), 64);
}

static void a_role_conflict_gets_487(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = begin_check(rig, AT_CONTROLLED);
    struct ice_route from = udp("192.0.2.1:5000");
    size_t len;

    built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
    end_check(rig, &built);
    len = input(rig, &from, &built);
    assert_int_equal(reply_code(rig, len), 487);
    assert_int_equal(count_paths(rig), 0);
    assert_int_equal(nominate(rig, "192.0.2.1:5000"), 64);
}

static void both_roles_get_400_and_none_is_taken(void **state)
{
    struct rig *rig = rig_of(state);
    struct built both = begin_check(rig, AT_CONTROLLED), none = begin_check(rig, 0);
    struct ice_route from = udp("192.0.2.1:5000");
    size_t len;

    built_number(&both, AT_CONTROLLING, 1, 8);
    end_check(rig, &both);
    len = input(rig, &from, &both);
    assert_int_equal(reply_code(rig, len), 400);
    assert_int_equal(count_paths(rig), 0);
    end_check(rig, &none);
    assert_int_equal(input(rig, &from, &none), 64);
}

/* I2: with a long name nothing real is shorter than its answer, but a peer may try. */
static void a_request_shorter_than_its_answer_gets_silence(void **state)
{
    struct rig *rig = rig_of(state);
    struct built built = built_begin(TYPE_REQUEST);
    struct ice_route v4 = udp("192.0.2.1:5000"), v6 = udp("[2001:db8::1]:5000");

    /* The shortest that is authentic: 20 + 8 + 24 bytes, of a session with tiny names. */
    memcpy(rig->ice.ufrag, "1f", 3);
    memcpy(rig->ice.remote_ufrag, "u", 2);
    built_attribute(&built, AT_USERNAME, "1f:u", 4);
    built_integrity(&built, rig->ice.password);
    assert_int_equal(input(rig, &v4, &built), 0);
    assert_int_equal(input(rig, &v6, &built), 0);
    assert_int_equal(count_paths(rig), 0);

    built = built_begin(TYPE_REQUEST);
    built_attribute(&built, AT_USERNAME, "1f:u", 4);
    built_number(&built, AT_CONTROLLING, 1, 8);
    built_integrity(&built, rig->ice.password);
    assert_int_equal(input(rig, &v4, &built), 64);
    assert_int_equal(input(rig, &v6, &built), 0);
    assert_false(is_proven(rig, "[2001:db8::1]:5000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_ice_chars_and_name_the_loop),
        cmocka_unit_test(a_remote_ufrag_has_a_limit),
        cmocka_unit_test(a_loop_is_read_of_two_digits_alone),
        cmocka_unit_test(the_ufrag_of_a_request_is_found),
        cmocka_unit_test(only_a_request_names_a_ufrag),
        TEST(a_check_is_answered_and_proves_its_path),
        TEST(a_nomination_selects),
        TEST(of_two_nominated_sources_the_newest_is_selected),
        TEST(a_wrong_password_gets_silence_and_changes_nothing),
        TEST(an_unknown_user_gets_silence),
        TEST(without_username_or_integrity_there_is_silence),
        TEST(a_username_after_the_integrity_is_none),
        TEST(a_nomination_after_the_integrity_is_none),
        TEST(what_is_no_request_gets_silence),
        TEST(a_check_cut_short_gets_silence_at_every_byte),
        TEST(every_bit_of_a_check_counts),
        TEST(an_unknown_required_attribute_gets_420),
        TEST(an_unknown_optional_attribute_is_skipped),
        TEST(a_role_conflict_gets_487),
        TEST(both_roles_get_400_and_none_is_taken),
        TEST(a_request_shorter_than_its_answer_gets_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
