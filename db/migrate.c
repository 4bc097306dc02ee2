#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

#include "db/query.h"

struct migration {
    const char *name;
    const unsigned char *sql;
};

#include "db/migrations.inc" /* made by db/migrations/embed.sh */

enum {
    MIGRATIONS = sizeof(migrations) / sizeof(migrations[0]),
    APPLICATION_ID = 1129663574 /* "CULV" */
};

static int read_number(struct db *db, const char *sql, int64_t *out)
{
    struct query query = query_begin(db, sql);
    int next = query_next(&query);

    *out = next > 0 ? query_int(&query) : 0;
    return query_end_one(&query, next);
}

static int apply(struct db *db, int64_t version)
{
    /* Several statements at once, without parameters: sqlite3_exec, no cached query. */
    int err = db_exec(db, "BEGIN IMMEDIATE");

    for (int64_t i = version; !err && i < MIGRATIONS; i++) {
        const char *sql = (const char *)migrations[i].sql;

        if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
            err = sqlite3_errcode(db->sqlite) == SQLITE_FULL ? -ENOSPC : -ERR_STORE;
    }
    if (!err)
        err = db_exec(db, "COMMIT");
    if (err && db_is_in_transaction(db))
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static int migrate(struct db *db, const char *path, struct store_error *error)
{
    int64_t version = 0, application = 0, objects = 0;
    int err = read_number(db, "PRAGMA user_version", &version);

    if (!err)
        err = read_number(db, "PRAGMA application_id", &application);
    if (!err)
        err = read_number(db, "SELECT count(*) FROM sqlite_schema", &objects);
    if (err)
        return err;
    if (objects > 0 && application != APPLICATION_ID) {
        snprintf(error->text, sizeof(error->text),
                 "%.120s is another program's database: choose another data-dir", path);
        return -ERR_STORE;
    }
    if (version > MIGRATIONS) {
        snprintf(error->text, sizeof(error->text),
                 "%.120s was made by a newer Culvert (schema %lld, this one knows %d): "
                 "install that version or restore a backup",
                 path, (long long)version, MIGRATIONS);
        return -ERR_VERSION;
    }
    if (version < 0)
        return -ERR_STORE;
    return version < MIGRATIONS ? apply(db, version) : 0;
}

/* What to do about it, when nothing more exact was said. */
static void explain(struct db *db, const char *path, int err, struct store_error *error)
{
    const char *advice = "it is damaged: restore a backup";

    switch (err) {
    case -EROFS:
        advice = "it can't be written: check who owns it and its folder, and the mount";
        break;
    case -ENOSPC:
        advice = "the disk is full: make room";
        break;
    case -ERR_NOT_READY:
        advice = "another program holds it: end that one";
        break;
    case -ENOMEM:
        advice = "there is no memory";
        break;
    }
    snprintf(error->text, sizeof(error->text), "cannot use the database %.90s (%.40s): %s", path,
             sqlite3_errmsg(db->sqlite), advice);
}

int db_migrate(struct db *db, const char *path, struct store_error *error)
{
    static const char wal[] = "PRAGMA journal_mode = WAL";
    static const char sync[] = "PRAGMA synchronous = FULL";
    static const char limit[] = "PRAGMA journal_size_limit = 16777216";
    static const char check[] = "PRAGMA cell_size_check = ON";
    int err;

    error->text[0] = 0;
    err = migrate(db, path, error);
    if (!err)
        err = db_exec(db, wal);
    if (!err)
        err = db_exec(db, sync);
    if (!err)
        err = db_exec(db, limit);
    if (!err)
        err = db_exec(db, check);
    if (err && !error->text[0])
        explain(db, path, err, error);
    return err;
}
