/* What a damaged, foreign, newer, locked or full database does: a clear refusal, no crash. */
#include <sqlite3.h>

#include "unit/db/store_fixture.h"

static void sql_in(const char *path, const char *sql)
{
    sqlite3 *sqlite;

    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
}

static int open_and_close(struct fixture *fixture, struct store_error *error)
{
    struct store *store;
    int err = store_open(&store, fixture->path, error);

    if (!err)
        store_close(store);
    return err;
}

static void a_newer_schema_is_refused_with_advice(void **state)
{
    struct fixture *fixture = *state;
    struct store_error error;

    fixture_close(fixture);
    sql_in(fixture->path, "PRAGMA user_version = 1000000");
    assert_int_equal(open_and_close(fixture, &error), -ERR_VERSION);
    assert_non_null(strstr(error.text, "newer"));
    assert_non_null(strstr(error.text, fixture->path));
    sql_in(fixture->path, "PRAGMA user_version = -1");
    assert_int_equal(open_and_close(fixture, &error), -ERR_STORE);
    sql_in(fixture->path, "PRAGMA user_version = 2");
    fixture_open(fixture);
}

static void an_older_schema_is_brought_up_to_date(void **state)
{
    struct fixture *fixture = *state;
    struct store_token token = {.id = "0123456789abcdef", .has_srt_passphrase = true}, out;

    fixture_close(fixture);
    sql_in(fixture->path, "INSERT INTO token VALUES ('old', 'Anna', '', '', '', '', '', 0, 0, 1, "
                          "0, 0, 0); ALTER TABLE token DROP COLUMN srt_passphrase; "
                          "PRAGMA user_version = 1");
    fixture_open(fixture);
    assert_int_equal(store_token_find(fixture->reader, "old", &out), 0);
    assert_string_equal(out.label, "Anna");
    assert_false(out.has_srt_passphrase);
    store_token_put(fixture->store, &token, fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), 0);
    assert_int_equal(store_token_find(fixture->reader, token.id, &out), 0);
    assert_true(out.has_srt_passphrase);
}

static void another_programs_database_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct store_error error;

    fixture_close(fixture);
    unlink(fixture->path);
    sql_in(fixture->path, "CREATE TABLE mine (x)");
    assert_int_equal(open_and_close(fixture, &error), -ERR_STORE);
    assert_non_null(strstr(error.text, "another program"));
    sql_in(fixture->path, "SELECT x FROM mine");
    unlink(fixture->path);
    fixture_open(fixture);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_error error;
    FILE *file;

    fixture_close(fixture);
    file = fopen(fixture->path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database ", file);
    fclose(file);
    assert_int_equal(open_and_close(fixture, &error), -ERR_STORE);
    assert_non_null(strstr(error.text, "restore a backup"));
    unlink(fixture->path);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_true(open_and_close(fixture, &error) < 0);
    assert_int_equal(rmdir(fixture->path), 0);
    fixture_open(fixture);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct store_error error;
    struct store *store;

    (void)state;
    assert_int_equal(store_open(&store, "/nowhere/culvert.db", &error), -ENOENT);
    assert_non_null(strstr(error.text, "/nowhere/culvert.db"));
}

static bool see_agent(void *owner, const struct store_agent *agent)
{
    (void)agent;
    return ++*(int *)owner < 1000;
}

static bool see_camera(void *owner, const struct store_camera *camera)
{
    (void)camera;
    return ++*(int *)owner < 1000;
}

/* Uses all there is; whatever comes is fine, but it must come. */
static void use_damaged(struct fixture *fixture)
{
    struct store_agent agent = fixture_agent("agt_z");
    struct store_error error;
    struct store_camera camera;
    int seen = 0;

    if (store_open(&fixture->store, fixture->path, &error)) {
        assert_true(error.text[0] != 0);
        fixture->store = NULL;
        return;
    }
    if (!store_reader_open(&fixture->reader, fixture->store)) {
        (void)!store_agent_list(fixture->reader, "", 1000, see_agent, &seen);
        (void)!store_camera_list(fixture->reader, "", 1000, see_camera, &seen);
        (void)!store_camera_find_by_slug(fixture->reader, "slug-5", &camera);
        store_agent_put(fixture->store, &agent, fixture_done(fixture));
        (void)fixture_wait(fixture);
    }
    fixture_close(fixture);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(bytes, 1, room, file) : 0;

    if (file)
        fclose(file);
    return len;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void fill(struct fixture *fixture)
{
    assert_int_equal(fixture_put_agent(fixture, "agt_a"), 0);
    for (int i = 0; i < 20; i++) {
        char id[24], slug[24];
        struct store_camera camera;

        snprintf(id, sizeof(id), "cam_%d", i);
        snprintf(slug, sizeof(slug), "slug-%d", i);
        camera = fixture_camera(id, "agt_a", slug);
        store_camera_put(fixture->store, &camera, fixture_done(fixture));
    }
    assert_int_equal(fixture_wait(fixture), 0);
}

static void a_database_damaged_at_any_byte_never_crashes(void **state)
{
    enum { ROOM = 1 << 20 };
    struct fixture *fixture = *state;
    uint8_t *whole = malloc(ROOM), *damaged = malloc(ROOM);
    uint64_t random = 1;
    size_t len;

    fill(fixture);
    fixture_close(fixture);
    len = read_file(fixture->path, whole, ROOM);
    assert_true(len > 4096);
    for (int i = 0; i < 150; i++) {
        memcpy(damaged, whole, len);
        for (int k = 0; k < 1 + i % 8; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            damaged[(random >> 33) % (i < 30 ? 200 : len)] = (uint8_t)(random >> 25);
        }
        write_file(fixture->path, damaged, i % 10 == 9 ? len / 2 : len);
        use_damaged(fixture);
        unlink(fixture->path);
        for (int k = 0; k < 2; k++) {
            char path[128];

            snprintf(path, sizeof(path), "%s%s", fixture->path, k ? "-wal" : "-shm");
            unlink(path);
        }
    }
    free(whole);
    free(damaged);
    fixture_open(fixture);
}

static void a_log_cut_short_loses_only_its_end(void **state)
{
    enum { ROOM = 4 << 20 };
    struct fixture *fixture = *state;
    uint8_t *base = malloc(ROOM), *log = malloc(ROOM);
    size_t base_len, log_len;
    char log_path[128];

    fill(fixture);
    snprintf(log_path, sizeof(log_path), "%s-wal", fixture->path);
    base_len = read_file(fixture->path, base, ROOM);
    log_len = read_file(log_path, log, ROOM);
    assert_true(log_len > 8192);
    fixture_close(fixture);
    for (size_t cut = 0; cut < log_len; cut += log_len / 40) {
        write_file(fixture->path, base, base_len);
        write_file(log_path, log, cut);
        fixture_open(fixture);
        assert_int_equal(fixture_put_agent(fixture, "agt_z"), 0);
        fixture_close(fixture);
    }
    free(base);
    free(log);
    fixture_open(fixture);
}

static int disk_errno; /* what the disk says to each write */

static ssize_t fail_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    (void)fd;
    (void)bytes;
    (void)len;
    (void)at;
    errno = disk_errno;
    return -1;
}

