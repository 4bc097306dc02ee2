#include "base/loop.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct loop {
    struct ev_loop *ev;
    ev_async wake;
    ev_check turn_begin;
    ev_prepare turn_end;
    unsigned index;
    int64_t now_us;

    struct loop_task *deferred, **deferred_tail; /* this thread's own */
    unsigned holds;

    pthread_cond_t has_posted; /* for a drain that waits */
    pthread_mutex_t mutex;     /* guards what other threads touch: */
    struct loop_task *posted, **posted_tail;
    bool is_stopping;
};

static _Thread_local struct loop *current;

_Static_assert(sizeof(ev_io) <= sizeof(((struct loop_io *)0)->impl), "loop_io.impl is too small");
_Static_assert(sizeof(ev_timer) <= sizeof(((struct loop_timer *)0)->impl), "loop_timer.impl");
_Static_assert(sizeof(ev_signal) <= sizeof(((struct loop_signal *)0)->impl), "loop_signal.impl");

/* libev takes a watcher by its base type; the storage inside ours is one of its kinds. */
#define EV(type, watcher) ((type *)(void *)(watcher)->impl)
#define OWNER(watcher, type)                                                                       \
    ((struct type *)(void *)((char *)(watcher)-offsetof(struct type, impl)))

static void run_all(struct loop_task *task)
{
    while (task) {
        struct loop_task *next = task->next;

        task->run(task);
        task = next;
    }
}

static void run_deferred(struct loop *loop)
{
    while (loop->deferred) {
        struct loop_task *task = loop->deferred;

        loop->deferred = NULL;
        loop->deferred_tail = &loop->deferred;
        run_all(task);
    }
}

static bool run_posted(struct loop *loop)
{
    struct loop_task *task;
    bool is_stopping;

    pthread_mutex_lock(&loop->mutex);
    task = loop->posted;
    loop->posted = NULL;
    loop->posted_tail = &loop->posted;
    is_stopping = loop->is_stopping;
    pthread_mutex_unlock(&loop->mutex);
    run_all(task);
    return is_stopping;
}

static void on_wake(struct ev_loop *ev, ev_async *watcher, int events)
{
    struct loop *loop = ev_userdata(ev);

    (void)watcher;
    (void)events;
    if (run_posted(loop))
        ev_break(ev, EVBREAK_ALL);
}

static void on_turn_begin(struct ev_loop *ev, ev_check *watcher, int events)
{
    struct loop *loop = ev_userdata(ev);

    (void)watcher;
    (void)events;
    loop->now_us = clock_mono_us();
}

static void on_turn_end(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    (void)watcher;
    (void)events;
    run_deferred(ev_userdata(ev));
}

int loop_new(struct loop **out, unsigned index)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return -ENOMEM;
    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!loop->ev) {
        free(loop);
        return -ENOMEM;
    }
    loop->index = index;
    loop->deferred_tail = &loop->deferred;
    loop->posted_tail = &loop->posted;
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->has_posted, NULL);
    ev_set_userdata(loop->ev, loop);
    ev_async_init(&loop->wake, on_wake);
    ev_async_start(loop->ev, &loop->wake);
    ev_check_init(&loop->turn_begin, on_turn_begin);
    ev_set_priority(&loop->turn_begin, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->turn_begin);
    loop->now_us = clock_mono_us();
    ev_prepare_init(&loop->turn_end, on_turn_end);
    ev_set_priority(&loop->turn_end, EV_MINPRI);
    ev_prepare_start(loop->ev, &loop->turn_end);
    *out = loop;
    return 0;
}

/* Whether tasks wait; if none do, waits for those that are promised. */
static bool await_tasks(struct loop *loop)
{
    bool has_tasks;

    pthread_mutex_lock(&loop->mutex);
    while (!loop->posted && !loop->deferred && loop->holds)
        pthread_cond_wait(&loop->has_posted, &loop->mutex);
    has_tasks = loop->posted || loop->deferred;
    pthread_mutex_unlock(&loop->mutex);
    return has_tasks;
}

