#include "db/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/queue.h"

/* Told of commits. Its task may be on its way when the store closes: then it frees itself. */
enum watcher_state { WATCHER_IDLE, WATCHER_POSTED, WATCHER_DEAD };

struct watcher {
    struct loop_task task;
    struct watcher *next;
    struct loop *loop;
    void (*call)(void *owner);
    void *owner;
    atomic_int state;
};

static void free_watchers(struct watcher *watcher)
{
    while (watcher) {
        struct watcher *next = watcher->next;

        if (atomic_exchange(&watcher->state, WATCHER_DEAD) == WATCHER_IDLE)
            free(watcher);
        watcher = next;
    }
}

static int set_error(struct store_error *error, const char *path, int err)
{
    snprintf(error->text, sizeof(error->text), "cannot write the database %.120s: %.80s", path,
             err_text(err));
    return err;
}

/* Makes the file ours alone before SQLite fills it; its companions get the same mode. */
static int make_file(const char *path, struct store_error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return set_error(error, path, -errno);
    close(fd);
    return 0;
}

/* SQLite must be able to make its companions (-wal, -shm) next to the file. */
static int check_folder(const char *path, struct store_error *error)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) : 0;

    if (len >= (int)sizeof(folder))
        return set_error(error, path, -ENAMETOOLONG);
    snprintf(folder, sizeof(folder), "%.*s/", len, path);
    if (access(slash ? folder : ".", W_OK | X_OK))
        return set_error(error, path, -errno);
    return 0;
}

int store_open(struct store **out, const char *path, struct store_error *error)
{
    struct store *store = calloc(1, sizeof(*store));
    int err = -ENOMEM;

    error->text[0] = 0;
    if (!store || !(store->path = strdup(path)))
        goto fail;
    err = check_folder(path, error);
    if (!err)
        err = make_file(path, error);
    if (!err)
        err = db_open(&store->db, path, true, error);
    if (!err)
        err = db_migrate(&store->db, path, error);
    if (!err)
        err = queue_start(store);
    if (err)
        goto fail;
    *out = store;
    return 0;

fail:
    if (!error->text[0])
        set_error(error, path, err);
    if (store) {
        db_close(&store->db);
        free(store->path);
    }
    free(store);
    return err;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    queue_stop(store);
    db_close(&store->db);
    free_watchers(store->watchers);
    free(store->path);
    free(store);
}

static void call_watcher(struct loop_task *task)
{
    struct watcher *watcher =
        (struct watcher *)(void *)((char *)task - offsetof(struct watcher, task));
    int posted = WATCHER_POSTED;

    /* Idle before the call: a commit during it tells again. */
    if (atomic_compare_exchange_strong(&watcher->state, &posted, WATCHER_IDLE))
        watcher->call(watcher->owner);
    else
        free(watcher);
}

void store_tell_watchers(struct store *store)
{
    struct watcher *watcher;

    pthread_mutex_lock(&store->mutex);
    watcher = store->watchers;
    pthread_mutex_unlock(&store->mutex);
    for (; watcher; watcher = watcher->next) {
        int idle = WATCHER_IDLE;

        if (atomic_compare_exchange_strong(&watcher->state, &idle, WATCHER_POSTED))
            loop_post(watcher->loop, &watcher->task);
    }
}

int store_on_change(struct store *store, struct loop *loop, void (*call)(void *owner), void *owner)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));

    if (!watcher)
        return -ENOMEM;
    watcher->task.run = call_watcher;
    watcher->loop = loop;
    watcher->call = call;
    watcher->owner = owner;
    pthread_mutex_lock(&store->mutex);
    watcher->next = store->watchers;
    store->watchers = watcher;
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

/* VACUUM INTO makes a whole, compact copy from one snapshot. It takes an empty file, so that
 * we decide who may read it. */
static int apply_backup(struct db *db, const void *request, size_t len)
{
    static const char vacuum[] = "VACUUM INTO ?1";
    const char *path = request;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct query query;
    int err;

    (void)len;
    if (fd < 0)
        return errno == EEXIST ? -ERR_EXISTS : -errno;
    query = query_begin(db, vacuum);
    query_bind_text(&query, path);
    err = query_run(&query);
    if (!err && fsync(fd))
        err = -errno;
    close(fd);
    if (err)
        unlink(path);
    return err;
}

void store_backup(struct store *store, const char *path, struct store_done done)
{
    static const struct write_kind kind = {.apply = apply_backup, .is_alone = true};

    queue_write(store, &kind, path, strlen(path) + 1, done);
}
