/* Which addresses the agent knows, where media goes, and for how long: moved viewers, lost ones. */
#include "unit/egress/webrtc/ice_rig.h"

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

/* libnice sends no checks once it is connected: its reports are all that comes. */
static void an_authentic_report_is_as_good_as_a_check(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route from = udp("192.0.2.1:5000");

    nominate(rig, "192.0.2.1:5000");
    for (int i = 0; i < 100; i++) {
        rig->now_us += ICE_CONSENT_US - 1;
        assert_true(is_selected(rig, "192.0.2.1:5000"));
        assert_false(ice_has_expired(&rig->ice, rig->now_us));
        ice_heard(&rig->ice, &from, rig->now_us);
    }
    rig->now_us += ICE_CONSENT_US;
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_true(ice_has_expired(&rig->ice, rig->now_us));
}

static void a_report_proves_no_new_path(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route stranger = udp("198.51.100.1:5000");

    nominate(rig, "192.0.2.1:5000");
    rig->now_us += ICE_CONSENT_US;
    ice_heard(&rig->ice, &stranger, rig->now_us);
    assert_false(is_proven(rig, "198.51.100.1:5000"));
    assert_int_equal(count_paths(rig), 1);
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_true(ice_has_expired(&rig->ice, rig->now_us));
}

/* Nor does it move the media: that takes a check. */
static void a_report_by_another_path_keeps_the_viewer_but_not_the_media(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route spare = udp("192.0.2.2:5000");

    nominate(rig, "192.0.2.1:5000");
    check(rig, "192.0.2.2:5000");
    for (int i = 0; i < 8; i++) {
        rig->now_us += 4 * SECOND;
        ice_heard(&rig->ice, &spare, rig->now_us);
    }
    assert_null(ice_selected(&rig->ice, rig->now_us));
    assert_false(ice_has_expired(&rig->ice, rig->now_us));
}

static void a_viewer_that_reports_from_its_old_path_is_not_followed(void **state)
{
    struct rig *rig = rig_of(state);
    struct ice_route old = udp("192.0.2.1:5000");

    nominate(rig, "192.0.2.1:5000");
    for (int i = 0; i < 20; i++) {
        rig->now_us += SECOND / 2;
        ice_heard(&rig->ice, &old, rig->now_us);
        rig->now_us += SECOND / 4;
        check(rig, "192.0.2.1:6000");
        assert_true(is_selected(rig, "192.0.2.1:5000"));
    }
}

/* ---- TCP ---- */

static void a_connection_is_a_path_of_its_own(void **state)
{
    struct rig *rig = rig_of(state);
    struct addr addr = built_addr("192.0.2.1:5000");
    struct ice_route udp_route = {.remote = addr}, first = {.remote = addr, .tcp = &rig->now_us},
                     second = {.remote = addr, .tcp = rig->reply};

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
    struct ice_route tcp = {built_addr("192.0.2.1:5000"), rig, NULL};

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
    struct ice_route tcp = {built_addr("192.0.2.1:5000"), rig, NULL};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(an_authentic_report_is_as_good_as_a_check),
        TEST(a_report_proves_no_new_path),
        TEST(a_report_by_another_path_keeps_the_viewer_but_not_the_media),
        TEST(a_viewer_that_reports_from_its_old_path_is_not_followed),
        TEST(a_connection_is_a_path_of_its_own),
        TEST(a_closed_connection_is_forgotten),
        TEST(a_viewer_may_connect_again),
        TEST(a_restart_keeps_the_path_until_a_new_nomination),
        TEST(a_restart_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
