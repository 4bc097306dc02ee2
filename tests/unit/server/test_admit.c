/* Who may watch, until when: one loop, a real store, viewers that only remember what they are told.
 */
#include <stdatomic.h>

#include "auth/auth.h"
#include "media/packager.h"
#include "media/stream.h"
#include "server/admit.h"
#include "server/directory.h"
#include "server/server.h"
#include "server/usage.h"
#include "unit/base/skipped_clock.h"
#include "unit/db/store_fixture.h"

enum { TURN_US = 500, SECOND_US = 1000000 };

static const struct feed_kind kinds[] = {
    {&packager_rtp, {1 << 20, 2 * SECOND_US}, 0},
    {.packager = NULL},
};

static struct {
    struct fixture *store;
    char key_path[128];
    struct server server;
    struct worker worker;
    struct loop_timer tick;
    struct stream *stream;
} scene;

struct viewer {
    struct admission admission;
    unsigned verdict_count, revoke_count;
    enum verdict verdict;
    char rule[32], detail[200];
};

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct viewer *viewer = (struct viewer *)(void *)admission;

    viewer->verdict_count++;
    viewer->verdict = verdict;
    snprintf(viewer->rule, sizeof(viewer->rule), "%s", admission->rule);
    snprintf(viewer->detail, sizeof(viewer->detail), "%s", admission->detail);
    assert_int_equal(admission->view != NULL, verdict == VERDICT_ALLOW);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    assert_true(*reason);
    ((struct viewer *)(void *)admission)->revoke_count++;
}

static void on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void turn(void)
{
    for (unsigned i = 0; i < 3; i++) {
        loop_timer_start(&scene.tick, TURN_US);
        loop_run(scene.worker.loop);
    }
}

static void pass(int64_t us)
{
    skipped_us += us;
    turn();
}

/* As server/worker.c does, without what viewers don't need. */
static void worker_begin(void)
{
    struct worker *worker = &scene.worker;

    *worker = (struct worker){
        .server = &scene.server, .loop = scene.store->loop, .reader = scene.store->reader};
    list_init(&worker->grants);
    assert_int_equal(map_init(&worker->directory), 0);
    assert_int_equal(usage_new(&worker->usage), 0);
    assert_int_equal(hub_new(&worker->hub, worker->loop, kinds), 0);
    hub_join(&worker->hub, 1);
    assert_non_null(hub_add(worker->hub, "front-door"));
    worker->env = (struct egress_env){.loop = worker->loop, .owner = worker};
    loop_timer_init(&scene.tick, worker->loop, on_tick);
}

static int setup(void **state)
{
    struct store_camera camera = fixture_camera("cam_1", "agt_a", "front-door");
    void *store;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    assert_int_equal(fixture_setup(&store), 0);
    scene.store = store;
    assert_int_equal(fixture_put_agent(scene.store, "agt_a"), 0);
    assert_int_equal(fixture_put_camera(scene.store, &camera), 0);
    snprintf(scene.key_path, sizeof(scene.key_path), "%s/token.key", scene.store->folder);
    scene.server.store = scene.store->store;
    scene.server.workers = &scene.worker;
    scene.server.worker_count = 1;
    assert_int_equal(map_init(&scene.server.token_viewers), 0);
    assert_int_equal(auth_open(&scene.server.auth, scene.key_path), 0);
    worker_begin();
    scene.server.started_us = clock_mono_us() - 3600 * (int64_t)SECOND_US;
    return 0;
}

/* Whatever happened: nobody is counted, nothing is held. */
static int teardown(void **state)
{
    void *store = scene.store;

    (void)state;
    turn();
    for (unsigned i = 0; i < EGRESS_MAX; i++)
        assert_int_equal(atomic_load(&scene.server.viewers[i]), 0);
    assert_true(list_is_empty(&scene.worker.grants));
    assert_int_equal(scene.server.token_viewers.count, 0);
    if (hub_find(scene.worker.hub, "front-door"))
        assert_int_equal(hub_find(scene.worker.hub, "front-door")->user_count, 0);
    stream_close(scene.stream);
    hub_free(scene.worker.hub);
    usage_free(scene.worker.usage);
    directory_fini(&scene.worker);
    map_fini(&scene.server.token_viewers);
    auth_close(scene.server.auth);
    loop_drain(scene.worker.loop);
    unlink(scene.key_path);
    return fixture_teardown(&store);
}

