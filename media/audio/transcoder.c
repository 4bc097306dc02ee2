#include "media/audio/transcoder.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "media/audio/to_opus.h"

/* A second of audio makes 50 Opus frames; frames that are longer than their times say make more. */
enum { MADE_MAX = 128 };

/* Belongs to the home loop until it is posted to the thread's, and from then on to the thread,
 * until it comes back. */
struct job {
    struct loop_task task;
    struct frame *frames[TRANSCODER_QUEUE_FRAMES]; /* owned; the thread gives them back */
    struct frame *made[MADE_MAX];                  /* owned */
    struct tracks *tracks;                         /* owned reference */
    unsigned frame_count, made_count, index, failed_count;
    uint32_t epoch;
    int err; /* of the last frame that failed */
};

struct transcoder {
    struct loop *home; /* borrowed */
    struct loop *loop; /* owned: the thread's */
    pthread_t thread;
    atomic_bool is_closing; /* the job under way may be cut short */

    /* The home loop's. */
    struct transcoder_sink *sink; /* borrowed; NULL when closed */
    struct tracks *tracks;        /* owned reference */
    unsigned index;
    uint32_t epoch;         /* counts the tracks that were not the same */
    struct frame **waiting; /* owned; a ring of TRANSCODER_QUEUE_FRAMES */
    unsigned first, count;  /* in it */
    bool is_busy;           /* send is deferred, or the job is away */
    int err;                /* to be told */
    struct loop_task send;  /* at the end of the turn, for all that came in it */
    struct loop_task end;   /* posted by the thread, last; then deferred, to be freed */
    struct transcoder_counters counters;

    struct job job;

    /* The thread's. */
    struct to_opus_sink made;
    struct to_opus *converter; /* owned; NULL while none could be opened */
    uint32_t converter_epoch;
};

static int on_made(struct to_opus_sink *sink, struct frame *opus)
{
    struct job *job = &list_entry(sink, struct transcoder, made)->job;

    if (job->made_count == MADE_MAX)
        return -ERR_TOO_MANY;
    job->made[job->made_count++] = frame_ref(opus);
    return 0;
}

/* The converter of the job's track. */
static int converter_ready(struct transcoder *transcoder)
{
    struct job *job = &transcoder->job;

    if (transcoder->converter && transcoder->converter_epoch == job->epoch)
        return 0;
    to_opus_close(transcoder->converter);
    transcoder->converter = NULL;
    transcoder->converter_epoch = job->epoch;
    return to_opus_open(&transcoder->converter, &job->tracks->track[job->index], &transcoder->made);
}

static void on_job_done(struct loop_task *task);

/* On the thread. */
static void job_run(struct loop_task *task)
{
    struct job *job = list_entry(task, struct job, task);
    struct transcoder *transcoder = list_entry(job, struct transcoder, job);
    int open_err = converter_ready(transcoder);

    for (unsigned i = 0; i < job->frame_count; i++) {
        bool is_cut = atomic_load_explicit(&transcoder->is_closing, memory_order_relaxed);
        int err = open_err;

        if (err == 0 && !is_cut)
            err = to_opus_push(transcoder->converter, job->frames[i]);
        if (err < 0) {
            job->failed_count++;
            job->err = err;
        }
        frame_unref(job->frames[i]);
    }
    task->run = on_job_done;
    loop_post(transcoder->home, task);
}

static void on_end(struct loop_task *task);

static void *thread_run(void *arg)
{
    struct transcoder *transcoder = arg;
    sigset_t all;

    sigfillset(&all); /* signals are the first loop's */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    loop_run(transcoder->loop);
    to_opus_close(transcoder->converter);
    loop_post(transcoder->home, &transcoder->end);
    return NULL;
}

static void drop_oldest(struct transcoder *transcoder)
{
    frame_unref(transcoder->waiting[transcoder->first]);
    transcoder->first = (transcoder->first + 1) % TRANSCODER_QUEUE_FRAMES;
    transcoder->count--;
}

static void drop_waiting(struct transcoder *transcoder)
{
    while (transcoder->count)
        drop_oldest(transcoder);
}

/* All that waits becomes the next job. */
static void on_send(struct loop_task *task)
{
    struct transcoder *transcoder = list_entry(task, struct transcoder, send);
    struct job *job = &transcoder->job;

    if (!transcoder->sink || !transcoder->count) {
        transcoder->is_busy = false;
        return;
    }
    *job =
        (struct job){.task.run = job_run, .epoch = transcoder->epoch, .index = transcoder->index};
    job->tracks = tracks_ref(transcoder->tracks);
    while (transcoder->count) {
        job->frames[job->frame_count++] = frame_ref(transcoder->waiting[transcoder->first]);
        drop_oldest(transcoder);
    }
    loop_post(transcoder->loop, &job->task);
}

static void send_soon(struct transcoder *transcoder)
{
    if (transcoder->is_busy || !transcoder->count)
        return;
    transcoder->is_busy = true;
    loop_defer(transcoder->home, &transcoder->send);
}

