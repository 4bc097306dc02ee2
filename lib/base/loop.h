/* base/loop.h: one event loop, on one thread. The only place that knows libev.
 *
 * Rules of lifetime (docs/lifetimes.md): an object lives on one loop. Inside a callback an
 * object is only closed; its memory goes by loop_defer, after the turn. Only loop_post and
 * loop_stop may be called from another thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct loop;

/* Something to be called later; embedded in, and owned by, its caller's object. */
struct loop_task {
    void (*run)(struct loop_task *task); /* may free what contains the task */
    struct loop_task *next;
};

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A descriptor's readiness. Zero it, then loop_io_init. Must not move while started. */
struct loop_io {
    void (*on_ready)(struct loop_io *io, unsigned events);
    struct loop *loop; /* borrowed */
    int fd;            /* borrowed */
    unsigned events;   /* what is watched now; 0 while stopped */
    _Alignas(max_align_t) unsigned char impl[64];
};

struct loop_timer {
    void (*on_expired)(struct loop_timer *timer);
    struct loop *loop; /* borrowed */
    _Alignas(max_align_t) unsigned char impl[64];
};

struct loop_signal {
    void (*on_signal)(struct loop_signal *watcher, int number);
    struct loop *loop; /* borrowed */
    _Alignas(max_align_t) unsigned char impl[64];
};

/* 0 and an owned loop in *out, or -ENOMEM. index counts the process's loops from 0. */
int loop_new(struct loop **out, unsigned index) MUST_CHECK;

/* Runs the tasks still waiting, and waits for those that a hold promises: for an orderly end, when
 * several loops have stopped. */
void loop_drain(struct loop *loop);

/* Drains, then frees. Not while it runs. */
void loop_free(struct loop *loop);

/* Runs on the calling thread until loop_stop. */
void loop_run(struct loop *loop);

/* From any thread. */
void loop_stop(struct loop *loop);

/* Runs task on the loop's thread, in the order posted. From any thread. Never fails. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Runs task when this turn's callbacks have returned. On the loop's thread. */
void loop_defer(struct loop *loop, struct loop_task *task);

/* A promise that another thread will post a task which calls loop_release: until then the loop is
 * neither drained nor freed. For threads that are told to end, and answer later. On the loop's
 * thread, or where none runs it any more. */
void loop_hold(struct loop *loop);
void loop_release(struct loop *loop);

unsigned loop_index(const struct loop *loop);

/* The monotonic time at which this turn began, in microseconds; one clock for all loops. */
int64_t loop_now_us(const struct loop *loop);

/* The loop that runs on this thread, or NULL. */
struct loop *loop_current(void);

void loop_io_init(struct loop_io *io, struct loop *loop, int fd,
                  void (*on_ready)(struct loop_io *io, unsigned events));

/* Watches for events (LOOP_READ, LOOP_WRITE), 0 stops. Cheap when nothing changes. */
void loop_io_watch(struct loop_io *io, unsigned events);

void loop_timer_init(struct loop_timer *timer, struct loop *loop,
                     void (*on_expired)(struct loop_timer *timer));

/* Once, delay_us from now; starting again moves it. */
void loop_timer_start(struct loop_timer *timer, int64_t delay_us);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_active(const struct loop_timer *timer);

/* Calls on_signal on this loop; loops of other threads must block the signal. */
void loop_signal_start(struct loop_signal *watcher, struct loop *loop, int number,
                       void (*on_signal)(struct loop_signal *watcher, int number));
void loop_signal_stop(struct loop_signal *watcher);
