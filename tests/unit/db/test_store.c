/* The store's tables: what goes in comes out, and what must not go in is refused. */
#include "unit/db/store_fixture.h"

static void an_agent_comes_back_as_it_was_put(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &out), 0);
    assert_string_equal(out.name, "Shed");
    assert_int_equal(out.key[31], 'a');
    assert_int_equal(out.seal_key[64], 4);
    assert_int_equal(out.epoch, 7);
    assert_true(out.created_s > 0);
    assert_int_equal(out.revoked_s, 0);
    assert_string_equal(out.version, "1.0");
    assert_string_equal(out.system, "linux");
    assert_int_equal(store_agent_find(fixture->reader, "agt_x", &out), -ERR_NOT_FOUND);
}

static void an_agent_is_found_by_its_key(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent agent = fixture_agent("agt_b"), out;

    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
    assert_int_equal(store_agent_find_by_key(fixture->reader, agent.key, &out), 0);
    assert_string_equal(out.id, "agt_b");
    agent.key[0] ^= 1;
    assert_int_equal(store_agent_find_by_key(fixture->reader, agent.key, &out), -ERR_NOT_FOUND);
}

static void two_agents_cannot_have_one_key(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent agent = fixture_agent("agt_c");

    assert_int_equal(fixture_put_agent(fixture, "agt_c"), 0);
    snprintf(agent.id, sizeof(agent.id), "agt_d");
    store_agent_put(fixture->store, &agent, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_EXISTS);
}

static void an_epoch_never_goes_down(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    store_agent_seen(fixture->store, "agt_a", 99, "2.0", "bsd");
    store_agent_seen(fixture->store, "agt_a", 50, "2.1", "bsd");
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &out), 0);
    assert_int_equal(out.epoch, 99);
    assert_true(out.seen_s > 0);
}

static void revoked_agents_are_not_counted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t count = 9;

    assert_int_equal(store_agent_count(fixture->reader, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
    store_agent_revoke(fixture->store, "agt_a", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_agent_count(fixture->reader, &count), 0);
    assert_int_equal(count, 1);
}

static void a_revocation_is_not_taken_back_by_a_put(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent agent;
    struct store_token token = {.id = "0011223344556677"}, out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    store_agent_revoke(fixture->store, "agt_a", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &agent), 0);
    assert_true(agent.revoked_s > 0);

    store_token_put(fixture->store, &token, fixture_done(fixture));
    store_token_revoke(fixture->store, token.id, fixture_done(fixture));
    store_token_put(fixture->store, &token, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_token_find(fixture->reader, token.id, &out), 0);
    assert_true(out.revoked_s > 0);
}

static void revoking_what_is_not_there_says_so(void **state)
{
    struct fixture *fixture = *state;

    store_agent_revoke(fixture->store, "agt_x", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_NOT_FOUND);
    store_token_revoke(fixture->store, "ffff", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_NOT_FOUND);
    store_camera_delete(fixture->store, "cam_x", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_NOT_FOUND);
}

static int enrol(struct fixture *fixture, uint8_t hash, const char *id)
{
    struct store_agent agent = fixture_agent(id);
    uint8_t bytes[32];

    memset(bytes, hash, sizeof(bytes));
    store_agent_enrol(fixture->store, bytes, &agent, fixture_done(fixture));
    return fixture_wait(fixture);
}

static int put_code(struct fixture *fixture, uint8_t hash, int64_t expires_s)
{
    struct store_code code = {.agent_name = "Barn", .expires_s = expires_s};

    memset(code.hash, hash, sizeof(code.hash));
    store_code_put(fixture->store, &code, fixture_done(fixture));
    return fixture_wait(fixture);
}

