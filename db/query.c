#include "db/query.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Readers are on loops, and in WAL mode they wait only while another one repairs the log. */
enum { BUSY_WRITER_MS = 5000, BUSY_READER_MS = 50 };

/* The system's own error behind an I/O error. Of a write to the log only the log's file knows. */
static int cause_of_io_error(struct db *db)
{
    sqlite3_file *log = NULL;
    int cause = 0;

    if (sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log && log->pMethods)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &cause);
    return cause ? cause : sqlite3_system_errno(db->sqlite);
}

static int error_of_disk(int cause)
{
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return -ENOSPC;
    case EROFS: /* a disk that failed is often mounted again so */
        return -EROFS;
    default:
        return -ERR_STORE;
    }
}

/* Ours for SQLite's. The disk's errors keep their names, so that people hear of the disk. */
static int error_of(struct db *db, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -ERR_NOT_READY;
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_FOREIGNKEY ? -ERR_NOT_FOUND : -ERR_EXISTS;
    case SQLITE_IOERR:
        return db->sqlite ? error_of_disk(cause_of_io_error(db)) : -ERR_STORE;
    default:
        return -ERR_STORE;
    }
}

static void configure(struct db *db, bool is_writer)
{
    sqlite3 *sqlite = db->sqlite;

    sqlite3_extended_result_codes(sqlite, 1);
    sqlite3_busy_timeout(sqlite, is_writer ? BUSY_WRITER_MS : BUSY_READER_MS);
    sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_limit(sqlite, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM INTO needs one */
    sqlite3_limit(sqlite, SQLITE_LIMIT_LENGTH, 1 << 20);
}

int db_open(struct db *db, const char *path, bool is_writer, struct store_error *error)
{
    int flags = is_writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int err;

    memset(db, 0, sizeof(*db));
    err = error_of(db, sqlite3_open_v2(path, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL));
    if (!err) {
        configure(db, is_writer);
        return 0;
    }
    if (error)
        snprintf(error->text, sizeof(error->text), "cannot open the database %.120s: %s", path,
                 db->sqlite ? sqlite3_errmsg(db->sqlite) : err_text(err));
    db_close(db);
    return err;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < db->cached; i++)
        sqlite3_finalize(db->cache[i].statement);
    db->cached = 0;
    sqlite3_close(db->sqlite);
    db->sqlite = NULL;
}

int db_exec(struct db *db, const char *sql)
{
    struct query query = query_begin(db, sql);

    return query_run(&query);
}

int64_t db_changed(const struct db *db)
{
    return sqlite3_changes64(db->sqlite);
}

bool db_is_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->sqlite);
}

static int find_statement(struct db *db, const char *sql, sqlite3_stmt **out)
{
    int code;

    for (size_t i = 0; i < db->cached; i++) {
        if (db->cache[i].sql == sql) {
            *out = db->cache[i].statement;
            return 0;
        }
    }
    if (db->cached == DB_STATEMENTS)
        return -ERR_TOO_MANY;
    code = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (code != SQLITE_OK)
        return error_of(db, code);
    db->cache[db->cached].sql = sql;
    db->cache[db->cached++].statement = *out;
    return 0;
}

struct query query_begin(struct db *db, const char *sql)
{
    struct query query = {.db = db, .at = 1};

    query.err = find_statement(db, sql, &query.statement);
    return query;
}

static void bound(struct query *query, int code)
{
    query->at++;
    if (code != SQLITE_OK)
        query->err = error_of(query->db, code);
}

void query_bind_text(struct query *query, const char *text)
{
    if (!query->err)
        bound(query, sqlite3_bind_text(query->statement, query->at, text, -1, SQLITE_STATIC));
}

void query_bind_int(struct query *query, int64_t number)
{
    if (!query->err)
        bound(query, sqlite3_bind_int64(query->statement, query->at, number));
}

void query_bind_blob(struct query *query, const void *bytes, size_t len)
{
    if (!query->err && len)
        bound(query, sqlite3_bind_blob64(query->statement, query->at, bytes, len, SQLITE_STATIC));
    else if (!query->err)
        bound(query, sqlite3_bind_zeroblob(query->statement, query->at, 0));
}

int query_run(struct query *query)
{
    int next = query_next(query);
    int err = query_end(query);

    return next < 0 ? next : err;
}

int query_next(struct query *query)
{
    int code;

    if (query->err)
        return query->err;
    code = sqlite3_step(query->statement);
    query->at = 0;
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        query->err = error_of(query->db, code);
    return query->err;
}

/* What does not fit or is not text is damage: our own writes can't make it. */
void query_text(struct query *query, char *out, size_t room)
{
    const unsigned char *text = sqlite3_column_text(query->statement, query->at);
    size_t len = (size_t)sqlite3_column_bytes(query->statement, query->at++);

    out[0] = 0;
    if (!text || len >= room || memchr(text, 0, len)) {
        query->err = -ERR_STORE;
        return;
    }
    memcpy(out, text, len);
    out[len] = 0;
}

int64_t query_int(struct query *query)
{
    return sqlite3_column_int64(query->statement, query->at++);
}

size_t query_blob(struct query *query, void *out, size_t room)
{
    const void *bytes = sqlite3_column_blob(query->statement, query->at);
    size_t len = (size_t)sqlite3_column_bytes(query->statement, query->at++);

    if (len > room || (len && !bytes)) {
        query->err = -ERR_STORE;
        return 0;
    }
    if (len)
        memcpy(out, bytes, len);
    return len;
}

int query_end(struct query *query)
{
    if (query->statement) {
        sqlite3_reset(query->statement);
        sqlite3_clear_bindings(query->statement);
    }
    query->statement = NULL;
    return query->err;
}

int query_end_one(struct query *query, int next)
{
    int err = query_end(query);

    if (next < 0)
        return next;
    if (err)
        return err;
    return next ? 0 : -ERR_NOT_FOUND;
}
