/* WHEP's HTTP: methods, statuses, headers, and who may change a session. */
#include "unit/egress/webrtc/whep_rig.h"

#define SDP "Content-Type: application/sdp\r\n"
#define FRAGMENT "Content-Type: application/trickle-ice-sdpfrag\r\n"
#define BEARER(token) "Authorization: Bearer " token "\r\n"

static unsigned offer_with(const char *headers)
{
    return rig_ask("POST /whep/door", headers, rig.offer.text);
}

/* A session of the token "mine"; its address in out. */
static void begin(char out[256])
{
    assert_int_equal(offer_with(SDP BEARER("mine")), 201);
    snprintf(out, 256, "%.255s", rig_header("location"));
}

static unsigned change(const char *method, const char *location, const char *headers,
                       const char *body)
{
    char request[512];

    snprintf(request, sizeof(request), "%s %s", method, location);
    return rig_ask(request, headers, body);
}

static void an_offer_begins_a_session(void **state)
{
    char etag[64];

    (void)state;
    assert_int_equal(offer_with(SDP BEARER("mine")), 201);
    assert_string_equal(rig.token, "mine");
    assert_string_equal(rig_header("content-type"), "application/sdp");
    assert_string_equal(rig_header("accept-patch"), "application/trickle-ice-sdpfrag");
    assert_string_equal(rig_header("cache-control"), "no-store");
    assert_int_equal(strncmp(rig_header("location"), "/whep/door/n1/00", 16), 0);
    assert_non_null(strstr(rig_header("access-control-expose-headers"), "location"));
    assert_string_equal(rig_header("link"), "<stun:stun.example>; rel=\"ice-server\"");
    assert_int_equal(strncmp(rig.answered.body, "v=0\r\n", 5), 0);
    snprintf(etag, sizeof(etag), "\"%.60s\"", rig_attribute("ice-ufrag"));
    assert_string_equal(rig_header("etag"), etag);
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
}

/* Also one that can't show the picture: it hears. One transport is what we have, as the last
 * offer has not. */
static void every_client_we_know_is_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OFFER_NAMES; i++) {
        bool has_bundle = strcmp(offer_names[i], "gstreamer-without-bundle") != 0;
        bool has_picture = strcmp(offer_names[i], "firefox-without-h264") != 0;

        memset(&rig.offer, 0, sizeof(rig.offer));
        offer_file_read(&rig.offer, offer_names[i]);
        if (offer_with(SDP BEARER("mine")) != (has_bundle ? 201 : 400))
            fail_msg("%s: %s", offer_names[i], rig.answered.text);
        assert_int_equal(strstr(rig.answered.body, "m=video 9 ") != NULL,
                         has_picture && has_bundle);
    }
    assert_int_equal(egress_webrtc.count(rig.instance), OFFER_NAMES - 1);
}

static void a_type_may_have_parameters(void **state)
{
    (void)state;
    assert_int_equal(offer_with("Content-Type: Application/SDP; charset=utf-8\r\n"), 201);
}

static void the_token_may_stand_in_the_address(void **state)
{
    (void)state;
    assert_int_equal(rig_ask("POST /whep/door?token=shown", SDP, rig.offer.text), 201);
    assert_string_equal(rig.token, "shown");
    assert_int_equal(rig_ask("POST /whep/door", SDP, rig.offer.text), 201);
    assert_string_equal(rig.token, "");
}

static void what_is_no_offer_is_refused_before_anybody_is_asked(void **state)
{
    static char slug[256] = "POST /whep/", large[OFFER_MAX_BYTES + 2];

    (void)state;
    memset(slug + strlen(slug), 'x', SLUG_MAX);
    memset(large, 'v', sizeof(large) - 1);
    offer_with("Content-Type: text/plain\r\n");
    assert_problem(415, "");
    offer_with("");
    assert_problem(415, "");
    offer_with("Content-Type: application/sdpx\r\n");
    assert_problem(415, "");
    rig_ask("POST /whep/door", SDP, "v=0\r\nno offer\r\n");
    assert_problem(400, "offer");
    rig_ask("POST /whep/door", SDP, "");
    assert_problem(400, "offer");
    rig_ask(slug, SDP, rig.offer.text);
    assert_problem(404, "slug");
    rig_ask("POST /whep/door?profile=third", SDP, rig.offer.text);
    assert_problem(404, "profile");
    rig_ask("POST /whep/door", SDP, large);
    assert_int_equal(rig.answered.status, 413);
    assert_int_equal(rig.admit_count, 0);
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
}