static struct store_token token_of(const char *id)
{
    struct store_token token = {.created_s = 1};

    snprintf(token.id, sizeof(token.id), "%s", id);
    return token;
}

static void put_token(const struct store_token *token)
{
    store_token_put(scene.store->store, token, fixture_done(scene.store));
    assert_int_equal(fixture_wait(scene.store), 0);
}

static const struct egress *protocol(const char *name)
{
    for (unsigned i = 0; egress_all[i]; i++)
        if (strcmp(egress_all[i]->name, name) == 0)
            return egress_all[i];
    fail();
    return NULL;
}

/* Asks with the token of that id; "" shows none. */
static void ask_as(struct viewer *viewer, const char *token_id, const char *slug, bool may_be_early)
{
    char token[AUTH_TOKEN_TEXT] = "";

    memset(viewer, 0, sizeof(*viewer));
    if (*token_id)
        auth_token_text(scene.server.auth, token_id, token);
    viewer->admission = (struct admission){.egress = protocol("rtsp"),
                                           .slug = slug,
                                           .token = token,
                                           .may_be_early = may_be_early,
                                           .on_verdict = on_verdict,
                                           .on_revoked = on_revoked};
    assert_int_equal(addr_parse(&viewer->admission.peer, "198.51.100.7:4000"), 0);
    admit(&scene.worker.env, &viewer->admission);
}

static void ask(struct viewer *viewer, const char *token_id, bool may_be_early)
{
    ask_as(viewer, token_id, "front-door", may_be_early);
}

static void ask_for(struct viewer *viewer, const char *token_id, const char *slug)
{
    ask_as(viewer, token_id, slug, false);
}

static void leave(struct viewer *viewer)
{
    admit_leave(&scene.worker.env, &viewer->admission);
}

/* The camera's stream comes, with its tracks. */
static void go_live(void)
{
    struct tracks *tracks = tracks_new(1);

    assert_non_null(tracks);
    tracks->track[0] = (struct track){.codec = CODEC_H264, .clock_rate = 90000};
    assert_int_equal(stream_open(&scene.stream, scene.worker.hub, "front-door"), 0);
    stream_set_tracks(scene.stream, tracks);
    tracks_unref(tracks);
}

static struct view *view(void)
{
    return hub_find(scene.worker.hub, "front-door");
}

static unsigned viewers(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < EGRESS_MAX; i++)
        sum += atomic_load(&scene.server.viewers[i]);
    return sum;
}

static const char id[] = "0011223344556677";

static void a_live_camera_is_shown_at_once(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    go_live();
    ask(&viewer, id, false);
    assert_int_equal(viewer.verdict_count, 1);
    assert_int_equal(viewer.verdict, VERDICT_ALLOW);
    assert_ptr_equal(viewer.admission.view, view());
    assert_int_equal(viewers(), 1);
    assert_int_equal(view()->user_count, 1);
    leave(&viewer);
    leave(&viewer);
    assert_int_equal(viewers(), 0);
    assert_int_equal(view()->user_count, 0);
}

static void a_request_waits_for_its_camera_and_has_it_pulled(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    ask(&viewer, id, false);
    pass(9 * SECOND_US);
    assert_int_equal(viewer.verdict_count, 0);
    assert_int_equal(view()->user_count, 1);
    assert_int_equal(viewers(), 0);
    go_live();
    assert_int_equal(viewer.verdict_count, 1);
    assert_int_equal(viewer.verdict, VERDICT_ALLOW);
    pass(20 * SECOND_US);
    assert_int_equal(viewer.verdict_count, 1);
    leave(&viewer);
}

