#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"

/* What ran, in order. */
static char trace[64];
static size_t trace_len;

struct step {
    struct loop_task task;
    struct loop *loop;
    char letter;
    struct step *then; /* deferred from inside */
    bool stops;
};

static void step_run(struct loop_task *task)
{
    struct step *step = (struct step *)(void *)task;

    trace[trace_len++] = step->letter;
    trace[trace_len] = '\0';
    assert_ptr_equal(loop_current(), step->loop);
    if (step->then)
        loop_defer(step->loop, &step->then->task);
    if (step->stops)
        loop_stop(step->loop);
}

static struct step step_of(struct loop *loop, char letter)
{
    return (struct step){.task.run = step_run, .loop = loop, .letter = letter};
}

static struct loop *begin(void)
{
    struct loop *loop;

    trace_len = 0;
    trace[0] = '\0';
    assert_int_equal(loop_new(&loop, 3), 0);
    assert_int_equal(loop_index(loop), 3);
    assert_null(loop_current());
    return loop;
}

static void posted_tasks_run_in_order(void **state)
{
    struct loop *loop = begin();
    struct step a = step_of(loop, 'a'), b = step_of(loop, 'b'), c = step_of(loop, 'c');

    (void)state;
    c.stops = true;
    loop_post(loop, &a.task);
    loop_post(loop, &b.task);
    loop_post(loop, &c.task);
    loop_run(loop);
    assert_string_equal(trace, "abc");
    loop_free(loop);
}

static void deferred_tasks_run_after_the_turn_and_so_do_theirs(void **state)
{
    struct loop *loop = begin();
    struct step a = step_of(loop, 'a'), b = step_of(loop, 'b'), late = step_of(loop, 'l');
    struct step later = step_of(loop, 'm');

    (void)state;
    a.then = &late;
    late.then = &later;
    later.stops = true;
    loop_post(loop, &a.task);
    loop_post(loop, &b.task);
    loop_run(loop);
    assert_string_equal(trace, "ablm");
    loop_free(loop);
}

struct heap_task {
    struct loop_task task;
    unsigned *count;
};

static void heap_task_run(struct loop_task *task)
{
    struct heap_task *heap = (struct heap_task *)(void *)task;

    ++*heap->count;
    free(heap);
}

static struct heap_task *heap_task_new(unsigned *count)
{
    struct heap_task *heap = calloc(1, sizeof(*heap));

    assert_non_null(heap);
    heap->task.run = heap_task_run;
    heap->count = count;
    return heap;
}

static void a_loop_that_never_ran_runs_its_tasks_when_freed(void **state)
{
    struct loop *loop = begin();
    unsigned count = 0;

    (void)state;
    loop_post(loop, &heap_task_new(&count)->task);
    loop_defer(loop, &heap_task_new(&count)->task);
    loop_free(loop);
    assert_int_equal(count, 2);
    loop_free(NULL);
}

enum { POSTERS = 4, POSTS = 2000 };

struct poster {
    struct loop *loop;
    unsigned *count;
};

static void *post_many(void *owner)
{
    struct poster *poster = owner;

    for (int i = 0; i < POSTS; i++)
        loop_post(poster->loop, &heap_task_new(poster->count)->task);
    return NULL;
}

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static void many_threads_post_and_nothing_is_lost(void **state)
{
    struct loop *loop = begin();
    unsigned count = 0; /* touched on the loop's thread alone */
    struct poster poster = {loop, &count};
    pthread_t posters[POSTERS], runner;

    (void)state;
    assert_int_equal(pthread_create(&runner, NULL, run_loop, loop), 0);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&posters[i], NULL, post_many, &poster), 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    loop_stop(loop);
    pthread_join(runner, NULL);
    loop_free(loop);
    assert_int_equal(count, POSTERS * POSTS);
}

struct late {
    struct loop_task task;
    struct loop *loop;
    pthread_t thread;
    bool has_run;
};

static void late_run(struct loop_task *task)
{
    struct late *late = list_entry(task, struct late, task);

    pthread_join(late->thread, NULL);
    loop_release(late->loop);
    late->has_run = true;
}

/* Not before the drain waits, as often as not: whichever comes first, nothing is lost. */
static void *post_late(void *arg)
{
    struct late *late = arg;

    for (unsigned i = 0; i < 20; i++)
        sched_yield();
    loop_post(late->loop, &late->task);
    return NULL;
}

