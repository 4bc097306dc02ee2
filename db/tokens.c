/* db/tokens.c: the table token: what tokens allow, never enough to make one. */
#include <string.h>

#include "base/clock.h"
#include "db/queue.h"

#define COLUMNS                                                                                    \
    "id, label, cameras, agent_id, protocols, networks, origins, not_before_s, expires_s, "        \
    "created_s, revoked_s, viewers_max, srt_passphrase"

static void read_token(struct query *query, struct store_token *token)
{
    query_text(query, token->id, sizeof(token->id));
    query_text(query, token->label, sizeof(token->label));
    query_text(query, token->cameras, sizeof(token->cameras));
    query_text(query, token->agent_id, sizeof(token->agent_id));
    query_text(query, token->protocols, sizeof(token->protocols));
    query_text(query, token->networks, sizeof(token->networks));
    query_text(query, token->origins, sizeof(token->origins));
    token->not_before_s = query_int(query);
    token->expires_s = query_int(query);
    token->created_s = query_int(query);
    token->revoked_s = query_int(query);
    token->viewers_max = (uint32_t)query_int(query);
    token->has_srt_passphrase = query_int(query) != 0;
}

int store_token_find(struct store_reader *reader, const char *id, struct store_token *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM token WHERE id = ?1";
    struct query query = query_begin(&reader->db, sql);
    int next;

    query_bind_text(&query, id);
    next = query_next(&query);
    if (next > 0)
        read_token(&query, out);
    return query_end_one(&query, next);
}

int store_token_list(struct store_reader *reader, const char *after, size_t limit,
                     bool (*each)(void *owner, const struct store_token *token), void *owner)
{
    static const char sql[] = "SELECT " COLUMNS " FROM token WHERE id > ?1 ORDER BY id LIMIT ?2";
    struct query query = query_begin(&reader->db, sql);
    struct store_token token;

    query_bind_text(&query, after);
    query_bind_int(&query, limit > INT64_MAX ? -1 : (int64_t)limit);
    while (query_next(&query) > 0) {
        read_token(&query, &token);
        if (query.err || !each(owner, &token))
            break;
    }
    return query_end(&query);
}

/* A change never takes back a revocation. */
static int apply_put(struct db *db, const void *request, size_t len)
{
    static const char sql[] =
        "INSERT INTO token (" COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
        "ON CONFLICT (id) DO UPDATE SET label = excluded.label, cameras = excluded.cameras, "
        "agent_id = excluded.agent_id, protocols = excluded.protocols, "
        "networks = excluded.networks, origins = excluded.origins, "
        "not_before_s = excluded.not_before_s, expires_s = excluded.expires_s, "
        "viewers_max = excluded.viewers_max, srt_passphrase = excluded.srt_passphrase";
    const struct store_token *token = request;
    struct query query = query_begin(db, sql);
    int err;

    (void)len;
    query_bind_text(&query, token->id);
    query_bind_text(&query, token->label);
    query_bind_text(&query, token->cameras);
    query_bind_text(&query, token->agent_id);
    query_bind_text(&query, token->protocols);
    query_bind_text(&query, token->networks);
    query_bind_text(&query, token->origins);
    query_bind_int(&query, token->not_before_s);
    query_bind_int(&query, token->expires_s);
    query_bind_int(&query, token->created_s ? token->created_s : clock_wall_us() / 1000000);
    query_bind_int(&query, token->revoked_s);
    query_bind_int(&query, token->viewers_max);
    query_bind_int(&query, token->has_srt_passphrase);
    err = query_run(&query);
    return err ? err : db_log_change(db, STORE_TOKENS, token->id, false);
}

void store_token_put(struct store *store, const struct store_token *token, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_put};

    queue_write(store, &kind, token, sizeof(*token), done);
}

static int apply_revoke(struct db *db, const void *request, size_t len)
{
    static const char sql[] = "UPDATE token SET revoked_s = iif(revoked_s = 0, ?2, revoked_s) "
                              "WHERE id = ?1";
    struct query query = query_begin(db, sql);
    int err;

    (void)len;
    query_bind_text(&query, request);
    query_bind_int(&query, clock_wall_us() / 1000000);
    err = query_run(&query);
    if (err)
        return err;
    return db_changed(db) ? db_log_change(db, STORE_TOKENS, request, true) : -ERR_NOT_FOUND;
}

void store_token_revoke(struct store *store, const char *id, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_revoke};

    queue_write(store, &kind, id, strlen(id) + 1, done);
}
