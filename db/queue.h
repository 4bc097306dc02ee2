/* db/queue.h: the store's insides: its writer thread and what waits for it. Private to db/. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "db/query.h"

enum {
    QUEUE_WRITES = 1024, /* more waiting than this are refused with -ERR_NOT_READY */
    QUEUE_BATCH = 256,   /* most writes in one transaction */
    QUEUE_RESERVE = 32   /* refusals that can be told even without memory */
};

/* One kind of write; apply does it on the writer's connection. */
struct write_kind {
    int (*apply)(struct db *db, const void *request, size_t len);
    bool is_alone; /* makes its own transaction, if any */
};

struct write {
    struct loop_task task; /* tells done */
    struct write *next;
    struct store_done done;
    const struct write_kind *kind;
    int err;
    size_t len;
    _Alignas(max_align_t) unsigned char request[];
};

struct watcher; /* who asked by store_on_change */

struct store {
    struct db db; /* the writer thread's */
    char *path;   /* owned */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t has_work;
    struct write *first, **last;
    size_t waiting;
    struct write *reserve;
    size_t reserved;
    struct watcher *watchers;
    bool is_closing;

    bool is_failing; /* the writer's own: the failure was logged */
};

int queue_start(struct store *store) MUST_CHECK;

/* Does what waits, then ends the thread. */
void queue_stop(struct store *store);

/* Copies the request and queues it. done is told in any case. */
void queue_write(struct store *store, const struct write_kind *kind, const void *request,
                 size_t len, struct store_done done);

/* Tells done of err, without a write. */
void queue_refuse(struct store *store, int err, struct store_done done);

/* store.c: a commit appended to the change log. On the writer thread. */
void store_tell_watchers(struct store *store);

struct store_reader {
    struct db db;
};