static void a_held_loop_is_freed_when_the_last_post_has_come(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct late late = {.task.run = late_run, .loop = begin()};

        loop_hold(late.loop);
        assert_int_equal(pthread_create(&late.thread, NULL, post_late, &late), 0);
        loop_free(late.loop);
        assert_true(late.has_run);
    }
}

static struct loop_timer timers[3];
static int64_t expired_us;

static void on_expired(struct loop_timer *timer)
{
    trace[trace_len++] = (char)('a' + (timer - timers));
    trace[trace_len] = '\0';
    expired_us = loop_now_us(timer->loop);
    if (timer == &timers[2])
        loop_stop(timer->loop);
}

static void timers_expire_in_order_once_and_not_early(void **state)
{
    struct loop *loop = begin();
    int64_t began_us = clock_mono_us();

    (void)state;
    for (int i = 0; i < 3; i++)
        loop_timer_init(&timers[i], loop, on_expired);
    loop_timer_start(&timers[2], 30000);
    loop_timer_start(&timers[0], 1000);
    loop_timer_start(&timers[1], 2000);
    assert_true(loop_timer_is_active(&timers[0]));
    loop_run(loop);
    assert_string_equal(trace, "abc");
    assert_true(expired_us - began_us >= 29000);
    assert_false(loop_timer_is_active(&timers[0]));
    loop_free(loop);
}

static void a_timer_started_again_moves_and_a_stopped_one_is_silent(void **state)
{
    struct loop *loop = begin();

    (void)state;
    for (int i = 0; i < 3; i++)
        loop_timer_init(&timers[i], loop, on_expired);
    loop_timer_start(&timers[0], 1000);
    loop_timer_start(&timers[0], 10000000);
    loop_timer_start(&timers[1], 1000);
    loop_timer_stop(&timers[1]);
    loop_timer_stop(&timers[1]);
    loop_timer_start(&timers[2], 20000);
    loop_run(loop);
    assert_string_equal(trace, "c");
    loop_timer_stop(&timers[0]);
    loop_free(loop);
}

static void a_timer_that_was_never_made_can_be_stopped(void **state)
{
    struct loop_timer timer = {.loop = NULL};

    (void)state;
    loop_timer_stop(&timer);
}

static unsigned seen_events;

static void on_ready(struct loop_io *io, unsigned events)
{
    seen_events |= events;
    loop_io_watch(io, 0);
    loop_stop(io->loop);
}

static void a_descriptor_is_watched_for_what_was_asked(void **state)
{
    struct loop *loop = begin();
    struct loop_io reading = {.fd = -1}, writing = {.fd = -1};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    loop_io_init(&reading, loop, fds[0], on_ready);
    loop_io_init(&writing, loop, fds[1], on_ready);
    loop_io_watch(&reading, LOOP_READ);
    loop_io_watch(&writing, LOOP_WRITE);
    loop_run(loop);
    assert_int_equal(seen_events, LOOP_WRITE);
    assert_int_equal(writing.events, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    seen_events = 0;
    loop_run(loop);
    while (!seen_events)
        loop_run(loop);
    assert_int_equal(seen_events, LOOP_READ);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}

static int caught;

static void on_signal(struct loop_signal *watcher, int number)
{
    caught = number;
    loop_stop(watcher->loop);
}

static void a_signal_arrives_on_the_loop(void **state)
{
    struct loop_signal watcher = {.loop = NULL};
    struct loop *loop = begin();

    (void)state;
    loop_signal_stop(&watcher);
    loop_signal_start(&watcher, loop, SIGUSR1, on_signal);
    assert_int_equal(raise(SIGUSR1), 0);
    while (!caught)
        loop_run(loop);
    assert_int_equal(caught, SIGUSR1);
    loop_signal_stop(&watcher);
    loop_free(loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(posted_tasks_run_in_order),
        cmocka_unit_test(deferred_tasks_run_after_the_turn_and_so_do_theirs),
        cmocka_unit_test(a_loop_that_never_ran_runs_its_tasks_when_freed),
        cmocka_unit_test(many_threads_post_and_nothing_is_lost),
        cmocka_unit_test(a_held_loop_is_freed_when_the_last_post_has_come),
        cmocka_unit_test(timers_expire_in_order_once_and_not_early),
        cmocka_unit_test(a_timer_started_again_moves_and_a_stopped_one_is_silent),
        cmocka_unit_test(a_timer_that_was_never_made_can_be_stopped),
        cmocka_unit_test(a_descriptor_is_watched_for_what_was_asked),
        cmocka_unit_test(a_signal_arrives_on_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
