/* db/query.h: prepared statements of one SQLite connection; private to db/, with query.c and
 * migrate.c the only place that sees SQLite.
 *
 * SQL is always a string literal, cached by its address; values are always bound. Binding and
 * reading go from left to right, and errors are sticky: check query_run, query_next, query_end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "db/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum { DB_STATEMENTS = 64 };

/* A connection, of one thread at a time. */
struct db {
    struct sqlite3 *sqlite; /* owned */
    struct {
        const char *sql;
        struct sqlite3_stmt *statement; /* owned */
    } cache[DB_STATEMENTS];
    size_t cached;
    size_t changes; /* appended to the change log since the counter was cleared */
};

struct query {
    struct db *db;
    struct sqlite3_stmt *statement;
    int at; /* the parameter or column that is next */
    int err;
};

/* is_writer: makes the file if need be. error may be NULL. */
int db_open(struct db *db, const char *path, bool is_writer, struct store_error *error) MUST_CHECK;
void db_close(struct db *db);

/* One statement without parameters or rows. */
int db_exec(struct db *db, const char *sql) MUST_CHECK;

/* Rows that the last statement changed. */
int64_t db_changed(const struct db *db);
bool db_is_in_transaction(const struct db *db);

struct query query_begin(struct db *db, const char *sql);
void query_bind_text(struct query *query, const char *text);
void query_bind_int(struct query *query, int64_t number);
void query_bind_blob(struct query *query, const void *bytes, size_t len);

/* For a statement without rows: does it and ends the query. */
int query_run(struct query *query) MUST_CHECK;

/* 1: there is a row to read; 0: no more; else an error. */
int query_next(struct query *query) MUST_CHECK;
void query_text(struct query *query, char *out, size_t room);
int64_t query_int(struct query *query);

/* Returns the length; out must have room for at most room bytes. */
size_t query_blob(struct query *query, void *out, size_t room);

/* The sticky error; the statement can be used again. */
int query_end(struct query *query) MUST_CHECK;

/* For a look-up: 0 after the row was read whole, -ERR_NOT_FOUND when next gave no row. */
int query_end_one(struct query *query, int next) MUST_CHECK;

/* migrate.c: brings the schema up to date, on the writer's connection. */
int db_migrate(struct db *db, const char *path, struct store_error *error) MUST_CHECK;

/* changes.c: appends to the change log, inside the transaction of the change. */
int db_log_change(struct db *db, enum store_table table, const char *id, bool is_gone) MUST_CHECK;
