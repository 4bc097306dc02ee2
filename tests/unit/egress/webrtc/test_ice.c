/* One viewer's ICE-lite agent with a clock of our own: honest viewers, moved ones, hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "egress/webrtc/ice.h"

#include "unit/egress/webrtc/stun_builder.h"

enum { SECOND = 1000000, LOOP = 0x1f };

struct rig {
    struct ice ice;
    int64_t now_us;
    uint8_t reply[STUN_REPLY_MAX];
};

static struct rig *rig_of(void **state)
{
    return *state;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    rig->now_us = 1000 * (int64_t)SECOND;
    *state = rig;
    return ice_init(&rig->ice, LOOP, "h6vY", rig->now_us);
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct ice_route udp(const char *text)
{
    return (struct ice_route){.remote = built_addr(text)};
}

/* A request as the RFC has it but for its end; role is a type of attribute, 0 for none. */
static struct built begin_check(const struct rig *rig, uint16_t role)
{
    struct built built = built_begin(TYPE_REQUEST);
    char username[ICE_UFRAG_TEXT + UFRAG_TEXT];

    snprintf(username, sizeof(username), "%s:%s", rig->ice.ufrag, rig->ice.remote_ufrag);
    built_attribute(&built, AT_USERNAME, username, strlen(username));
    if (role)
        built_number(&built, role, 0x1122334455667788, 8);
    built_number(&built, AT_PRIORITY, 0x6e0001ff, 4);
    return built;
}

static void end_check(const struct rig *rig, struct built *built)
{
    built_integrity(built, rig->ice.password);
    built_fingerprint(built);
}

static struct built make_check(const struct rig *rig, bool is_nominating)
{
    struct built built = begin_check(rig, AT_CONTROLLING);

    if (is_nominating)
        built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
    end_check(rig, &built);
    return built;
}

/* Whatever goes in, no more comes out. */
static size_t input(struct rig *rig, const struct ice_route *from, const struct built *built)
{
    uint8_t *exact = malloc(built->len ? built->len : 1);
    size_t len;

    assert_non_null(exact);
    memcpy(exact, built->bytes, built->len);
    len = ice_input(&rig->ice, from, exact, built->len, rig->reply, rig->now_us);
    free(exact);
    assert_true(len <= built->len);
    return len;
}

static size_t check_route(struct rig *rig, const struct ice_route *from, bool is_nominating)
{
    struct built built = make_check(rig, is_nominating);

    return input(rig, from, &built);
}

static size_t check(struct rig *rig, const char *from)
{
    struct ice_route route = udp(from);

    return check_route(rig, &route, false);
}

static size_t nominate(struct rig *rig, const char *from)
{
    struct ice_route route = udp(from);

    return check_route(rig, &route, true);
}

static bool is_selected(const struct rig *rig, const char *text)
{
    const struct ice_route *route = ice_selected(&rig->ice, rig->now_us);
    struct addr want = built_addr(text);

    return route && !route->tcp && addr_is_same(&route->remote, &want);
}

static bool is_proven(const struct rig *rig, const char *text)
{
    struct ice_route route = udp(text);

    return ice_is_proven(&rig->ice, &route);
}

static unsigned count_paths(const struct rig *rig)
{
    unsigned count = 0;

    for (int i = 0; i < ICE_PATHS_MAX; i++)
        count += rig->ice.paths[i].checked_us != 0;
    return count;
}

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

static void assert_silence(struct rig *rig, const struct built *built)
{
    struct ice_route from = udp("192.0.2.66:6666");
    uint64_t refused = rig->ice.refused;
    struct ice before = rig->ice;

    assert_int_equal(input(rig, &from, built), 0);
    assert_true(rig->ice.refused == refused + 1);
    rig->ice.refused = refused;
    assert_memory_equal(&rig->ice, &before, sizeof(before));
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

/* ---- paths ---- */

static void a_thousand_addresses_get_four_paths(void **state)
{
    struct rig *rig = rig_of(state);
    char text[ADDR_TEXT];

    nominate(rig, "192.0.2.1:5000");
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "198.51.100.%u:%u", i % 250, 2000 + i);
        rig->now_us += 1000;
        assert_int_equal(check(rig, text), i < ICE_PATHS_MAX - 1 ? 64 : 0);
        assert_int_equal(nominate(rig, "192.0.2.1:5000"), 64);
        assert_true(is_selected(rig, "192.0.2.1:5000"));
    }
    assert_int_equal(count_paths(rig), ICE_PATHS_MAX);
    assert_true(rig->ice.refused == 1000 - (ICE_PATHS_MAX - 1));
}

