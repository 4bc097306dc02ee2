#include "db/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void tell_done(struct loop_task *task)
{
    struct write *write = (struct write *)(void *)((char *)task - offsetof(struct write, task));

    write->done.call(write->done.owner, write->err);
    free(write);
}

static void finish(struct write *write)
{
    if (!write->done.call) {
        free(write);
        return;
    }
    write->task.run = tell_done;
    loop_post(write->done.loop, &write->task);
}

static int run_in_savepoint(struct db *db, struct write *write)
{
    size_t changes = db->changes;
    int err = db_exec(db, "SAVEPOINT one");

    if (err)
        return err;
    err = write->kind->apply(db, write->request, write->len);
    if (!db_is_in_transaction(db))
        return err ? err : -ERR_STORE; /* SQLite rolled all of it back */
    if (err) {
        db->changes = changes;
        if (db_exec(db, "ROLLBACK TO one"))
            return -ERR_STORE;
    }
    if (db_exec(db, "RELEASE one"))
        return -ERR_STORE;
    return err;
}

/* What one write asked for in vain; anything else is the database's trouble. */
static bool is_answer(int err)
{
    return err == 0 || err == -ERR_EXISTS || err == -ERR_NOT_FOUND || err == -ERR_DENIED ||
           err == -ERR_TOO_MANY;
}

/* All writes in one transaction; their own answers in them. An error: none was done. */
static int run_batch(struct db *db, struct write *first, size_t count)
{
    int err = db_exec(db, "BEGIN IMMEDIATE");

    for (struct write *write = first; !err && count; write = write->next, count--) {
        write->err = run_in_savepoint(db, write);
        if (!is_answer(write->err))
            err = write->err;
    }
    if (!err)
        err = db_exec(db, "COMMIT");
    if (err && db_is_in_transaction(db))
        (void)!db_exec(db, "ROLLBACK");
    if (err)
        db->changes = 0;
    return err;
}

static void log_health(struct store *store, int err)
{
    if (err && !store->is_failing)
        LOG(LOG_ERROR, "store", NULL, "write-failed", KV_ERR(err), KV_S("path", store->path));
    if (!err && store->is_failing)
        LOG(LOG_INFO, "store", NULL, "write-recovered", KV_S("path", store->path));
    store->is_failing = err != 0;
}

static void run_one(struct store *store, struct write *write)
{
    size_t changes = store->db.changes;
    int err;

    if (write->kind->is_alone) {
        write->err = write->kind->apply(&store->db, write->request, write->len);
        return;
    }
    store->db.changes = 0;
    err = run_batch(&store->db, write, 1);
    if (err)
        write->err = err;
    log_health(store, err);
    store->db.changes += changes;
}

/* A batch that failed as a whole is tried one by one, so that what can be done is done; not
 * when the database is locked, for each try would wait. */
static void run_all(struct store *store, struct write *first, size_t count)
{
    int err = count > 1 ? run_batch(&store->db, first, count) : -ERR_STORE;

    if (!err || err == -ERR_NOT_READY)
        log_health(store, err);
    for (struct write *write = first; err && write; write = write->next) {
        if (err == -ERR_NOT_READY)
            write->err = err;
        else
            run_one(store, write);
    }
}

static void run_and_tell(struct store *store, struct write *first, size_t count)
{
    store->db.changes = 0;
    run_all(store, first, count);
    if (store->db.changes)
        store_tell_watchers(store);
    for (struct write *write = first, *next; write; write = next) {
        next = write->next;
        finish(write);
    }
}

/* The next writes that may share a transaction, unlinked; NULL: closing, and nothing waits. */
static struct write *take_batch(struct store *store, size_t *out_count)
{
    struct write *first, *last;
    size_t count = 1;

    pthread_mutex_lock(&store->mutex);
    while (!store->first && !store->is_closing)
        pthread_cond_wait(&store->has_work, &store->mutex);
    first = last = store->first;
    while (last && !first->kind->is_alone && count < QUEUE_BATCH && last->next &&
           !last->next->kind->is_alone) {
        last = last->next;
        count++;
    }
    if (first) {
        store->waiting -= count;
        store->first = last->next;
        if (!store->first)
            store->last = &store->first;
        last->next = NULL;
    }
    pthread_mutex_unlock(&store->mutex);
    *out_count = count;
    return first;
}

static void *writer_main(void *argument)
{
    struct store *store = argument;
    struct write *batch;
    size_t count;

    while ((batch = take_batch(store, &count)))
        run_and_tell(store, batch, count);
    return NULL;
}

/* Under the mutex: so that a refusal can be told when there is no memory. */
static void fill_reserve(struct store *store)
{
    while (store->reserved < QUEUE_RESERVE) {
        struct write *write = calloc(1, sizeof(*write));

        if (!write)
            return;
        write->next = store->reserve;
        store->reserve = write;
        store->reserved++;
    }
}

void queue_refuse(struct store *store, int err, struct store_done done)
{
    struct write *write;

    if (!done.call)
        return;
    pthread_mutex_lock(&store->mutex);
    fill_reserve(store);
    write = store->reserve;
    if (write) {
        store->reserve = write->next;
        store->reserved--;
    }
    pthread_mutex_unlock(&store->mutex);
    if (!write) {
        done.call(done.owner, err); /* early rather than never */
        return;
    }
    write->done = done;
    write->err = err;
    finish(write);
}

void queue_write(struct store *store, const struct write_kind *kind, const void *request,
                 size_t len, struct store_done done)
{
    struct write *write = malloc(sizeof(*write) + len);
    bool is_full;

    if (!write) {
        queue_refuse(store, -ENOMEM, done);
        return;
    }
    memset(write, 0, sizeof(*write));
    write->done = done;
    write->kind = kind;
    write->len = len;
    memcpy(write->request, request, len);
    pthread_mutex_lock(&store->mutex);
    is_full = store->waiting >= QUEUE_WRITES;
    if (!is_full) {
        *store->last = write;
        store->last = &write->next;
        store->waiting++;
        pthread_cond_signal(&store->has_work);
    }
    pthread_mutex_unlock(&store->mutex);
    if (is_full) {
        write->err = -ERR_NOT_READY;
        finish(write);
    }
}

int queue_start(struct store *store)
{
    sigset_t all, before;
    int err;

    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->has_work, NULL);
    store->last = &store->first;
    fill_reserve(store);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the loops */
    err = -pthread_create(&store->thread, NULL, writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void queue_stop(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->is_closing = true;
    pthread_cond_signal(&store->has_work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    while (store->reserve) {
        struct write *write = store->reserve;

        store->reserve = write->next;
        free(write);
    }
    pthread_cond_destroy(&store->has_work);
    pthread_mutex_destroy(&store->mutex);
}