static void a_code_enrols_one_agent_by_the_codes_name(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_s = clock_wall_us() / 1000000;
    struct store_agent out;

    assert_int_equal(put_code(fixture, 1, now_s + 900), 0);
    assert_int_equal(enrol(fixture, 1, "agt_e"), 0);
    assert_int_equal(store_agent_find(fixture->reader, "agt_e", &out), 0);
    assert_string_equal(out.name, "Barn");
    assert_int_equal(enrol(fixture, 1, "agt_f"), -ERR_DENIED);
    assert_int_equal(store_agent_find(fixture->reader, "agt_f", &out), -ERR_NOT_FOUND);
}

static void an_old_or_unknown_code_enrols_nobody(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(put_code(fixture, 2, clock_wall_us() / 1000000 - 1), 0);
    assert_int_equal(enrol(fixture, 2, "agt_e"), -ERR_DENIED);
    assert_int_equal(enrol(fixture, 3, "agt_e"), -ERR_DENIED);
}

static void a_failed_enrolment_does_not_use_the_code_up(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent same_key = fixture_agent("agt_a");
    uint8_t hash[32];

    memset(hash, 4, sizeof(hash));
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(put_code(fixture, 4, clock_wall_us() / 1000000 + 900), 0);
    snprintf(same_key.id, sizeof(same_key.id), "agt_other");
    store_agent_enrol(fixture->store, hash, &same_key, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_EXISTS);
    assert_int_equal(enrol(fixture, 4, "agt_e"), 0);
}

static void waiting_codes_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct store_code code = {.expires_s = clock_wall_us() / 1000000 + 900};

    for (uint32_t i = 0; i < 1000; i++) {
        memcpy(code.hash, &i, sizeof(i));
        store_code_put(fixture->store, &code, fixture_done(fixture));
        if (i % 500 == 0)
            assert_int_equal(fixture_wait(fixture), 0);
    }
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(put_code(fixture, 0xff, code.expires_s), -ERR_TOO_MANY);
}

static void a_camera_comes_back_as_it_was_put(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_1", "agt_a", "front-door"), out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    assert_int_equal(store_camera_find(fixture->reader, "cam_1", &out), 0);
    assert_string_equal(out.slug, "front-door");
    assert_string_equal(out.url_shown, "192.168.1.10:554/main");
    assert_int_equal(out.sealed.len, 100);
    assert_memory_equal(out.sealed.bytes, camera.sealed.bytes, 100);
    assert_int_equal(out.sealed_sub.len, 0);
    assert_int_equal(out.tracks.len, 0);
    assert_int_equal(out.revision, 1);
    assert_true(out.is_always_on);
    assert_int_equal(store_camera_find_by_slug(fixture->reader, "front-door", &out), 0);
    assert_string_equal(out.id, "cam_1");
    assert_int_equal(store_camera_find_by_slug(fixture->reader, "Front-door", &out),
                     -ERR_NOT_FOUND);
    assert_int_equal(store_camera_find_by_slug(fixture->reader, "%", &out), -ERR_NOT_FOUND);
}

static void a_camera_needs_its_agent_and_a_slug_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_1", "agt_x", "front-door");

    assert_int_equal(fixture_put_camera(fixture, &camera), -ERR_NOT_FOUND);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    camera = fixture_camera("cam_1", "agt_a", "front-door");
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    camera = fixture_camera("cam_2", "agt_a", "front-door");
    assert_int_equal(fixture_put_camera(fixture, &camera), -ERR_EXISTS);
}

static void a_change_over_an_old_revision_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_1", "agt_a", "front-door"), out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    camera.revision = 1;
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    assert_int_equal(fixture_put_camera(fixture, &camera), -ERR_EXISTS);
    assert_int_equal(store_camera_find(fixture->reader, "cam_1", &out), 0);
    assert_int_equal(out.revision, 2);
    store_camera_delete(fixture->store, "cam_1", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    camera.revision = 2;
    assert_int_equal(fixture_put_camera(fixture, &camera), -ERR_NOT_FOUND);
}

static void tracks_stay_through_a_change_of_the_camera(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_1", "agt_a", "front-door"), out;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    store_camera_set_tracks(fixture->store, "cam_1", "packed", 6);
    camera.revision = 1;
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    assert_int_equal(store_camera_find(fixture->reader, "cam_1", &out), 0);
    assert_int_equal(out.tracks.len, 6);
    assert_memory_equal(out.tracks.bytes, "packed", 6);
}

