/* db/cameras.c: the table camera. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/queue.h"

#define COLUMNS                                                                                    \
    "id, agent_id, slug, name, url_shown, sealed, sealed_sub, is_always_on, revision, "            \
    "created_s, tracks"

static void read_camera(struct query *query, struct store_camera *camera)
{
    query_text(query, camera->id, sizeof(camera->id));
    query_text(query, camera->agent_id, sizeof(camera->agent_id));
    query_text(query, camera->slug, sizeof(camera->slug));
    query_text(query, camera->name, sizeof(camera->name));
    query_text(query, camera->url_shown, sizeof(camera->url_shown));
    camera->sealed.len = query_blob(query, camera->sealed.bytes, STORE_SEALED);
    camera->sealed_sub.len = query_blob(query, camera->sealed_sub.bytes, STORE_SEALED);
    camera->is_always_on = query_int(query) != 0;
    camera->revision = (uint64_t)query_int(query);
    camera->created_s = query_int(query);
    camera->tracks.len = query_blob(query, camera->tracks.bytes, STORE_TRACKS);
}

static int read_one(struct store_reader *reader, const char *sql, const char *key,
                    struct store_camera *out)
{
    struct query query = query_begin(&reader->db, sql);
    int next;

    query_bind_text(&query, key);
    next = query_next(&query);
    if (next > 0)
        read_camera(&query, out);
    return query_end_one(&query, next);
}

int store_camera_find(struct store_reader *reader, const char *id, struct store_camera *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM camera WHERE id = ?1";

    return read_one(reader, sql, id, out);
}

int store_camera_find_by_slug(struct store_reader *reader, const char *slug,
                              struct store_camera *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM camera WHERE slug = ?1";

    return read_one(reader, sql, slug, out);
}

static int list(struct query *query, bool (*each)(void *owner, const struct store_camera *camera),
                void *owner)
{
    struct store_camera camera;

    while (query_next(query) > 0) {
        read_camera(query, &camera);
        if (query->err || !each(owner, &camera))
            break;
    }
    return query_end(query);
}

int store_camera_list(struct store_reader *reader, const char *after, size_t limit,
                      bool (*each)(void *owner, const struct store_camera *camera), void *owner)
{
    static const char sql[] = "SELECT " COLUMNS " FROM camera WHERE id > ?1 ORDER BY id LIMIT ?2";
    struct query query = query_begin(&reader->db, sql);

    query_bind_text(&query, after);
    query_bind_int(&query, limit > INT64_MAX ? -1 : (int64_t)limit);
    return list(&query, each, owner);
}

int store_camera_list_of(struct store_reader *reader, const char *agent_id, const char *after,
                         bool (*each)(void *owner, const struct store_camera *camera), void *owner)
{
    static const char sql[] = "SELECT " COLUMNS " FROM camera WHERE agent_id = ?1 AND id > ?2 "
                              "ORDER BY id";
    struct query query = query_begin(&reader->db, sql);

    query_bind_text(&query, agent_id);
    query_bind_text(&query, after);
    return list(&query, each, owner);
}

static int insert(struct db *db, const struct store_camera *camera)
{
    static const char sql[] = "INSERT INTO camera (" COLUMNS ") "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?10)";
    struct query query = query_begin(db, sql);

    query_bind_text(&query, camera->id);
    query_bind_text(&query, camera->agent_id);
    query_bind_text(&query, camera->slug);
    query_bind_text(&query, camera->name);
    query_bind_text(&query, camera->url_shown);
    query_bind_blob(&query, camera->sealed.bytes, camera->sealed.len);
    query_bind_blob(&query, camera->sealed_sub.bytes, camera->sealed_sub.len);
    query_bind_int(&query, camera->is_always_on);
    query_bind_int(&query, camera->created_s ? camera->created_s : clock_wall_us() / 1000000);
    query_bind_blob(&query, camera->tracks.bytes, camera->tracks.len);
    return query_run(&query);
}

static int exists(struct db *db, const char *id)
{
    static const char sql[] = "SELECT 1 FROM camera WHERE id = ?1";
    struct query query = query_begin(db, sql);
    int next;

    query_bind_text(&query, id);
    next = query_next(&query);
    return query_end_one(&query, next);
}

/* Only over the revision that the caller had seen: two changes at once don't undo each other.
 * Tracks are kept: the stream knows them better. */
static int update(struct db *db, const struct store_camera *camera)
{
    static const char sql[] = "UPDATE camera SET agent_id = ?2, slug = ?3, name = ?4, "
                              "url_shown = ?5, sealed = ?6, sealed_sub = ?7, is_always_on = ?8, "
                              "revision = revision + 1 WHERE id = ?1 AND revision = ?9";
    struct query query = query_begin(db, sql);
    int err;

    query_bind_text(&query, camera->id);
    query_bind_text(&query, camera->agent_id);
    query_bind_text(&query, camera->slug);
    query_bind_text(&query, camera->name);
    query_bind_text(&query, camera->url_shown);
    query_bind_blob(&query, camera->sealed.bytes, camera->sealed.len);
    query_bind_blob(&query, camera->sealed_sub.bytes, camera->sealed_sub.len);
    query_bind_int(&query, camera->is_always_on);
    query_bind_int(&query, (int64_t)camera->revision);
    err = query_run(&query);
    if (err || db_changed(db))
        return err;
    err = exists(db, camera->id);
    return err ? err : -ERR_EXISTS;
}

static int apply_put(struct db *db, const void *request, size_t len)
{
    const struct store_camera *camera = request;
    int err = camera->revision ? update(db, camera) : insert(db, camera);

    (void)len;
    return err ? err : db_log_change(db, STORE_CAMERAS, camera->id, false);
}

void store_camera_put(struct store *store, const struct store_camera *camera,
                      struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_put};

    queue_write(store, &kind, camera, sizeof(*camera), done);
}

static int apply_delete(struct db *db, const void *request, size_t len)
{
    static const char sql[] = "DELETE FROM camera WHERE id = ?1";
    struct query query = query_begin(db, sql);
    int err;

    (void)len;
    query_bind_text(&query, request);
    err = query_run(&query);
    if (err)
        return err;
    return db_changed(db) ? db_log_change(db, STORE_CAMERAS, request, true) : -ERR_NOT_FOUND;
}

void store_camera_delete(struct store *store, const char *id, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_delete};

    queue_write(store, &kind, id, strlen(id) + 1, done);
}

struct tracks_request {
    char id[STORE_ID];
    uint8_t bytes[STORE_TRACKS];
};

/* Not in the change log: nobody caches them from here. */
static int apply_tracks(struct db *db, const void *request, size_t len)
{
    static const char sql[] = "UPDATE camera SET tracks = ?2 WHERE id = ?1 AND tracks <> ?2";
    const struct tracks_request *tracks = request;
    struct query query = query_begin(db, sql);

    query_bind_text(&query, tracks->id);
    query_bind_blob(&query, tracks->bytes, len - sizeof(tracks->id));
    return query_run(&query);
}

void store_camera_set_tracks(struct store *store, const char *id, const void *packed, size_t len)
{
    static const struct write_kind kind = {.apply = apply_tracks};
    struct tracks_request tracks = {0};

    if (len > sizeof(tracks.bytes))
        return;
    snprintf(tracks.id, sizeof(tracks.id), "%s", id);
    memcpy(tracks.bytes, packed, len);
    queue_write(store, &kind, &tracks, sizeof(tracks.id) + len, (struct store_done){0});
}
