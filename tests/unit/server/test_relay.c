/* Which cameras are pulled, and when: one loop, agents that only remember what they were asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/relay.h"
#include "unit/base/skipped_clock.h"

enum { TURN_US = 500, SECOND_US = 1000000 };

struct agent {
    struct relay_agent side; /* first: a side's agent */
    unsigned starts, stops, changes, drops, releases;
    char camera_id[STORE_ID]; /* of the last start or stop */
    uint8_t ticket[RELAY_TICKET];
    struct loop_task leave;
};

static struct {
    struct loop *loop;
    struct loop_timer tick;
    struct relay *relay;
    unsigned news;
    enum camera_state told; /* last, */
    char told_text[192];    /* in these words */
} scene;

static void on_start(struct relay_agent *side, const char *camera_id,
                     const uint8_t ticket[RELAY_TICKET])
{
    struct agent *agent = (struct agent *)(void *)side;

    agent->starts++;
    snprintf(agent->camera_id, sizeof(agent->camera_id), "%s", camera_id);
    memcpy(agent->ticket, ticket, RELAY_TICKET);
}

static void on_stop(struct relay_agent *side, const char *camera_id)
{
    struct agent *agent = (struct agent *)(void *)side;

    agent->stops++;
    snprintf(agent->camera_id, sizeof(agent->camera_id), "%s", camera_id);
}

static void on_cameras_changed(struct relay_agent *side)
{
    ((struct agent *)(void *)side)->changes++;
}

static void on_drop(struct relay_agent *side, const char *reason)
{
    assert_true(*reason);
    ((struct agent *)(void *)side)->drops++;
}

static void on_released(struct relay_agent *side)
{
    ((struct agent *)(void *)side)->releases++;
}

static struct agent agent_of(const char *id, uint64_t epoch)
{
    struct agent agent = {.side = {.epoch = epoch,
                                   .start = on_start,
                                   .stop = on_stop,
                                   .cameras_changed = on_cameras_changed,
                                   .drop = on_drop}};

    snprintf(agent.side.id, sizeof(agent.side.id), "%s", id);
    return agent;
}

static void on_state(void *owner, const char *slug, enum camera_state state, const char *text)
{
    (void)owner;
    assert_true(*slug);
    scene.news++;
    scene.told = state;
    snprintf(scene.told_text, sizeof(scene.told_text), "%s", text);
}

static void on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void turn(void)
{
    loop_timer_start(&scene.tick, TURN_US);
    loop_run(scene.loop);
}

static void pass(int64_t us)
{
    skipped_us += us;
    turn();
    turn();
}