struct seen {
    char ids[16][STORE_ID];
    size_t count, stop_at;
};

static bool see_camera(void *owner, const struct store_camera *camera)
{
    struct seen *seen = owner;

    snprintf(seen->ids[seen->count++], STORE_ID, "%s", camera->id);
    return seen->count != seen->stop_at;
}

static void lists_are_paged_in_order_of_id(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    for (char c = 'e'; c >= 'a'; c--) {
        char id[] = "cam_?", slug[] = "slug-?";
        struct store_camera camera;

        id[4] = slug[5] = c;
        camera = fixture_camera(id, "agt_a", slug);
        assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    }
    assert_int_equal(store_camera_list(fixture->reader, "", 2, see_camera, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.ids[1], "cam_b");
    assert_int_equal(store_camera_list(fixture->reader, "cam_b", 100, see_camera, &seen), 0);
    assert_int_equal(seen.count, 5);
    assert_string_equal(seen.ids[4], "cam_e");
    seen = (struct seen){.stop_at = 1};
    assert_int_equal(store_camera_list_of(fixture->reader, "agt_a", "", see_camera, &seen), 0);
    assert_int_equal(seen.count, 1);
    seen = (struct seen){0};
    assert_int_equal(store_camera_list_of(fixture->reader, "agt_b", "", see_camera, &seen), 0);
    assert_int_equal(seen.count, 0);
}

static void sql_in_every_text_is_only_text(void **state)
{
    static const char evil[] = "x'); DROP TABLE token; --\"%_\\;\n\t\xf0\x9f\x98\x80";
    struct fixture *fixture = *state;
    struct store_token token = {.expires_s = INT64_MAX, .viewers_max = UINT32_MAX};
    struct store_token out = {0};
    struct store_agent agent = fixture_agent("agt_a");

    snprintf(token.id, sizeof(token.id), "%.31s", evil);
    snprintf(token.label, sizeof(token.label), "%s", evil);
    snprintf(token.cameras, sizeof(token.cameras), "%s", evil);
    snprintf(token.agent_id, sizeof(token.agent_id), "%.31s", evil);
    snprintf(token.protocols, sizeof(token.protocols), "%s", evil);
    snprintf(token.networks, sizeof(token.networks), "%s", evil);
    snprintf(token.origins, sizeof(token.origins), "%s", evil);
    snprintf(agent.name, sizeof(agent.name), "%s", evil);
    snprintf(agent.id, sizeof(agent.id), "%.31s", evil);
    store_token_put(fixture->store, &token, fixture_done(fixture));
    store_agent_put(fixture->store, &agent, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_token_find(fixture->reader, token.id, &out), 0);
    token.created_s = out.created_s;
    assert_memory_equal(&token, &out, sizeof(out));
    assert_int_equal(store_agent_find(fixture->reader, agent.id, &agent), 0);
    assert_string_equal(agent.name, evil);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(an_agent_comes_back_as_it_was_put),
        T(an_agent_is_found_by_its_key),
        T(two_agents_cannot_have_one_key),
        T(an_epoch_never_goes_down),
        T(revoked_agents_are_not_counted),
        T(a_revocation_is_not_taken_back_by_a_put),
        T(revoking_what_is_not_there_says_so),
        T(a_code_enrols_one_agent_by_the_codes_name),
        T(an_old_or_unknown_code_enrols_nobody),
        T(a_failed_enrolment_does_not_use_the_code_up),
        T(waiting_codes_are_bounded),
        T(a_camera_comes_back_as_it_was_put),
        T(a_camera_needs_its_agent_and_a_slug_of_its_own),
        T(a_change_over_an_old_revision_is_refused),
        T(tracks_stay_through_a_change_of_the_camera),
        T(lists_are_paged_in_order_of_id),
        T(sql_in_every_text_is_only_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
