/* db/codes.c: the table code: one-time enrolment codes by their hashes. Used up in agents.c. */
#include "base/clock.h"
#include "db/queue.h"

enum { CODES_MAX = 1000 };

/* Old ones go when a new one comes; a used or run-out one stays a day, to be told apart. */
static int apply_put(struct db *db, const void *request, size_t len)
{
    static const char purge[] = "DELETE FROM code WHERE max(expires_s, used_s) < ?1";
    static const char sql[] = "INSERT INTO code (hash, agent_name, expires_s, used_s) "
                              "SELECT ?1, ?2, ?3, 0 WHERE (SELECT count(*) FROM code) < ?4";
    const struct store_code *code = request;
    struct query query = query_begin(db, purge);
    int err;

    (void)len;
    query_bind_int(&query, clock_wall_us() / 1000000 - 86400);
    err = query_run(&query);
    if (err)
        return err;
    query = query_begin(db, sql);
    query_bind_blob(&query, code->hash, sizeof(code->hash));
    query_bind_text(&query, code->agent_name);
    query_bind_int(&query, code->expires_s);
    query_bind_int(&query, CODES_MAX);
    err = query_run(&query);
    if (err)
        return err;
    return db_changed(db) ? 0 : -ERR_TOO_MANY;
}

void store_code_put(struct store *store, const struct store_code *code, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_put};

    queue_write(store, &kind, code, sizeof(*code), done);
}