static void after_ten_seconds_it_is_told_what_the_matter_is(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_UNREACHABLE, "No route."));
    ask(&viewer, id, false);
    assert_int_equal(viewer.verdict_count, 0); /* it may come back within them */
    pass(11 * SECOND_US);
    assert_int_equal(viewer.verdict_count, 1);
    assert_int_equal(viewer.verdict, VERDICT_AWAY);
    assert_string_equal(viewer.rule, "unreachable");
    assert_string_equal(viewer.detail, "No route.");
}

static void what_does_not_mend_itself_is_not_waited_for(void **state)
{
    static const enum camera_state states[] = {CAMERA_UNAUTHORISED, CAMERA_UNSUPPORTED,
                                               CAMERA_AGENT_AWAY};
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(directory_put(&scene.worker, "front-door", states[i], "So it is."));
        ask(&viewer, id, false);
        assert_int_equal(viewer.verdict_count, 1);
        assert_int_equal(viewer.verdict, VERDICT_AWAY);
        assert_string_equal(viewer.rule, camera_state_name(states[i]));
    }
}

static void after_a_start_agents_have_time_to_come_back(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    scene.server.started_us = clock_mono_us();
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_AGENT_AWAY, "Away."));
    ask(&viewer, id, false);
    assert_int_equal(viewer.verdict_count, 0);
    admit_camera_failed(&scene.worker, "front-door");
    assert_int_equal(viewer.verdict_count, 0);
    go_live();
    assert_int_equal(viewer.verdict, VERDICT_ALLOW);
    leave(&viewer);
}

static void those_who_wait_learn_that_it_will_not_come(void **state)
{
    struct store_token token = token_of(id);
    struct viewer first, second;

    (void)state;
    put_token(&token);
    ask(&first, id, false);
    ask(&second, id, false);
    admit_camera_failed(&scene.worker, "front-door");
    assert_int_equal(first.verdict_count + second.verdict_count, 0);
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_UNAUTHORISED, "Refused."));
    admit_camera_failed(&scene.worker, "front-door");
    assert_int_equal(first.verdict, VERDICT_AWAY);
    assert_int_equal(second.verdict, VERDICT_AWAY);
    assert_string_equal(second.rule, "unauthorised");
}

/* It was live, and went to sleep. */
static void was_live(void)
{
    go_live();
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_LIVE, ""));
    stream_close(scene.stream);
    scene.stream = NULL;
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_IDLE, ""));
    assert_false(view()->is_live);
}

static void an_early_viewer_is_let_in_by_what_a_working_camera_sent_before(void **state)
{
    struct store_token token = token_of(id);
    struct viewer early, patient;

    (void)state;
    put_token(&token);
    was_live();
    ask(&early, id, true);
    ask(&patient, id, false);
    assert_int_equal(early.verdict, VERDICT_ALLOW);
    assert_int_equal(early.verdict_count, 1);
    assert_int_equal(patient.verdict_count, 0);
    go_live();
    assert_int_equal(patient.verdict, VERDICT_ALLOW);
    pass(20 * SECOND_US);
    assert_int_equal(early.verdict_count, 1);
    assert_int_equal(early.revoke_count, 0);
    leave(&early);
    leave(&patient);
}

static void an_early_viewer_goes_when_the_camera_does_not_come(void **state)
{
    struct store_token token = token_of(id);
    struct viewer first, second;

    (void)state;
    put_token(&token);
    was_live();
    ask(&first, id, true);
    pass(9 * SECOND_US);
    assert_int_equal(first.revoke_count, 0);
    pass(2 * SECOND_US);
    assert_int_equal(first.revoke_count, 1);
    leave(&first);
    ask(&second, id, true);
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_UNAUTHORISED, "Refused."));
    admit_camera_failed(&scene.worker, "front-door");
    assert_int_equal(second.revoke_count, 1);
    leave(&second);
}