void loop_drain(struct loop *loop)
{
    while (loop && await_tasks(loop)) {
        run_posted(loop);
        run_deferred(loop);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_drain(loop);
    ev_async_stop(loop->ev, &loop->wake);
    ev_check_stop(loop->ev, &loop->turn_begin);
    ev_prepare_stop(loop->ev, &loop->turn_end);
    ev_loop_destroy(loop->ev);
    pthread_cond_destroy(&loop->has_posted);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

void loop_run(struct loop *loop)
{
    current = loop;
    ev_run(loop->ev, 0);
    run_deferred(loop);
    current = NULL;
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->is_stopping = true;
    pthread_mutex_unlock(&loop->mutex);
    ev_async_send(loop->ev, &loop->wake);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    bool was_empty;

    task->next = NULL;
    pthread_mutex_lock(&loop->mutex);
    was_empty = !loop->posted;
    *loop->posted_tail = task;
    loop->posted_tail = &task->next;
    pthread_cond_signal(&loop->has_posted);
    pthread_mutex_unlock(&loop->mutex);
    if (was_empty)
        ev_async_send(loop->ev, &loop->wake);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    task->next = NULL;
    *loop->deferred_tail = task;
    loop->deferred_tail = &task->next;
}

void loop_hold(struct loop *loop)
{
    loop->holds++;
}

void loop_release(struct loop *loop)
{
    loop->holds--;
}

unsigned loop_index(const struct loop *loop)
{
    return loop->index;
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us; /* not ev_now: that one follows the wall clock */
}

struct loop *loop_current(void)
{
    return current;
}

static void io_ready(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct loop_io *io = OWNER(watcher, loop_io);

    (void)ev;
    io->on_ready(io, (events & EV_READ ? LOOP_READ : 0u) | (events & EV_WRITE ? LOOP_WRITE : 0u));
}

void loop_io_init(struct loop_io *io, struct loop *loop, int fd,
                  void (*on_ready)(struct loop_io *io, unsigned events))
{
    io->on_ready = on_ready;
    io->loop = loop;
    io->fd = fd;
    io->events = 0;
    ev_io_init(EV(ev_io, io), io_ready, fd, 0);
}

void loop_io_watch(struct loop_io *io, unsigned events)
{
    if (events == io->events)
        return;
    if (io->events)
        ev_io_stop(io->loop->ev, EV(ev_io, io));
    io->events = events;
    if (!events)
        return;
    ev_io_set(EV(ev_io, io), io->fd,
              (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0));
    ev_io_start(io->loop->ev, EV(ev_io, io));
}

static void timer_expired(struct ev_loop *ev, ev_timer *watcher, int events)
{
    struct loop_timer *timer = OWNER(watcher, loop_timer);

    (void)ev;
    (void)events;
    timer->on_expired(timer);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop,
                     void (*on_expired)(struct loop_timer *timer))
{
    timer->on_expired = on_expired;
    timer->loop = loop;
    ev_timer_init(EV(ev_timer, timer), timer_expired, 0., 0.);
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_us)
{
    ev_timer *watcher = EV(ev_timer, timer);

    ev_timer_stop(timer->loop->ev, watcher);
    ev_timer_set(watcher, delay_us > 0 ? (double)delay_us / 1e6 : 0., 0.);
    ev_timer_start(timer->loop->ev, watcher);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->loop)
        ev_timer_stop(timer->loop->ev, EV(ev_timer, timer));
}

bool loop_timer_is_active(const struct loop_timer *timer)
{
    return ev_is_active((const ev_timer *)(const void *)timer->impl);
}

static void signal_caught(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct loop_signal *owner = OWNER(watcher, loop_signal);

    (void)ev;
    (void)events;
    owner->on_signal(owner, watcher->signum);
}

void loop_signal_start(struct loop_signal *watcher, struct loop *loop, int number,
                       void (*on_signal)(struct loop_signal *watcher, int number))
{
    watcher->on_signal = on_signal;
    watcher->loop = loop;
    ev_signal_init(EV(ev_signal, watcher), signal_caught, number);
    ev_signal_start(loop->ev, EV(ev_signal, watcher));
}

void loop_signal_stop(struct loop_signal *watcher)
{
    if (watcher->loop)
        ev_signal_stop(watcher->loop->ev, EV(ev_signal, watcher));
}