static void publish(struct transcoder *transcoder, struct frame *opus, uint32_t epoch)
{
    if (!transcoder->sink || epoch != transcoder->epoch)
        return;
    transcoder->counters.published++;
    transcoder->sink->on_opus(transcoder->sink, opus);
}

static void on_job_done(struct loop_task *task)
{
    struct job *job = list_entry(task, struct job, task);
    struct transcoder *transcoder = list_entry(job, struct transcoder, job);

    transcoder->is_busy = false;
    transcoder->counters.failed += job->failed_count;
    if (job->err)
        transcoder->err = job->err;
    for (unsigned i = 0; i < job->made_count; i++) {
        publish(transcoder, job->made[i], job->epoch);
        frame_unref(job->made[i]);
    }
    tracks_unref(job->tracks);
    job->tracks = NULL;
    send_soon(transcoder);
}

static void transcoder_free(struct transcoder *transcoder)
{
    tracks_unref(transcoder->tracks);
    loop_free(transcoder->loop);
    free(transcoder->waiting);
    free(transcoder);
}

static void on_freed(struct loop_task *task)
{
    transcoder_free(list_entry(task, struct transcoder, end));
}

/* The thread's last words: it is as good as gone. A send may still be deferred: freed after it. */
static void on_end(struct loop_task *task)
{
    struct transcoder *transcoder = list_entry(task, struct transcoder, end);

    pthread_join(transcoder->thread, NULL);
    loop_release(transcoder->home);
    task->run = on_freed;
    loop_defer(transcoder->home, task);
}

int transcoder_open(struct transcoder **out, struct transcoder_sink *sink)
{
    struct transcoder *transcoder;
    int err;

    if (!loop_current())
        return -ERR_NOT_READY;
    transcoder = calloc(1, sizeof(*transcoder));
    if (!transcoder)
        return -ENOMEM;
    transcoder->home = loop_current();
    transcoder->sink = sink;
    transcoder->send.run = on_send;
    transcoder->end.run = on_end;
    transcoder->made.push = on_made;
    transcoder->waiting = calloc(TRANSCODER_QUEUE_FRAMES, sizeof(struct frame *));
    err = transcoder->waiting ? loop_new(&transcoder->loop, loop_index(transcoder->home)) : -ENOMEM;
    if (err == 0)
        err = -pthread_create(&transcoder->thread, NULL, thread_run, transcoder);
    if (err < 0) {
        transcoder_free(transcoder);
        return err;
    }
    *out = transcoder;
    return 0;
}

void transcoder_close(struct transcoder *transcoder)
{
    if (!transcoder)
        return;
    transcoder->sink = NULL;
    drop_waiting(transcoder);
    atomic_store_explicit(&transcoder->is_closing, true, memory_order_relaxed);
    loop_hold(transcoder->home);
    loop_stop(transcoder->loop);
}

static bool is_same_buf(const struct buf *a, const struct buf *b)
{
    if (!a || !b)
        return a == b;
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool is_same_track(const struct track *a, const struct track *b)
{
    return a->codec == b->codec && a->clock_rate == b->clock_rate && a->channels == b->channels &&
           is_same_buf(a->config, b->config);
}

int transcoder_set_track(struct transcoder *transcoder, struct tracks *tracks, unsigned index)
{
    struct tracks *old = transcoder->tracks;

    if (index >= tracks->count || !to_opus_can(&tracks->track[index]))
        return -ERR_UNSUPPORTED;
    if (!old || index != transcoder->index ||
        !is_same_track(&tracks->track[index], &old->track[index])) {
        drop_waiting(transcoder);
        transcoder->epoch++;
    }
    transcoder->tracks = tracks_ref(tracks);
    transcoder->index = index;
    tracks_unref(old);
    return 0;
}

/* By the frames' own times; one that goes back makes the span as good as endless. */
static bool is_over_limits(const struct transcoder *transcoder, const struct frame *newest)
{
    const struct frame *oldest = transcoder->waiting[transcoder->first];

    return transcoder->count == TRANSCODER_QUEUE_FRAMES ||
           (uint64_t)newest->dts_us - (uint64_t)oldest->dts_us > TRANSCODER_QUEUE_US;
}

int transcoder_push(struct transcoder *transcoder, struct frame *frame)
{
    unsigned end;
    int err = transcoder->err;

    if (!transcoder->tracks || frame->track != transcoder->index)
        return -ERR_NOT_FOUND;
    transcoder->err = 0;
    transcoder->counters.taken++;
    while (transcoder->count && is_over_limits(transcoder, frame)) {
        drop_oldest(transcoder);
        transcoder->counters.dropped++;
    }
    end = (transcoder->first + transcoder->count++) % TRANSCODER_QUEUE_FRAMES;
    transcoder->waiting[end] = frame_ref(frame);
    send_soon(transcoder);
    return err;
}

struct transcoder_counters transcoder_counters(const struct transcoder *transcoder)
{
    return transcoder->counters;
}
