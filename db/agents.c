/* db/agents.c: the table agent, and enrolment, which makes its rows. */
#include <string.h>

#include "base/clock.h"
#include "db/queue.h"

#define COLUMNS "id, name, key, seal_key, epoch, created_s, seen_s, revoked_s, version, system"

static int64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

static void read_agent(struct query *query, struct store_agent *agent)
{
    memset(agent, 0, sizeof(*agent));
    query_text(query, agent->id, sizeof(agent->id));
    query_text(query, agent->name, sizeof(agent->name));
    if (query_blob(query, agent->key, STORE_KEY) != STORE_KEY)
        query->err = -ERR_STORE;
    if (query_blob(query, agent->seal_key, STORE_SEAL_KEY) != STORE_SEAL_KEY)
        query->err = -ERR_STORE;
    agent->epoch = (uint64_t)query_int(query);
    agent->created_s = query_int(query);
    agent->seen_s = query_int(query);
    agent->revoked_s = query_int(query);
    query_text(query, agent->version, sizeof(agent->version));
    query_text(query, agent->system, sizeof(agent->system));
}

static int read_one(struct query *query, struct store_agent *out)
{
    int next = query_next(query);

    if (next > 0)
        read_agent(query, out);
    return query_end_one(query, next);
}

int store_agent_find(struct store_reader *reader, const char *id, struct store_agent *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM agent WHERE id = ?1";
    struct query query = query_begin(&reader->db, sql);

    query_bind_text(&query, id);
    return read_one(&query, out);
}

int store_agent_find_by_key(struct store_reader *reader, const uint8_t key[STORE_KEY],
                            struct store_agent *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM agent WHERE key = ?1";
    struct query query = query_begin(&reader->db, sql);

    query_bind_blob(&query, key, STORE_KEY);
    return read_one(&query, out);
}

int store_agent_count(struct store_reader *reader, uint64_t *out)
{
    struct query query = query_begin(&reader->db, "SELECT count(*) FROM agent WHERE revoked_s = 0");
    int next = query_next(&query);

    *out = next > 0 ? (uint64_t)query_int(&query) : 0;
    return query_end_one(&query, next);
}

int store_agent_list(struct store_reader *reader, const char *after, size_t limit,
                     bool (*each)(void *owner, const struct store_agent *agent), void *owner)
{
    static const char sql[] = "SELECT " COLUMNS " FROM agent WHERE id > ?1 ORDER BY id LIMIT ?2";
    struct query query = query_begin(&reader->db, sql);
    struct store_agent agent;

    query_bind_text(&query, after);
    query_bind_int(&query, limit > INT64_MAX ? -1 : (int64_t)limit);
    while (query_next(&query) > 0) {
        read_agent(&query, &agent);
        if (query.err || !each(owner, &agent))
            break;
    }
    return query_end(&query);
}

/* The epoch never goes down, created and revoked stay. */
static int put_agent(struct db *db, const struct store_agent *agent, const char *sql)
{
    struct query query = query_begin(db, sql);
    int err;

    query_bind_text(&query, agent->id);
    query_bind_text(&query, agent->name);
    query_bind_blob(&query, agent->key, STORE_KEY);
    query_bind_blob(&query, agent->seal_key, STORE_SEAL_KEY);
    query_bind_int(&query, (int64_t)agent->epoch);
    query_bind_int(&query, agent->created_s ? agent->created_s : now_s());
    query_bind_int(&query, agent->seen_s);
    query_bind_int(&query, agent->revoked_s);
    query_bind_text(&query, agent->version);
    query_bind_text(&query, agent->system);
    err = query_run(&query);
    return err ? err : db_log_change(db, STORE_AGENTS, agent->id, false);
}

static int apply_put(struct db *db, const void *request, size_t len)
{
    static const char sql[] =
        "INSERT INTO agent (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name, key = excluded.key, "
        "seal_key = excluded.seal_key, epoch = max(epoch, excluded.epoch), "
        "seen_s = max(seen_s, excluded.seen_s), version = excluded.version, "
        "system = excluded.system";

    (void)len;
    return put_agent(db, request, sql);
}

void store_agent_put(struct store *store, const struct store_agent *agent, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_put};

    queue_write(store, &kind, agent, sizeof(*agent), done);
}

struct enrolment {
    uint8_t hash[32];
    struct store_agent agent;
};

static int use_code(struct db *db, const uint8_t hash[32], char name[STORE_NAME])
{
    static const char sql[] = "UPDATE code SET used_s = ?2 WHERE hash = ?1 AND used_s = 0 "
                              "AND expires_s > ?2 RETURNING agent_name";
    struct query query = query_begin(db, sql);
    int next, err;

    query_bind_blob(&query, hash, 32);
    query_bind_int(&query, now_s());
    next = query_next(&query);
    if (next > 0)
        query_text(&query, name, STORE_NAME);
    err = query_end_one(&query, next);
    return err == -ERR_NOT_FOUND ? -ERR_DENIED : err;
}

static int apply_enrol(struct db *db, const void *request, size_t len)
{
    static const char sql[] =
        "INSERT INTO agent (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    const struct enrolment *enrolment = request;
    struct store_agent agent = enrolment->agent;
    char name[STORE_NAME];
    int err = use_code(db, enrolment->hash, name);

    (void)len;
    if (err)
        return err;
    memcpy(agent.name, name, sizeof(name)); /* who made the code named the agent */
    return put_agent(db, &agent, sql);
}

void store_agent_enrol(struct store *store, const uint8_t code_hash[32],
                       const struct store_agent *agent, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_enrol};
    struct enrolment enrolment = {.agent = *agent};

    memcpy(enrolment.hash, code_hash, sizeof(enrolment.hash));
    queue_write(store, &kind, &enrolment, sizeof(enrolment), done);
}

static int apply_seen(struct db *db, const void *request, size_t len)
{
    static const char sql[] = "UPDATE agent SET epoch = max(epoch, ?2), seen_s = ?3, "
                              "version = ?4, system = ?5 WHERE id = ?1";
    const struct store_agent *agent = request;
    struct query query = query_begin(db, sql);

    (void)len;
    query_bind_text(&query, agent->id);
    query_bind_int(&query, (int64_t)agent->epoch);
    query_bind_int(&query, agent->seen_s);
    query_bind_text(&query, agent->version);
    query_bind_text(&query, agent->system);
    return query_run(&query);
}

void store_agent_seen(struct store *store, const char *id, uint64_t epoch, const char *version,
                      const char *system)
{
    static const struct write_kind kind = {.apply = apply_seen};
    struct store_agent agent = {.epoch = epoch, .seen_s = now_s()};

    snprintf(agent.id, sizeof(agent.id), "%s", id);
    snprintf(agent.version, sizeof(agent.version), "%s", version);
    snprintf(agent.system, sizeof(agent.system), "%s", system);
    queue_write(store, &kind, &agent, sizeof(agent), (struct store_done){0});
}

static int apply_revoke(struct db *db, const void *request, size_t len)
{
    static const char sql[] = "UPDATE agent SET revoked_s = iif(revoked_s = 0, ?2, revoked_s) "
                              "WHERE id = ?1";
    struct query query = query_begin(db, sql);
    int err;

    (void)len;
    query_bind_text(&query, request);
    query_bind_int(&query, now_s());
    err = query_run(&query);
    if (err)
        return err;
    if (db_changed(db) == 0)
        return -ERR_NOT_FOUND;
    return db_log_change(db, STORE_AGENTS, request, true);
}

void store_agent_revoke(struct store *store, const char *id, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_revoke};

    queue_write(store, &kind, id, strlen(id) + 1, done);
}