static void nobody_is_early_for_a_camera_that_failed_last(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    was_live();
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_UNREACHABLE, ""));
    assert_non_null(directory_put(&scene.worker, "front-door", CAMERA_IDLE, ""));
    ask(&viewer, id, true);
    assert_int_equal(viewer.verdict_count, 0);
    leave(&viewer);
}

static void a_sub_stream_that_is_not_there_is_named(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    go_live();
    ask_for(&viewer, id, "front-door/sub");
    assert_int_equal(viewer.verdict_count, 1);
    assert_int_equal(viewer.verdict, VERDICT_ABSENT);
    assert_string_equal(viewer.rule, "profile");
    ask_for(&viewer, id, "back-door/sub"); /* who may not see a camera learns nothing of it */
    assert_int_not_equal(viewer.verdict, VERDICT_ABSENT);
}

static void a_viewer_that_goes_while_it_waits_is_forgotten(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    ask(&viewer, id, false);
    leave(&viewer);
    assert_int_equal(view()->user_count, 0);
    go_live();
    pass(20 * SECOND_US);
    assert_int_equal(viewer.verdict_count, 0);
}

static void bad_tokens_are_told_from_good_ones_for_something_else(void **state)
{
    struct store_token revoked = token_of("1111111111111111"), old = token_of("2222222222222222"),
                       early = token_of("3333333333333333"), scope = token_of("4444444444444444"),
                       other = token_of("5555555555555555");
    static const struct {
        const char *id;
        enum verdict verdict;
        const char *rule;
    } rows[] = {{"", VERDICT_NO_CREDENTIAL, "no-token"},
                {"9999999999999999", VERDICT_BAD_CREDENTIAL, "unknown"},
                {"1111111111111111", VERDICT_BAD_CREDENTIAL, "revoked"},
                {"2222222222222222", VERDICT_BAD_CREDENTIAL, "expired"},
                {"3333333333333333", VERDICT_BAD_CREDENTIAL, "not-yet"},
                {"4444444444444444", VERDICT_DENIED, "scope"},
                {"5555555555555555", VERDICT_DENIED, "protocol"}};
    struct viewer viewer;

    (void)state;
    old.expires_s = clock_wall_us() / SECOND_US - 1;
    early.not_before_s = clock_wall_us() / SECOND_US + 60;
    snprintf(scope.cameras, sizeof(scope.cameras), "cam_9");
    snprintf(other.protocols, sizeof(other.protocols), "hls");
    put_token(&revoked);
    store_token_revoke(scene.store->store, revoked.id, fixture_done(scene.store));
    assert_int_equal(fixture_wait(scene.store), 0);
    put_token(&old);
    put_token(&early);
    put_token(&scope);
    put_token(&other);
    go_live();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ask(&viewer, rows[i].id, false);
        assert_int_equal(viewer.verdict_count, 1);
        assert_int_equal(viewer.verdict, rows[i].verdict);
        assert_string_equal(viewer.rule, rows[i].rule);
        assert_null(viewer.admission.grant);
    }
}

static void a_token_for_one_viewer_is_free_again_when_it_leaves(void **state)
{
    struct store_token token = token_of(id);
    struct viewer first, second, third;

    (void)state;
    token.viewers_max = 1;
    put_token(&token);
    go_live();
    ask(&first, id, false);
    ask(&second, id, false);
    assert_int_equal(first.verdict_count, 0); /* the first loop is asked */
    turn();
    assert_int_equal(first.verdict, VERDICT_ALLOW);
    assert_int_equal(second.verdict, VERDICT_TOO_MANY);
    leave(&first);
    ask(&third, id, false);
    turn();
    assert_int_equal(third.verdict, VERDICT_ALLOW);
    leave(&third);
}

static void a_viewer_that_goes_while_it_is_counted_takes_no_place(void **state)
{
    struct store_token token = token_of(id);
    struct viewer first, second;

    (void)state;
    token.viewers_max = 1;
    put_token(&token);
    go_live();
    ask(&first, id, false);
    leave(&first);
    turn();
    assert_int_equal(first.verdict_count, 0);
    ask(&second, id, false);
    turn();
    assert_int_equal(second.verdict, VERDICT_ALLOW);
    leave(&second);
}

