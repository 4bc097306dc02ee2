/* What an agent keeps on disk: numbers only go up, keys stay private, what is broken is said. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/state.h"

struct place {
    char folder[64], path[96];
    struct state *state;
};

static void open_state(struct place *place)
{
    assert_int_equal(state_open(&place->state, place->path), 0);
}

static void open_again(struct place *place)
{
    state_close(place->state);
    open_state(place);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/culvert-state-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof(place->path), "%s/a/b", place->folder);
    open_state(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    state_close(place->state);
    (void)snprintf(command, sizeof(command), "rm -rf %s", place->folder);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static void put_file(const struct place *place, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", place->path, name);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static unsigned mode_of(const struct place *place, const char *name)
{
    char path[256];
    struct stat found;

    (void)snprintf(path, sizeof(path), "%s/%s", place->path, name);
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 0777;
}

static void an_identity_is_read_as_it_was_written(void **state)
{
    struct place *place = *state;
    struct identity identity = {.agent_id = "agt_1", .name = "the house", .host = "h", .port = 443},
                    got;

    memset(identity.key, 0xa5, sizeof(identity.key));
    memset(identity.pin, 0x5a, sizeof(identity.pin));
    identity.seal_key[31] = 7;
    assert_int_equal(state_read_identity(place->state, &got), -ENOENT);
    assert_int_equal(state_write_identity(place->state, &identity), 0);
    open_again(place);
    assert_int_equal(state_read_identity(place->state, &got), 0);
    assert_memory_equal(&got, &identity, sizeof(got));
}

static void nobody_else_may_read_it(void **state)
{
    struct place *place = *state;
    struct identity identity = {.agent_id = "a", .name = "n", .host = "h", .port = 1};

    (void)umask(0);
    assert_int_equal(state_write_identity(place->state, &identity), 0);
    assert_int_equal(mode_of(place, "identity"), 0600);
    assert_int_equal(mode_of(place, ""), 0700);
}

static void a_broken_identity_is_said_to_be_broken(void **state)
{
    static const char *const broken[] = {"", "agent = a\n", "garbage", "agent = a\nname = n\nhost"};
    struct place *place = *state;
    struct identity identity = {.agent_id = "a", .name = "n", .host = "h", .port = 1}, got;
    char text[4096];

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        put_file(place, "identity", broken[i]);
        assert_int_equal(state_read_identity(place->state, &got), -ERR_PROTOCOL);
    }
    assert_int_equal(state_write_identity(place->state, &identity), 0);
    assert_int_equal(state_read_file(place->path, "identity", text, sizeof(text)), 0);
    for (size_t len = strlen(text) - 1; len-- > 0;) {
        text[len] = '\0';
        put_file(place, "identity", text);
        assert_int_equal(state_read_identity(place->state, &got), -ERR_PROTOCOL);
    }
}

static void a_second_agent_is_kept_out(void **state)
{
    struct place *place = *state;
    struct state *second;

    assert_int_equal(state_open(&second, place->path), -ERR_EXISTS);
    open_again(place);
}

static void a_place_that_can_not_be_is_an_error(void **state)
{
    struct place *place = *state;
    struct state *other;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/lock/x", place->path);
    assert_true(state_open(&other, path) < 0);
    assert_true(state_open(&other, "") < 0);
}

static uint64_t next_epoch(struct place *place)
{
    uint64_t epoch;

    assert_int_equal(state_next_epoch(place->state, &epoch), 0);
    return epoch;
}

static void epochs_only_go_up(void **state)
{
    struct place *place = *state;

    assert_int_equal(next_epoch(place), (1 << 20) + 1);
    assert_int_equal(next_epoch(place), (1 << 20) + 2);
    open_again(place);
    assert_int_equal(next_epoch(place), (2 << 20) + 1);
    put_file(place, "epoch", "nonsense");
    assert_int_equal(next_epoch(place), (2 << 20) + 2);
}

static void a_lost_epoch_goes_past_what_the_server_knows(void **state)
{
    struct place *place = *state;

    assert_int_equal(next_epoch(place), (1 << 20) + 1);
    state_raise_epoch(place->state, (77 << 20) + 5);
    assert_int_equal(next_epoch(place), (78 << 20) + 1);
    state_raise_epoch(place->state, 3); /* older news */
    assert_int_equal(next_epoch(place), (78 << 20) + 2);
    state_raise_epoch(place->state, UINT64_MAX); /* a lie */
    assert_int_equal(next_epoch(place), (78 << 20) + 3);
}

static void segment_numbers_are_never_used_twice(void **state)
{
    struct place *place = *state;
    int64_t first = state_first_segment(place->state, "cam_1", 2000000 * 100LL), next;

    assert_int_equal(first, 100);
    for (next = first; next < first + 500; next++)
        state_keep_segment(place->state, "cam_1", next + 1);
    open_again(place);
    first = state_first_segment(place->state, "cam_1", 0); /* a clock that went back to 1970 */
    assert_in_range(first, next, next + 130);
    assert_int_equal(state_first_segment(place->state, "cam_2", 0), 0);
    assert_int_equal(state_first_segment(place->state, "cam_1", 2000000 * 9999LL), 9999);
}

static void a_camera_id_never_leaves_the_directory(void **state)
{
    struct place *place = *state;
    char path[256];

    state_keep_segment(place->state, "../../escaped", 5);
    state_keep_segment(place->state, "", 5);
    (void)snprintf(path, sizeof(path), "%s/a/escaped", place->folder);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(path, sizeof(path), "%s/escaped", place->folder);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_PLACE(an_identity_is_read_as_it_was_written),
        IN_PLACE(nobody_else_may_read_it),
        IN_PLACE(a_broken_identity_is_said_to_be_broken),
        IN_PLACE(a_second_agent_is_kept_out),
        IN_PLACE(a_place_that_can_not_be_is_an_error),
        IN_PLACE(epochs_only_go_up),
        IN_PLACE(a_lost_epoch_goes_past_what_the_server_knows),
        IN_PLACE(segment_numbers_are_never_used_twice),
        IN_PLACE(a_camera_id_never_leaves_the_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
