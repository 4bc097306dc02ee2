/* The change log, who is told of it, batches of writes, metering and backups. */
#include <sqlite3.h>

#include "unit/db/store_fixture.h"

struct log {
    struct store_change rows[64];
    size_t count;
};

static bool see(void *owner, const struct store_change *change)
{
    struct log *log = owner;

    log->rows[log->count++] = *change;
    return true;
}

static void each_change_is_logged_in_commit_order(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_1", "agt_a", "front-door");
    struct store_token token = {.id = "0011223344556677"};
    struct log log = {.count = 0};

    assert_int_equal(store_last_change(fixture->reader), 0);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
    store_token_put(fixture->store, &token, fixture_done(fixture));
    store_token_revoke(fixture->store, token.id, fixture_done(fixture));
    store_camera_delete(fixture->store, "cam_1", fixture_done(fixture));
    store_agent_revoke(fixture->store, "agt_a", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_changes(fixture->reader, 0, 64, see, &log), 0);
    assert_int_equal(log.count, 6);
    assert_int_equal(log.rows[0].table, STORE_AGENTS);
    assert_int_equal(log.rows[1].table, STORE_CAMERAS);
    assert_string_equal(log.rows[1].id, "cam_1");
    assert_false(log.rows[2].is_gone);
    assert_true(log.rows[3].is_gone && log.rows[3].table == STORE_TOKENS);
    assert_true(log.rows[4].is_gone && log.rows[4].table == STORE_CAMERAS);
    assert_true(log.rows[5].is_gone && log.rows[5].table == STORE_AGENTS);
    for (size_t i = 0; i < log.count; i++)
        assert_int_equal(log.rows[i].seq, i + 1);
    assert_int_equal(store_last_change(fixture->reader), 6);
    log.count = 0;
    assert_int_equal(store_changes(fixture->reader, 4, 1, see, &log), 0);
    assert_int_equal(log.count, 1);
    assert_int_equal(log.rows[0].seq, 5);
    assert_int_equal(store_changes(fixture->reader, UINT64_MAX, 1, see, &log), 0);
    assert_int_equal(log.count, 1);
}

static void a_refused_write_logs_nothing_and_harms_no_other_of_its_batch(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera good = fixture_camera("cam_1", "agt_a", "one");
    struct store_camera twin = fixture_camera("cam_2", "agt_a", "one");
    struct store_camera last = fixture_camera("cam_3", "agt_a", "three");
    struct log log = {.count = 0};

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    store_camera_put(fixture->store, &good, fixture_done(fixture));
    store_camera_put(fixture->store, &twin, fixture_done(fixture));
    store_camera_put(fixture->store, &last, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_changes(fixture->reader, 1, 64, see, &log), 0);
    assert_int_equal(log.count, 2);
    assert_string_equal(log.rows[0].id, "cam_1");
    assert_string_equal(log.rows[1].id, "cam_3");
}

struct told {
    struct fixture *fixture;
    uint64_t last;
    int count;
};

static void on_change(void *owner)
{
    struct told *told = owner;

    assert_ptr_equal(loop_current(), told->fixture->loop);
    told->last = store_last_change(told->fixture->reader);
    told->count++;
}

static void a_commit_tells_before_it_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {.fixture = fixture};

    assert_int_equal(store_on_change(fixture->store, fixture->loop, on_change, &told), 0);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.last, 1);
    store_agent_seen(fixture->store, "agt_a", 9, "1", "x"); /* nobody caches that */
    store_token_revoke(fixture->store, "none", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_NOT_FOUND);
    assert_int_equal(told.count, 1);
}

static void a_store_may_close_with_words_on_their_way(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {.fixture = fixture};
    struct store_agent agent = fixture_agent("agt_a");

    assert_int_equal(store_on_change(fixture->store, fixture->loop, on_change, &told), 0);
    store_agent_put(fixture->store, &agent, (struct store_done){0});
    fixture_close(fixture);
    fixture_open(fixture);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0); /* runs what was posted */
    assert_int_equal(told.count, 0);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &agent), 0);
}