static void a_verdict_has_its_status(void **state)
{
    static const struct {
        enum verdict verdict;
        unsigned status;
        bool has_retry;
    } rows[] = {
        {VERDICT_ABSENT, 404, false},         {VERDICT_NO_CREDENTIAL, 401, false},
        {VERDICT_BAD_CREDENTIAL, 401, false}, {VERDICT_DENIED, 403, false},
        {VERDICT_TOO_MANY, 429, true},        {VERDICT_AWAY, 503, true},
        {VERDICT_OVERLOADED, 503, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        rig.verdict = rows[i].verdict;
        offer_with(SDP);
        assert_problem(rows[i].status, "a-rule");
        assert_int_equal(*rig_header("retry-after") != '\0', rows[i].has_retry);
        assert_int_equal(*rig_header("www-authenticate") != '\0', rows[i].status == 401);
        assert_string_equal(rig_header("location"), "");
    }
    assert_int_equal(rig.leave_count, rig.admit_count);
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
}

static void a_camera_that_was_never_seen_is_away(void **state)
{
    struct tracks *tracks = rig.view->tracks;

    (void)state;
    rig.view->tracks = NULL;
    offer_with(SDP);
    assert_problem(503, "");
    rig.view->tracks = tracks;
}

static void pictures_that_browsers_cannot_play_are_refused_in_words(void **state)
{
    (void)state;
    rig.tracks->track[0].has_b_frames = true;
    offer_with(SDP);
    assert_problem(406, "b-frames");
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
    assert_int_equal(rig.leave_count, 1);
}

static void only_pages_that_the_token_names_may_read_the_answer(void **state)
{
    (void)state;
    rig.origins = "https://one.example https://two.example";
    assert_int_equal(offer_with(SDP "Origin: https://two.example\r\n"), 201);
    assert_string_equal(rig.origin, "https://two.example");
    assert_string_equal(rig_header("access-control-allow-origin"), "https://two.example");
    assert_non_null(strstr(rig_header("vary"), "origin"));
    assert_int_equal(offer_with(SDP "Origin: https://three.example\r\n"), 201);
    assert_string_equal(rig_header("access-control-allow-origin"), "");
}

static void a_page_may_ask_what_it_may_do(void **state)
{
    (void)state;
    assert_int_equal(rig_ask("OPTIONS /whep/door", "Origin: https://one.example\r\n", NULL), 204);
    assert_string_equal(rig_header("accept-post"), "application/sdp");
    assert_non_null(strstr(rig_header("access-control-allow-methods"), "PATCH"));
    assert_non_null(strstr(rig_header("access-control-allow-headers"), "authorization"));
    assert_string_equal(rig_header("access-control-allow-origin"), "https://one.example");
    assert_int_equal(rig_ask("OPTIONS /whep/door/n1/00ab", "", NULL), 204);
    assert_int_equal(rig.admit_count, 0);
}

static void other_methods_are_named(void **state)
{
    (void)state;
    assert_int_equal(rig_ask("GET /whep/door", "", NULL), 405);
    assert_non_null(strstr(rig_header("allow"), "POST"));
    assert_int_equal(rig_ask("POST /whep/door/n1/00ab", SDP, "x"), 405);
    assert_non_null(strstr(rig_header("allow"), "DELETE"));
    assert_non_null(strstr(rig_header("allow"), "PATCH"));
}

/* ---- sessions ---- */

static void trickled_candidates_are_taken_and_forgotten(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    assert_int_equal(change("PATCH", location, FRAGMENT BEARER("mine"),
                            "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"),
                     204);
    assert_int_equal(change("PATCH", location, FRAGMENT BEARER("mine"), "a=end-of-candidates\r\n"),
                     204);
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
}

static void a_restart_brings_new_credentials(void **state)
{
    static const char again[] = "a=ice-ufrag:new1\r\na=ice-pwd:0123456789abcdefghijklmn\r\n";
    char location[256], first[64], etag[64];

    (void)state;
    begin(location);
    snprintf(first, sizeof(first), "%.60s", rig_attribute("ice-ufrag"));
    assert_int_equal(change("PATCH", location, FRAGMENT BEARER("mine"), again), 200);
    assert_string_equal(rig_header("content-type"), "application/trickle-ice-sdpfrag");
    assert_string_not_equal(rig_attribute("ice-ufrag"), first);
    assert_true(strlen(rig_attribute("ice-pwd")) >= 22);
    snprintf(etag, sizeof(etag), "\"%.60s\"", rig_attribute("ice-ufrag"));
    assert_string_equal(rig_header("etag"), etag);
    /* The same once more is no restart. */
    assert_int_equal(change("PATCH", location, FRAGMENT BEARER("mine"), again), 204);
}

static void what_is_no_fragment_changes_nothing(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    change("PATCH", location, SDP BEARER("mine"), "a=end-of-candidates\r\n");
    assert_problem(415, "");
    change("PATCH", location, FRAGMENT BEARER("mine"), "\1\2\3");
    assert_problem(400, "fragment");
    change("PATCH", location, FRAGMENT BEARER("mine"), NULL);
    assert_problem(400, "fragment");
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
}

static void a_session_ends_once(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    assert_int_equal(change("DELETE", location, BEARER("mine"), NULL), 200);
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
    assert_int_equal(rig.leave_count, 1);
    change("DELETE", location, BEARER("mine"), NULL);
    assert_problem(404, "session");
    change("PATCH", location, FRAGMENT BEARER("mine"), "a=end-of-candidates\r\n");
    assert_problem(404, "session");
}

static void nobody_else_may_change_or_end_it(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    change("DELETE", location, BEARER("other"), NULL);
    assert_problem(403, "token");
    change("DELETE", location, "", NULL);
    assert_problem(403, "token");
    change("PATCH", location, FRAGMENT BEARER("min"), "a=ice-ufrag:evil\r\na=ice-pwd:x\r\n");
    assert_problem(403, "token");
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
}

static void sessions_that_are_not_there_are_not_found(void **state)
{
    static const char *const ids[] = {"x", "00", "zz0123", "010123456789abcdef", "ff0123"};
    char location[256], other[256];

    (void)state;
    begin(location);
    for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        snprintf(other, sizeof(other), "/whep/door/n1/%s", ids[i]);
        change("DELETE", other, BEARER("mine"), NULL);
        assert_problem(404, "session");
    }
    snprintf(other, sizeof(other), "/whep/door/n2/%s", strrchr(location, '/') + 1);
    change("DELETE", other, BEARER("mine"), NULL);
    assert_problem(404, "session");
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
}

