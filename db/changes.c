/* db/changes.c: the change log. Sequence numbers are in commit order: there is one writer. */
#include "db/queue.h"

enum { CHANGES_KEPT = 65536, CHANGES_TRIM_EVERY = 1024 };

static int trim(struct db *db)
{
    static const char sql[] = "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?1";
    struct query query = query_begin(db, sql);

    query_bind_int(&query, CHANGES_KEPT);
    return query_run(&query);
}

int db_log_change(struct db *db, enum store_table table, const char *id, bool is_gone)
{
    static const char sql[] = "INSERT INTO change (object, id, is_gone) VALUES (?1, ?2, ?3) "
                              "RETURNING seq";
    struct query query = query_begin(db, sql);
    int64_t seq = 0;
    int next, err;

    query_bind_int(&query, table);
    query_bind_text(&query, id);
    query_bind_int(&query, is_gone);
    next = query_next(&query);
    if (next > 0)
        seq = query_int(&query);
    err = query_end_one(&query, next);
    if (err)
        return err;
    db->changes++;
    return seq % CHANGES_TRIM_EVERY ? 0 : trim(db);
}

static int read_seq(struct store_reader *reader, const char *sql, int64_t *out)
{
    struct query query = query_begin(&reader->db, sql);
    int next = query_next(&query);

    if (next > 0)
        *out = query_int(&query);
    return query_end_one(&query, next);
}

int store_changes(struct store_reader *reader, uint64_t after, size_t limit,
                  bool (*each)(void *owner, const struct store_change *change), void *owner)
{
    static const char oldest[] = "SELECT coalesce(min(seq), 0) FROM change";
    static const char sql[] = "SELECT seq, object, id, is_gone FROM change WHERE seq > ?1 "
                              "ORDER BY seq LIMIT ?2";
    struct query query;
    int64_t first = 0;
    int next, err;

    err = read_seq(reader, oldest, &first);
    if (err)
        return err;
    if (first > 0 && after < (uint64_t)first - 1)
        return -ERR_NOT_FOUND;
    query = query_begin(&reader->db, sql);
    query_bind_int(&query, after > INT64_MAX ? INT64_MAX : (int64_t)after);
    query_bind_int(&query, limit > INT64_MAX ? -1 : (int64_t)limit);
    while ((next = query_next(&query)) > 0) {
        struct store_change change = {.seq = (uint64_t)query_int(&query)};

        change.table = (enum store_table)query_int(&query);
        query_text(&query, change.id, sizeof(change.id));
        change.is_gone = query_int(&query) != 0;
        if (query.err || !each(owner, &change))
            break;
    }
    return query_end(&query);
}

uint64_t store_last_change(struct store_reader *reader)
{
    static const char sql[] = "SELECT coalesce(max(seq), 0) FROM change";
    int64_t seq = 0;

    return read_seq(reader, sql, &seq) ? 0 : (uint64_t)seq;
}