static int setup(void **state)
{
    struct relay_env env = {.on_state = on_state};

    (void)state;
    memset(&scene, 0, sizeof(scene));
    assert_int_equal(loop_new(&scene.loop, 0), 0);
    loop_timer_init(&scene.tick, scene.loop, on_tick);
    env.loop = scene.loop;
    assert_int_equal(relay_new(&scene.relay, &env), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relay_free(scene.relay);
    loop_drain(scene.loop);
    loop_free(scene.loop);
    return 0;
}

static void put_camera(const char *id, const char *agent_id, bool is_always_on)
{
    struct store_camera camera = {.is_always_on = is_always_on};

    snprintf(camera.id, sizeof(camera.id), "%s", id);
    snprintf(camera.agent_id, sizeof(camera.agent_id), "%s", agent_id);
    snprintf(camera.slug, sizeof(camera.slug), "slug-%s", id);
    relay_camera_put(scene.relay, &camera);
}

static void come(struct agent *agent)
{
    relay_agent_here(scene.relay, &agent->side);
    turn();
}

static void run_gone(struct loop_task *task)
{
    struct agent *agent = (struct agent *)(void *)((char *)task - offsetof(struct agent, leave));

    relay_agent_gone(scene.relay, &agent->side, on_released);
}

/* Its connection ends, on its loop. */
static void go(struct agent *agent)
{
    agent->leave.run = run_gone;
    loop_post(scene.loop, &agent->leave);
    for (unsigned releases = agent->releases; agent->releases == releases;)
        turn();
}

static void watch(unsigned hub_index, const char *slug, bool has_users)
{
    relay_view_users(scene.relay, hub_index, slug, has_users);
    turn();
}

static enum camera_state state_of(const char *id)
{
    const char *text;

    return relay_camera_state_of(scene.relay, id, &text);
}

static void a_camera_is_pulled_from_its_first_viewer_until_15_s_after_its_last(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", false);
    come(&agent);
    assert_int_equal(agent.starts, 0);
    watch(0, "slug-c", true);
    assert_int_equal(agent.starts, 1);
    assert_string_equal(agent.camera_id, "c");
    assert_int_equal(state_of("c"), CAMERA_STARTING);
    relay_lane_here(scene.relay, "c");
    watch(3, "slug-c", true);
    watch(0, "slug-c", false);
    pass(20 * SECOND_US);
    assert_int_equal(agent.stops, 0); /* one loop has viewers still */
    watch(3, "slug-c", false);
    pass(14 * SECOND_US);
    assert_int_equal(agent.stops, 0);
    pass(2 * SECOND_US);
    assert_int_equal(agent.stops, 1);
    assert_int_equal(agent.starts, 1);
    assert_int_equal(state_of("c"), CAMERA_IDLE);
}

static void a_viewer_that_returns_in_time_finds_it_running(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", false);
    come(&agent);
    watch(0, "slug-c", true);
    relay_lane_here(scene.relay, "c");
    watch(0, "slug-c", false);
    pass(10 * SECOND_US);
    watch(1, "slug-c", true);
    pass(30 * SECOND_US);
    assert_int_equal(agent.starts, 1);
    assert_int_equal(agent.stops, 0);
}

static void an_agent_that_returns_is_asked_again_with_another_ticket(void **state)
{
    struct agent agent = agent_of("a", 1);
    uint8_t first[RELAY_TICKET];

    (void)state;
    put_camera("c", "a", true);
    assert_int_equal(state_of("c"), CAMERA_AGENT_AWAY);
    come(&agent);
    assert_int_equal(agent.starts, 1);
    memcpy(first, agent.ticket, sizeof(first));
    go(&agent);
    assert_int_equal(agent.releases, 1);
    assert_int_equal(state_of("c"), CAMERA_AGENT_AWAY);
    assert_false(relay_agent_is_online(scene.relay, "a"));
    agent = agent_of("a", 2);
    come(&agent);
    assert_int_equal(agent.starts, 1);
    assert_memory_not_equal(first, agent.ticket, sizeof(first));
    go(&agent);
}

static void a_start_that_nothing_came_of_is_sent_again(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", true);
    come(&agent);
    pass(14 * SECOND_US);
    assert_int_equal(agent.starts, 1);
    pass(2 * SECOND_US);
    assert_int_equal(agent.starts, 2);
    relay_lane_here(scene.relay, "c");
    pass(20 * SECOND_US);
    assert_int_equal(agent.starts, 2);
}

static void a_lost_lane_is_asked_for_again_unless_another_has_replaced_it(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", true);
    come(&agent);
    relay_lane_here(scene.relay, "c");
    relay_lane_here(scene.relay, "c");
    relay_lane_gone(scene.relay, "c");
    turn();
    pass(SECOND_US);
    assert_int_equal(agent.starts, 1);
    relay_lane_gone(scene.relay, "c");
    turn();
    assert_int_equal(agent.starts, 1);
    pass(SECOND_US);
    assert_int_equal(agent.starts, 2);
}

static void the_newest_connection_of_an_agent_wins(void **state)
{
    struct agent old = agent_of("a", 5), new = agent_of("a", 6), late = agent_of("a", 4);

    (void)state;
    put_camera("c", "a", true);
    come(&old);
    come(&new);
    assert_int_equal(old.drops, 1);
    assert_int_equal(new.starts, 1);
    come(&late);
    assert_int_equal(late.drops, 1);
    assert_int_equal(late.starts, 0);
    go(&late);
    go(&old);
    assert_int_equal(old.releases, 1);
    assert_int_equal(late.releases, 1);
    assert_true(relay_agent_is_online(scene.relay, "a"));
    assert_int_equal(relay_agents_online(scene.relay), 1);
    assert_int_equal(state_of("c"), CAMERA_STARTING);
    go(&new);
    assert_false(relay_agent_is_online(scene.relay, "a"));
}

static void an_agent_speaks_for_its_own_cameras_only(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", true);
    come(&agent);
    relay_camera_state(scene.relay, "b", "c", CAMERA_UNREACHABLE, "A lie.");
    relay_camera_state(scene.relay, "a", "none", CAMERA_UNREACHABLE, "Of nothing.");
    turn();
    assert_int_equal(state_of("c"), CAMERA_STARTING);
    relay_camera_state(scene.relay, "a", "c", CAMERA_UNREACHABLE, "No route to the camera.");
    turn();
    assert_int_equal(state_of("c"), CAMERA_UNREACHABLE);
    assert_int_equal(scene.told, CAMERA_UNREACHABLE);
    assert_string_equal(scene.told_text, "No route to the camera.");
}

static void what_was_said_already_is_no_news_and_long_texts_are_cut(void **state)
{
    struct agent agent = agent_of("a", 1);
    char text[400];
    unsigned before;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put_camera("c", "a", true);
    come(&agent);
    relay_camera_state(scene.relay, "a", "c", CAMERA_LIVE, text);
    turn();
    assert_int_equal(strlen(scene.told_text), 191);
    before = scene.news;
    relay_camera_state(scene.relay, "a", "c", CAMERA_LIVE, text);
    turn();
    assert_int_equal(scene.news, before);
    relay_camera_state(scene.relay, "a", "c", CAMERA_LIVE, "");
    turn();
    assert_int_equal(scene.news, before + 1);
    assert_string_equal(scene.told_text, "Pictures are flowing.");
}

static void a_ticket_is_good_for_its_camera_and_its_minute(void **state)
{
    struct agent agent = agent_of("a", 1);

    (void)state;
    put_camera("c", "a", true);
    come(&agent);
    assert_int_equal(relay_check_ticket(scene.relay, "c", agent.ticket), 0);
    assert_int_equal(relay_check_ticket(scene.relay, "d", agent.ticket), -ERR_DENIED);
    skipped_us += 61 * SECOND_US;
    assert_int_equal(relay_check_ticket(scene.relay, "c", agent.ticket), -ERR_DENIED);
}

static void a_camera_that_is_removed_is_stopped_and_its_agent_told(void **state)
{
    struct agent agent = agent_of("a", 1);
    char slug[SLUG_MAX];

    (void)state;
    put_camera("c", "a", true);
    come(&agent);
    agent.changes = 0;
    assert_true(relay_camera_slug(scene.relay, "c", slug));
    assert_string_equal(slug, "slug-c");
    relay_camera_remove(scene.relay, "c");
    assert_int_equal(agent.stops, 1);
    assert_int_equal(agent.changes, 1);
    assert_false(relay_camera_slug(scene.relay, "c", slug));
    relay_camera_remove(scene.relay, "c");
    pass(20 * SECOND_US);
    assert_int_equal(agent.starts, 1);
}

static void a_sub_stream_is_a_source_of_its_own(void **state)
{
    struct store_camera camera = {.id = "c", .agent_id = "a", .slug = "door", .is_always_on = true};
    struct agent agent = agent_of("a", 1);
    char slug[SLUG_MAX];

    (void)state;
    camera.sealed_sub.len = 1;
    relay_camera_put(scene.relay, &camera);
    come(&agent);
    assert_int_equal(agent.starts, 1); /* always on is the main stream */
    assert_string_equal(agent.camera_id, "c");
    relay_view_users(scene.relay, 0, "door/sub", true);
    turn();
    assert_int_equal(agent.starts, 2);
    assert_string_equal(agent.camera_id, "c_sub");
    assert_int_equal(relay_check_ticket(scene.relay, "c_sub", agent.ticket), 0);
    assert_int_equal(relay_check_ticket(scene.relay, "c", agent.ticket), -ERR_DENIED);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_STARTING), 1); /* one camera */
    camera.sealed_sub.len = 0;
    relay_camera_put(scene.relay, &camera);
    assert_int_equal(agent.stops, 1);
    assert_false(relay_camera_slug(scene.relay, "c_sub", slug));
    assert_true(relay_camera_slug(scene.relay, "c", slug));
}