/* ---- ends ---- */

static void who_hangs_up_while_we_ask_leaves_nothing(void **state)
{
    struct conn *conn = rig_connect();

    (void)state;
    rig.is_asked_later = true;
    rig_send(conn, "POST /whep/door", SDP, rig.offer.text);
    assert_int_equal(rig_answer(conn)->status, 0);
    assert_int_equal(egress_webrtc.count(rig.instance), 1);
    rig_hang_up(conn);
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
    assert_int_equal(rig.leave_count, 1);
}

static void an_answer_may_take_its_time(void **state)
{
    struct conn *conn = rig_connect();

    (void)state;
    rig.is_asked_later = true;
    rig_send(conn, "POST /whep/door", SDP, rig.offer.text);
    rig_decide(VERDICT_ALLOW);
    rig_turn();
    assert_int_equal(rig_answer(conn)->status, 201);
    rig_hang_up(conn);
    assert_int_equal(egress_webrtc.count(rig.instance), 1); /* it lives without its request */
}

static void a_revoked_token_ends_its_session(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    rig.asked->on_revoked(rig.asked, "revoked");
    assert_int_equal(egress_webrtc.count(rig.instance), 0);
    change("DELETE", location, BEARER("mine"), NULL);
    assert_problem(404, "session");
}

static void a_server_that_drains_takes_nobody(void **state)
{
    char location[256];

    (void)state;
    begin(location);
    egress_webrtc.drain(rig.instance);
    offer_with(SDP);
    assert_problem(503, "overloaded");
    assert_string_not_equal(rig_header("retry-after"), "");
    assert_int_equal(change("DELETE", location, BEARER("mine"), NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_offer_begins_a_session),
        TEST(every_client_we_know_is_answered),
        TEST(a_type_may_have_parameters),
        TEST(the_token_may_stand_in_the_address),
        TEST(what_is_no_offer_is_refused_before_anybody_is_asked),
        TEST(a_verdict_has_its_status),
        TEST(a_camera_that_was_never_seen_is_away),
        TEST(pictures_that_browsers_cannot_play_are_refused_in_words),
        TEST(only_pages_that_the_token_names_may_read_the_answer),
        TEST(a_page_may_ask_what_it_may_do),
        TEST(other_methods_are_named),
        TEST(trickled_candidates_are_taken_and_forgotten),
        TEST(a_restart_brings_new_credentials),
        TEST(what_is_no_fragment_changes_nothing),
        TEST(a_session_ends_once),
        TEST(nobody_else_may_change_or_end_it),
        TEST(sessions_that_are_not_there_are_not_found),
        TEST(who_hangs_up_while_we_ask_leaves_nothing),
        TEST(an_answer_may_take_its_time),
        TEST(a_revoked_token_ends_its_session),
        TEST(a_server_that_drains_takes_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