static int64_t number_in(const char *path, const char *sql)
{
    sqlite3_stmt *statement;
    sqlite3 *sqlite;
    int64_t number;

    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(sqlite);
    return number;
}

static void a_reader_that_fell_off_the_log_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct log log = {.count = 0};
    sqlite3 *sqlite;

    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    assert_int_equal(sqlite3_open(fixture->path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite,
                                  "INSERT INTO change (seq, object, id, is_gone) "
                                  "VALUES (70655, 1, 'x', 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(sqlite);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0); /* 70656: trims */
    assert_int_equal(number_in(fixture->path, "SELECT min(seq) FROM change"), 70655);
    assert_int_equal(store_changes(fixture->reader, 1, 64, see, &log), -ERR_NOT_FOUND);
    assert_int_equal(log.count, 0);
    assert_int_equal(store_changes(fixture->reader, 70654, 64, see, &log), 0);
    assert_int_equal(log.count, 2);
}

static int put_usage(struct fixture *fixture, uint64_t boot, uint64_t sequence)
{
    struct store_usage rows[] = {
        {.camera_id = "cam_1", .token_id = "t", .protocol = "hls", .hour_s = 0, .bytes = 5},
        {.camera_id = "cam_1", .token_id = "t", .protocol = "hls", .hour_s = 0, .bytes = 7},
        {.camera_id = "cam_2", .token_id = "t", .protocol = "hls", .hour_s = 0, .bytes = 9},
    };
    struct store_usage_batch batch = {"node", boot, sequence, rows, 3};

    store_usage_put(fixture->store, &batch, fixture_done(fixture));
    return fixture_wait(fixture);
}

static void a_repeated_batch_counts_once(void **state)
{
    static const char sum[] = "SELECT sum(bytes) FROM usage";
    struct fixture *fixture = *state;
    struct store_usage_batch batch = {.node = "node", .count = 4097};

    assert_int_equal(put_usage(fixture, 1, 2), 0);
    assert_int_equal(put_usage(fixture, 1, 2), 0);
    assert_int_equal(number_in(fixture->path, sum), 21);
    assert_int_equal(put_usage(fixture, 1, 1), 0); /* late, not old */
    assert_int_equal(put_usage(fixture, 2, 1), 0); /* after a restart */
    assert_int_equal(number_in(fixture->path, sum), 63);
    assert_int_equal(put_usage(fixture, 1, 5000), 0);
    assert_int_equal(put_usage(fixture, 1, 2), 0); /* forgotten by name, known to be old */
    assert_int_equal(number_in(fixture->path, sum), 84);
    assert_int_equal(number_in(fixture->path, "SELECT count(*) FROM usage_batch"), 2);
    assert_int_equal(number_in(fixture->path, "SELECT bytes FROM usage WHERE camera_id='cam_1'"),
                     48);
    store_usage_put(fixture->store, &batch, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_TOO_MANY);
}

static void a_backup_is_whole_and_opens_as_a_store(void **state)
{
    struct fixture *fixture = *state;
    struct store_error error;
    struct store_reader *reader;
    struct store_agent agent;
    struct store *copy;
    char path[128];

    snprintf(path, sizeof(path), "%s.copy", fixture->path);
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    store_backup(fixture->store, path, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    store_backup(fixture->store, path, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ERR_EXISTS);
    store_backup(fixture->store, "/nowhere/x", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ENOENT);
    assert_int_equal(store_open(&copy, path, &error), 0);
    assert_int_equal(store_reader_open(&reader, copy), 0);
    assert_int_equal(store_agent_find(reader, "agt_a", &agent), 0);
    store_reader_close(reader);
    store_close(copy);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(each_change_is_logged_in_commit_order),
        T(a_refused_write_logs_nothing_and_harms_no_other_of_its_batch),
        T(a_commit_tells_before_it_is_answered),
        T(a_store_may_close_with_words_on_their_way),
        T(a_reader_that_fell_off_the_log_is_told),
        T(a_repeated_batch_counts_once),
        T(a_backup_is_whole_and_opens_as_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
