/* db/usage.c: metering: bytes and time a camera, token, protocol and hour. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/queue.h"

enum {
    USAGE_ROWS = 4096,  /* in one batch */
    USAGE_WINDOW = 1024 /* batches that a node may be behind; older ones count as known */
};

struct usage_request {
    char node[STORE_ID];
    uint64_t boot, sequence;
    size_t count;
    struct store_usage rows[];
};

/* 1 when the batch is new, 0 when it was counted before. */
static int claim_batch(struct db *db, const struct usage_request *usage)
{
    static const char sql[] =
        "INSERT INTO usage_batch (node, boot, sequence) SELECT ?1, ?2, ?3 "
        "WHERE ?3 > (SELECT coalesce(max(sequence), ?3) - ?4 FROM usage_batch "
        "WHERE node = ?1 AND boot = ?2) ON CONFLICT DO NOTHING";
    static const char trim[] =
        "DELETE FROM usage_batch WHERE node = ?1 AND boot = ?2 AND sequence <= ?3";
    struct query query = query_begin(db, sql);
    int err;

    query_bind_text(&query, usage->node);
    query_bind_int(&query, (int64_t)usage->boot);
    query_bind_int(&query, (int64_t)usage->sequence);
    query_bind_int(&query, USAGE_WINDOW);
    err = query_run(&query);
    if (err || !db_changed(db))
        return err;
    query = query_begin(db, trim);
    query_bind_text(&query, usage->node);
    query_bind_int(&query, (int64_t)usage->boot);
    query_bind_int(&query, (int64_t)usage->sequence - USAGE_WINDOW * 2);
    err = query_run(&query);
    return err ? err : 1;
}

static int add_row(struct db *db, const struct store_usage *row)
{
    static const char sql[] =
        "INSERT INTO usage (camera_id, token_id, protocol, hour_s, bytes, duration_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET "
        "bytes = bytes + excluded.bytes, duration_ms = duration_ms + excluded.duration_ms";
    struct query query = query_begin(db, sql);

    query_bind_text(&query, row->camera_id);
    query_bind_text(&query, row->token_id);
    query_bind_text(&query, row->protocol);
    query_bind_int(&query, row->hour_s);
    query_bind_int(&query, (int64_t)row->bytes);
    query_bind_int(&query, (int64_t)row->seconds_ms);
    return query_run(&query);
}

static int apply_put(struct db *db, const void *request, size_t len)
{
    const struct usage_request *usage = request;
    int err = claim_batch(db, usage);

    (void)len;
    if (err <= 0)
        return err;
    err = 0;
    for (size_t i = 0; !err && i < usage->count; i++)
        err = add_row(db, &usage->rows[i]);
    return err;
}

void store_usage_put(struct store *store, const struct store_usage_batch *batch,
                     struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_put};
    struct usage_request *usage;
    size_t len = sizeof(*usage) + batch->count * sizeof(*batch->rows);

    if (batch->count > USAGE_ROWS) {
        queue_refuse(store, -ERR_TOO_MANY, done);
        return;
    }
    usage = calloc(1, len);
    if (!usage) {
        queue_refuse(store, -ENOMEM, done);
        return;
    }
    snprintf(usage->node, sizeof(usage->node), "%s", batch->node);
    usage->boot = batch->boot;
    usage->sequence = batch->sequence;
    usage->count = batch->count;
    if (batch->count)
        memcpy(usage->rows, batch->rows, batch->count * sizeof(*batch->rows));
    queue_write(store, &kind, usage, len, done);
    free(usage);
}