/* Even with USE-CANDIDATE: a place is not to be had by asking louder. */
static void a_nomination_finds_no_place_among_live_paths(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    check(rig, "192.0.2.2:5000");
    check(rig, "192.0.2.3:5000");
    check(rig, "192.0.2.4:5000");
    assert_int_equal(nominate(rig, "192.0.2.5:5000"), 0);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    assert_false(is_proven(rig, "192.0.2.5:5000"));
}

static void the_stalest_path_is_replaced_after_five_seconds(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    check(rig, "192.0.2.2:5000");
    rig->now_us += 1;
    check(rig, "192.0.2.4:5000");
    check(rig, "192.0.2.3:5000");
    rig->now_us += ICE_STALE_US - 2;
    assert_int_equal(check(rig, "192.0.2.5:5000"), 0);
    rig->now_us += 2;
    assert_int_equal(check(rig, "192.0.2.5:5000"), 64);
    assert_false(is_proven(rig, "192.0.2.2:5000"));
    assert_true(is_proven(rig, "192.0.2.3:5000"));
    assert_true(is_proven(rig, "192.0.2.1:5000"));
}

static void the_selected_path_is_kept_until_its_consent_ends(void **state)
{
    struct rig *rig = rig_of(state);
    char text[ADDR_TEXT];

    /* Of the other family, so that none of them looks like the viewer moved. */
    nominate(rig, "[2001:db8::1]:5000");
    for (unsigned i = 0; i < 29; i++) {
        rig->now_us += SECOND;
        snprintf(text, sizeof(text), "198.51.100.%u:7000", i);
        check(rig, text);
        assert_true(is_selected(rig, "[2001:db8::1]:5000"));
    }
    rig->now_us += SECOND;
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_true(is_proven(rig, "[2001:db8::1]:5000"));
    for (unsigned i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "203.0.113.%u:7000", i);
        check(rig, text);
    }
    assert_false(is_proven(rig, "[2001:db8::1]:5000"));
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_int_equal(rig->ice.selected, -1);
}

static void a_mapped_address_is_the_same_path(void **state)
{
    struct rig *rig = rig_of(state);
    const struct ice_route *route;

    assert_int_equal(nominate(rig, "192.0.2.1:5000"), 64);
    assert_true(is_proven(rig, "[::ffff:192.0.2.1]:5000"));
    assert_int_equal(check(rig, "[::ffff:192.0.2.1]:5000"), 64);
    assert_int_equal(count_paths(rig), 1);
    assert_false(is_proven(rig, "[64:ff9b::192.0.2.1]:5000"));
    assert_false(is_proven(rig, "[2002:c000:201::]:5000"));

    /* What is sent goes by the socket that the last check came by. */
    route = ice_selected(&rig->ice, rig->now_us);
    assert_int_equal(route->remote.storage.ss_family, AF_INET6);
}

/* ---- moved viewers ---- */

static void a_rebound_viewer_is_followed_once_its_old_path_is_silent(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    rig->now_us += SECOND / 2;
    check(rig, "192.0.2.1:6000");
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    rig->now_us += SECOND / 2;
    check(rig, "192.0.2.1:6000");
    assert_true(is_selected(rig, "192.0.2.1:6000"));

    /* And again, straight away after a longer pause. */
    rig->now_us += 3 * SECOND;
    check(rig, "203.0.113.9:7000");
    assert_true(is_selected(rig, "203.0.113.9:7000"));
}

