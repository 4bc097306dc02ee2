/* Follows the store's change log on the first loop, and tells the relay and every worker. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "media/profile.h"
#include "server/admit.h"
#include "server/directory.h"
#include "server/server.h"

enum { CHANGES_AT_ONCE = 256, CAMERAS_AT_ONCE = 1000 };

static void run_stream_add(struct worker *worker, const void *arg)
{
    const char *stream = arg;

    if (!hub_add(worker->hub, stream) || directory_find(worker, stream))
        return;
    directory_put(worker, stream, CAMERA_AGENT_AWAY, "");
}

static void run_stream_remove(struct worker *worker, const void *arg)
{
    const char *stream = arg;

    admit_revoke(worker, NULL, stream, "The camera was removed.");
    hub_remove(worker->hub, stream);
    directory_remove(worker, stream);
}

static void tell_stream(struct server *server, const char *slug, enum profile profile,
                        void (*run)(struct worker *worker, const void *arg))
{
    char stream[SLUG_MAX] = "";

    if (profile_stream(stream, sizeof(stream), slug, profile) == 0)
        server_tell_all(server, run, stream, sizeof(stream));
}

static void remove_streams(struct server *server, const char *slug)
{
    tell_stream(server, slug, PROFILE_SUB, run_stream_remove);
    tell_stream(server, slug, PROFILE_MAIN, run_stream_remove);
}

static void run_token_gone(struct worker *worker, const void *arg)
{
    admit_revoke(worker, arg, NULL, "The token was revoked.");
}

static void camera_put(struct server *server, const struct store_camera *camera)
{
    char slug[SLUG_MAX];

    if (relay_camera_slug(server->relay, camera->id, slug) && strcmp(slug, camera->slug) != 0)
        remove_streams(server, slug);
    tell_stream(server, camera->slug, PROFILE_MAIN, run_stream_add);
    tell_stream(server, camera->slug, PROFILE_SUB,
                camera->sealed_sub.len ? run_stream_add : run_stream_remove);
    relay_camera_put(server->relay, camera);
}

static void camera_gone(struct server *server, const char *id)
{
    char slug[SLUG_MAX];

    if (!relay_camera_slug(server->relay, id, slug))
        return;
    relay_camera_remove(server->relay, id);
    remove_streams(server, slug);
}

static void camera_changed(struct server *server, const struct store_change *change)
{
    struct store_camera *camera = malloc(sizeof(*camera));

    if (camera && !change->is_gone &&
        store_camera_find(server->workers[0].reader, change->id, camera) == 0)
        camera_put(server, camera);
    else
        camera_gone(server, change->id);
    free(camera);
}

static bool on_change(void *owner, const struct store_change *change)
{
    struct server *server = owner;

    server->last_change = change->seq;
    switch (change->table) {
    case STORE_AGENTS:
        if (change->is_gone)
            relay_agent_drop(server->relay, change->id, "This agent's key was revoked.");
        break;
    case STORE_CAMERAS:
        camera_changed(server, change);
        break;
    case STORE_TOKENS:
        /* A token that was narrowed ends what it no longer allows; viewers ask again. */
        server_tell_all(server, run_token_gone, change->id, sizeof(change->id));
        break;
    }
    return true;
}

struct page {
    struct server *server;
    size_t count;
    char last[STORE_ID];
};

static bool on_camera(void *owner, const struct store_camera *camera)
{
    struct page *page = owner;

    page->count++;
    memcpy(page->last, camera->id, sizeof(page->last));
    camera_put(page->server, camera);
    return true;
}

static int read_cameras(struct server *server)
{
    struct page page = {.server = server};
    int err;

    do {
        page.count = 0;
        err = store_camera_list(server->workers[0].reader, page.last, CAMERAS_AT_ONCE, on_camera,
                                &page);
    } while (err == 0 && page.count == CAMERAS_AT_ONCE);
    return err;
}

static void run_all_again(struct worker *worker, const void *arg)
{
    (void)arg;
    admit_revoke(worker, NULL, NULL, "The server's records changed: ask again.");
}

/* The log was trimmed before we had read it: nothing that is kept can be trusted. Viewers come
 * again, and are asked again. */
static int start_anew(struct server *server)
{
    LOG(LOG_WARN, "store", NULL, "changes-trimmed");
    server->last_change = store_last_change(server->workers[0].reader);
    server_tell_all(server, run_all_again, NULL, 0);
    return read_cameras(server);
}

static void follow(void *owner)
{
    struct server *server = owner;
    uint64_t before;
    int err;

    do {
        before = server->last_change;
        err = store_changes(server->workers[0].reader, before, CHANGES_AT_ONCE, on_change, server);
    } while (err == 0 && server->last_change > before);
    if (err == -ERR_NOT_FOUND)
        err = start_anew(server);
    if (err < 0)
        LOG(LOG_ERROR, "store", NULL, "changes-unread", KV_ERR(err));
}

int follow_start(struct server *server)
{
    int err;

    server->last_change = store_last_change(server->workers[0].reader);
    err = read_cameras(server);
    if (err < 0)
        return err;
    return store_on_change(server->store, server->workers[0].loop, follow, server);
}