static void revoking_ends_the_tokens_viewers_and_no_others(void **state)
{
    struct store_token token = token_of(id), kept = token_of("8888888888888888");
    struct viewer first, second, other;

    (void)state;
    put_token(&token);
    put_token(&kept);
    go_live();
    ask(&first, id, false);
    ask(&second, id, false);
    ask(&other, kept.id, false);
    admit_revoke(&scene.worker, id, NULL, "The token was revoked.");
    admit_revoke(&scene.worker, id, NULL, "The token was revoked.");
    assert_int_equal(first.revoke_count, 1);
    assert_int_equal(second.revoke_count, 1);
    assert_int_equal(other.revoke_count, 0);
    leave(&first);
    leave(&second);
    admit_revoke(&scene.worker, NULL, "front-door", "The camera was removed.");
    assert_int_equal(other.revoke_count, 1);
    leave(&other);
}

static void revoking_refuses_those_who_wait(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    ask(&viewer, id, false);
    admit_revoke(&scene.worker, id, NULL, "The token was revoked.");
    assert_int_equal(viewer.verdict_count, 1);
    assert_int_equal(viewer.verdict, VERDICT_BAD_CREDENTIAL);
    assert_int_equal(viewer.revoke_count, 0);
}

static void an_expired_token_ends_its_viewers_within_a_tick(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    token.expires_s = clock_wall_us() / SECOND_US + 60;
    put_token(&token);
    go_live();
    ask(&viewer, id, false);
    admit_tick(&scene.worker);
    assert_int_equal(viewer.revoke_count, 0);
    pass(61 * SECOND_US);
    admit_tick(&scene.worker);
    admit_tick(&scene.worker);
    assert_int_equal(viewer.revoke_count, 1);
    leave(&viewer);
}

static void a_server_that_drains_takes_nobody(void **state)
{
    struct store_token token = token_of(id);
    struct viewer viewer;

    (void)state;
    put_token(&token);
    go_live();
    scene.worker.is_draining = true;
    ask(&viewer, id, false);
    assert_int_equal(viewer.verdict, VERDICT_OVERLOADED);
    leave(&viewer);
}

static void digest_learns_the_token_of_an_id_that_exists(void **state)
{
    struct store_token token = token_of(id);
    char text[TOKEN_TEXT], expected[AUTH_TOKEN_TEXT];

    (void)state;
    assert_false(admit_token_by_id(&scene.worker.env, id, text));
    put_token(&token);
    assert_true(admit_token_by_id(&scene.worker.env, id, text));
    auth_token_text(scene.server.auth, id, expected);
    assert_string_equal(text, expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_live_camera_is_shown_at_once),
        TEST(a_request_waits_for_its_camera_and_has_it_pulled),
        TEST(after_ten_seconds_it_is_told_what_the_matter_is),
        TEST(what_does_not_mend_itself_is_not_waited_for),
        TEST(after_a_start_agents_have_time_to_come_back),
        TEST(those_who_wait_learn_that_it_will_not_come),
        TEST(an_early_viewer_is_let_in_by_what_a_working_camera_sent_before),
        TEST(an_early_viewer_goes_when_the_camera_does_not_come),
        TEST(nobody_is_early_for_a_camera_that_failed_last),
        TEST(a_sub_stream_that_is_not_there_is_named),
        TEST(a_viewer_that_goes_while_it_waits_is_forgotten),
        TEST(bad_tokens_are_told_from_good_ones_for_something_else),
        TEST(a_token_for_one_viewer_is_free_again_when_it_leaves),
        TEST(a_viewer_that_goes_while_it_is_counted_takes_no_place),
        TEST(revoking_ends_the_tokens_viewers_and_no_others),
        TEST(revoking_refuses_those_who_wait),
        TEST(an_expired_token_ends_its_viewers_within_a_tick),
        TEST(a_server_that_drains_takes_nobody),
        TEST(digest_learns_the_token_of_an_id_that_exists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