static void a_viewer_whose_old_path_speaks_is_not_followed(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    for (int i = 0; i < 20; i++) {
        rig->now_us += SECOND / 2;
        check(rig, "192.0.2.1:6000");
        assert_true(is_selected(rig, "192.0.2.1:5000"));
        rig->now_us += SECOND / 4;
        check(rig, "192.0.2.1:5000");
    }
    /* A path of old is a spare, which browsers check now and then, and no new address. */
    rig->now_us += 2 * SECOND;
    check(rig, "192.0.2.1:6000");
    assert_true(is_selected(rig, "192.0.2.1:5000"));
}

static void a_path_of_another_kind_is_not_followed(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route tcp = {.remote = built_addr("192.0.2.1:6000"), .tcp = rig};

    nominate(rig, "192.0.2.1:5000");
    rig->now_us += 2 * SECOND;
    assert_int_equal(check_route(rig, &tcp, false), 64);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    check(rig, "[2001:db8::1]:6000");
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    check(rig, "[::ffff:192.0.2.1]:6001");
    assert_true(is_selected(rig, "192.0.2.1:6001"));
}

static void nothing_is_followed_before_a_nomination(void **state)
{
    struct rig *rig = rig_of(state);

    check(rig, "192.0.2.1:5000");
    rig->now_us += 2 * SECOND;
    check(rig, "192.0.2.1:6000");
    assert_null(ice_selected(&rig->ice, rig->now_us));
}

/* I4: only an authentic check moves a viewer. */
static void a_forged_check_moves_no_one(void **state)
{
    struct rig *rig = rig_of(state);
    struct built forged = begin_check(rig, AT_CONTROLLING);

    nominate(rig, "192.0.2.1:5000");
    rig->now_us += 10 * SECOND;
    built_attribute(&forged, AT_USE_CANDIDATE, NULL, 0);
    built_integrity(&forged, "not the password");
    built_fingerprint(&forged);
    assert_silence(rig, &forged);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
}

/* ---- consent ---- */

static void consent_ends_after_thirty_seconds(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    rig->now_us += 20 * SECOND;
    check(rig, "192.0.2.1:5000");
    rig->now_us += ICE_CONSENT_US - 1;
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
    rig->now_us += 1;
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_true(ice_has_expired(&rig->ice, rig->now_us));
    check(rig, "192.0.2.1:5000");
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
}

static void a_viewer_that_never_checks_expires(void **state)
{
    struct rig *rig = rig_of(state);
    struct built wrong = begin_check(rig, AT_CONTROLLED);
    struct ice_route from = udp("192.0.2.1:5000");

    end_check(rig, &wrong);
    rig->now_us += ICE_CONSENT_US - 1;
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
    assert_int_not_equal(input(rig, &from, &wrong), 0); /* 487 */
    rig->now_us += 1;
    assert_true(ice_has_expired(&rig->ice, rig->now_us));
}

static void another_path_keeps_the_viewer_but_not_the_media(void **state)
{
    struct rig *rig = rig_of(state);

    nominate(rig, "192.0.2.1:5000");
    check(rig, "192.0.2.2:5000");
    for (int i = 0; i < 8; i++) {
        rig->now_us += 4 * SECOND;
        check(rig, "192.0.2.2:5000");
    }
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
}

/* ---- TCP ---- */

static void a_connection_is_a_path_of_its_own(void **state)
{
    struct rig *rig = rig_of(state);
    struct addr addr = built_addr("192.0.2.1:5000");
    struct ice_route udp_route = {addr, NULL}, first = {addr, &rig->now_us},
                     second = {addr, rig->reply};

    assert_int_equal(check_route(rig, &first, true), 64);
    assert_true(ice_is_proven(&rig->ice, &first));
    assert_false(ice_is_proven(&rig->ice, &second));
    assert_false(ice_is_proven(&rig->ice, &udp_route));
    assert_ptr_equal(ice_selected(&rig->ice, rig->now_us)->tcp, first.tcp);
    assert_int_equal(check_route(rig, &second, false), 64);
    assert_int_equal(check_route(rig, &udp_route, false), 64);
    assert_int_equal(count_paths(rig), 3);
    ice_forget_tcp(&rig->ice, NULL);
    assert_int_equal(count_paths(rig), 3);
}

