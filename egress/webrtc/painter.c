#include "egress/webrtc/painter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "media/format/still.h"

enum { WAITING_MAX = 64 };

struct painter {
    struct loop *loop; /* owned: the thread's */
    pthread_t thread;
    atomic_uint waiting;
};

static void *run(void *arg)
{
    struct painter *painter = arg;
    sigset_t all;

    sigfillset(&all); /* signals are the first loop's */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    loop_run(painter->loop);
    return NULL;
}

int painter_new(struct painter **out)
{
    struct painter *painter = calloc(1, sizeof(*painter));
    int err = painter ? loop_new(&painter->loop, 0) : -ENOMEM;

    if (err == 0)
        err = -pthread_create(&painter->thread, NULL, run, painter);
    if (err < 0) {
        if (painter && painter->loop)
            loop_free(painter->loop);
        free(painter);
        return err;
    }
    *out = painter;
    return 0;
}

void painter_free(struct painter *painter)
{
    if (!painter)
        return;
    loop_stop(painter->loop);
    pthread_join(painter->thread, NULL);
    loop_free(painter->loop);
    free(painter);
}

static void run_back(struct loop_task *task)
{
    struct painting *painting = list_entry(task, struct painting, task);

    painting->on_done(painting);
}

/* On the thread. */
static void paint(struct loop_task *task)
{
    struct painting *painting = list_entry(task, struct painting, task);
    struct packet *key = painting->key;

    painting->err = still_make(&painting->jpeg, &key->tracks->track[key->track], key->buf);
    atomic_fetch_sub(&painting->painter->waiting, 1);
    task->run = run_back;
    loop_post(painting->home, task);
}

int painter_paint(struct painter *painter, struct painting *painting)
{
    if (atomic_fetch_add(&painter->waiting, 1) >= WAITING_MAX) {
        atomic_fetch_sub(&painter->waiting, 1);
        return -ERR_TOO_MANY;
    }
    painting->jpeg = NULL;
    painting->err = 0;
    painting->painter = painter;
    painting->task.run = paint;
    loop_post(painter->loop, &painting->task);
    return 0;
}