static void a_camera_that_changes_agents_follows_the_new_one(void **state)
{
    struct agent a = agent_of("a", 1), b = agent_of("b", 1);

    (void)state;
    put_camera("c", "a", true);
    come(&a);
    come(&b);
    relay_camera_remove(scene.relay, "c");
    put_camera("c", "b", true);
    assert_int_equal(a.stops, 1);
    assert_int_equal(b.starts, 1);
    assert_int_equal(b.changes, 1);
}

/* The sum over all states is the number of cameras, whatever happened to them. */
static void cameras_are_counted_by_state(void **state)
{
    struct agent agent = agent_of("a", 1);
    size_t sum = 0;

    (void)state;
    put_camera("c", "a", true);
    put_camera("d", "a", false);
    put_camera("e", "b", false);
    put_camera("c", "a", true);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_AGENT_AWAY), 3);
    come(&agent);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_AGENT_AWAY), 1);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_STARTING), 1);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_IDLE), 1);
    relay_camera_state(scene.relay, "a", "c", CAMERA_LIVE, "");
    turn();
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_STARTING), 0);
    assert_int_equal(relay_cameras_in(scene.relay, CAMERA_LIVE), 1);
    relay_camera_remove(scene.relay, "c");
    for (unsigned i = 0; i < CAMERA_STATES; i++)
        sum += relay_cameras_in(scene.relay, (enum camera_state)i);
    assert_int_equal(sum, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_camera_is_pulled_from_its_first_viewer_until_15_s_after_its_last),
        TEST(a_viewer_that_returns_in_time_finds_it_running),
        TEST(an_agent_that_returns_is_asked_again_with_another_ticket),
        TEST(a_start_that_nothing_came_of_is_sent_again),
        TEST(a_lost_lane_is_asked_for_again_unless_another_has_replaced_it),
        TEST(the_newest_connection_of_an_agent_wins),
        TEST(an_agent_speaks_for_its_own_cameras_only),
        TEST(what_was_said_already_is_no_news_and_long_texts_are_cut),
        TEST(a_ticket_is_good_for_its_camera_and_its_minute),
        TEST(a_camera_that_is_removed_is_stopped_and_its_agent_told),
        TEST(a_sub_stream_is_a_source_of_its_own),
        TEST(a_camera_that_changes_agents_follows_the_new_one),
        TEST(cameras_are_counted_by_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