static void a_closed_connection_is_forgotten(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route tcp = {built_addr("192.0.2.1:5000"), rig};

    check(rig, "192.0.2.3:5000");
    nominate(rig, "192.0.2.1:5000");
    nominate(rig, "192.0.2.2:5000");
    rig->now_us += SECOND;
    nominate(rig, "192.0.2.1:5000");
    check(rig, "192.0.2.3:5000");
    check_route(rig, &tcp, true);
    ice_forget_tcp(&rig->ice, rig);
    assert_false(ice_is_proven(&rig->ice, &tcp));
    assert_true(is_selected(rig, "192.0.2.1:5000")); /* the newest of those nominated */
    ice_forget_tcp(&rig->ice, rig);
    assert_int_equal(count_paths(rig), 3);
}

static void a_viewer_may_connect_again(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route tcp = {built_addr("192.0.2.1:5000"), rig};

    rig->now_us += 60 * SECOND;
    check_route(rig, &tcp, true);
    ice_forget_tcp(&rig->ice, rig);
    assert_null(ice_selected(&rig->ice, rig->now_us));
    rig->now_us += ICE_CONSENT_US - 1;
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
    rig->now_us += 1;
    assert_true(ice_has_expired(&rig->ice, rig->now_us));
}

/* ---- restart ---- */

static void a_restart_keeps_the_path_until_a_new_nomination(void **state)
{
    struct rig *rig = rig_of(state);
    struct built old = make_check(rig, true);
    struct ice before = rig->ice;
    struct ice_route from = udp("192.0.2.9:5000");

    check(rig, "192.0.2.2:5000");
    nominate(rig, "192.0.2.1:5000");
    assert_int_equal(ice_restart(&rig->ice, LOOP, "new1"), 0);
    assert_string_not_equal(rig->ice.ufrag, before.ufrag);
    assert_string_not_equal(rig->ice.password, before.password);
    assert_int_equal(ice_loop_of(rig->ice.ufrag), LOOP);
    assert_int_equal(input(rig, &from, &old), 0);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    assert_false(is_proven(rig, "192.0.2.2:5000"));

    rig->now_us += 2 * SECOND;
    assert_int_equal(check(rig, "192.0.2.3:5000"), 64);
    assert_true(is_selected(rig, "192.0.2.1:5000"));
    nominate(rig, "192.0.2.3:5000");
    assert_true(is_selected(rig, "192.0.2.3:5000"));
}

static void a_restart_that_fails_changes_nothing(void **state)
{
    struct rig *rig = rig_of(state);
    char text[UFRAG_TEXT + 1];
    struct ice before;

    memset(text, 'u', sizeof(text));
    text[UFRAG_TEXT] = '\0';
    nominate(rig, "192.0.2.1:5000");
    before = rig->ice;
    assert_int_equal(ice_restart(&rig->ice, LOOP, text), -ERR_TOO_LONG);
    assert_int_equal(ice_restart(&rig->ice, 256, "new1"), -ERR_TOO_MANY);
    assert_memory_equal(&rig->ice, &before, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(a_thousand_addresses_get_four_paths),
        TEST(a_nomination_finds_no_place_among_live_paths),
        TEST(the_stalest_path_is_replaced_after_five_seconds),
        TEST(the_selected_path_is_kept_until_its_consent_ends),
        TEST(a_mapped_address_is_the_same_path),
        TEST(a_rebound_viewer_is_followed_once_its_old_path_is_silent),
        TEST(a_viewer_whose_old_path_speaks_is_not_followed),
        TEST(a_path_of_another_kind_is_not_followed),
        TEST(nothing_is_followed_before_a_nomination),
        TEST(a_forged_check_moves_no_one),
        TEST(consent_ends_after_thirty_seconds),
        TEST(a_viewer_that_never_checks_expires),
        TEST(another_path_keeps_the_viewer_but_not_the_media),
        TEST(a_connection_is_a_path_of_its_own),
        TEST(a_closed_connection_is_forgotten),
        TEST(a_viewer_may_connect_again),
        TEST(a_restart_keeps_the_path_until_a_new_nomination),
        TEST(a_restart_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