/* From now on SQLite's writes fail so; 0: they work again. */
static void set_disk(int error)
{
    static const char *const names[] = {"pwrite", "pwrite64", "write"};
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    disk_errno = error;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        vfs->xSetSystemCall(vfs, names[i], error ? (sqlite3_syscall_ptr)fail_pwrite : NULL);
}

static void a_full_disk_refuses_writes_and_reads_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct store_camera camera = fixture_camera("cam_y", "agt_a", "y");
    struct store_agent agent;

    fill(fixture);
    set_disk(ENOSPC);
    assert_int_equal(fixture_put_camera(fixture, &camera), -ENOSPC);
    store_camera_put(fixture->store, &camera, fixture_done(fixture));
    store_agent_revoke(fixture->store, "agt_a", fixture_done(fixture));
    assert_int_equal(fixture_wait(fixture), -ENOSPC);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &agent), 0);
    assert_int_equal(agent.revoked_s, 0);
    set_disk(0);
    assert_int_equal(fixture_put_camera(fixture, &camera), 0);
}

static void a_read_only_disk_and_a_used_up_quota_refuse_writes_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent agent;

    fill(fixture);
    set_disk(EROFS);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), -EROFS);
    set_disk(EDQUOT);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), -ENOSPC);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &agent), 0);
    set_disk(0);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
}

static void a_broken_disk_is_an_error_of_the_store(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    set_disk(EIO);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), -ERR_STORE);
    set_disk(0);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
}

struct tally {
    struct fixture *fixture;
    int done, refused;
};

static void on_tallied(void *owner, int err)
{
    struct tally *tally = owner;

    tally->done += err == 0;
    tally->refused += err == -ERR_NOT_READY;
    fixture_on_done(tally->fixture, err);
}

/* At most 1,024 wait and 256 are being done, whenever the writer's thread happened to wake. */
static void more_than_may_wait_are_refused_and_the_rest_is_done(void **state)
{
    enum { ASKED = 3000, WAITING = 1024, BATCH = 256 };
    struct fixture *fixture = *state;
    struct tally tally = {.fixture = fixture};
    struct store_agent agent = fixture_agent("agt_a");
    sqlite3 *other;

    assert_int_equal(sqlite3_open(fixture->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < ASKED; i++) {
        struct store_done done = fixture_done(fixture);

        done.call = on_tallied;
        done.owner = &tally;
        store_agent_put(fixture->store, &agent, done);
    }
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    (void)fixture_wait(fixture);
    sqlite3_close(other);
    assert_int_equal(tally.done + tally.refused, ASKED);
    assert_in_range(tally.done, WAITING, WAITING + BATCH);
    assert_int_equal(store_agent_find(fixture->reader, "agt_a", &agent), 0);
}

static void a_database_that_stays_locked_is_busy_and_then_well_again(void **state)
{
    struct fixture *fixture = *state;
    struct store_agent agent;
    sqlite3 *other;

    assert_int_equal(sqlite3_open(fixture->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), -ERR_NOT_READY); /* after 5 s */
    assert_int_equal(store_agent_find(fixture->reader, "agt_b", &agent), -ERR_NOT_FOUND);
    sqlite3_close(other);
    assert_int_equal(fixture_put_agent(fixture, "agt_b"), 0);
}

static void the_files_are_private(void **state)
{
    struct fixture *fixture = *state;
    struct stat file;
    char path[128];

    fill(fixture);
    assert_int_equal(stat(fixture->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s-wal", fixture->path);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(a_newer_schema_is_refused_with_advice),
        T(an_older_schema_is_brought_up_to_date),
        T(another_programs_database_is_left_alone),
        T(a_file_that_is_no_database_is_refused),
        T(a_folder_that_is_not_there_is_named),
        T(a_database_damaged_at_any_byte_never_crashes),
        T(a_log_cut_short_loses_only_its_end),
        T(a_full_disk_refuses_writes_and_reads_go_on),
        T(a_read_only_disk_and_a_used_up_quota_refuse_writes_by_name),
        T(a_broken_disk_is_an_error_of_the_store),
        T(more_than_may_wait_are_refused_and_the_rest_is_done),
        T(a_database_that_stays_locked_is_busy_and_then_well_again),
        T(the_files_are_private),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
