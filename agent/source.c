#include "agent/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/rtsp_client.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "media/clock_repair.h"

enum {
    SOURCE_TRACKS = 2,
    STALL_US = 10 * 1000000, /* connected, and nothing came for so long */
    TRACKS_US = 2 * 1000000, /* how long tracks that describe themselves in band are waited for */
    BACKOFF_FIRST_US = 1000000,
    BACKOFF_MAX_US = 15 * 1000000,
    WALL_BASE_US = 1,        /* dts is on the wall clock already; 0 would say that it isn't known */
    STEADY_US = 30 * 1000000 /* after so long of pictures a new failure begins at the first */
};

struct source {
    struct loop *loop;
    const struct source_handler *handler;
    void *owner;
    const struct allow *allow;
    char name[64];
    struct rtsp_url url;
    struct rtsp_client *client; /* owned; NULL between tries */
    struct clock_repair *clock; /* owned; one a try */
    struct loop_timer retry, watchdog, settle;
    struct loop_task gone;
    int64_t backoff_us, live_since_us;
    int64_t last_dts_us; /* of anything given so far: time never goes back */
    enum source_state state;
    char text[192];

    struct track tracks[SOURCE_TRACKS]; /* as the client last said; config owned */
    bool is_known[SOURCE_TRACKS];
    unsigned track_count;     /* set up; 0 before PLAY */
    struct tracks *published; /* owned reference; NULL before the first */
    uint32_t generation;
    bool has_key;     /* a key frame came on this try: frames may go out */
    bool has_changed; /* tracks differ from what was published */
    uint64_t unit_count, unit_count_seen;
};

static void try_now(struct source *source);

static void set_state(struct source *source, enum source_state state, const char *text)
{
    if (source->state == state && strcmp(source->text, text) == 0)
        return;
    source->state = state;
    snprintf(source->text, sizeof(source->text), "%s", text);
    source->handler->on_state(source->owner, state, source->text);
}

static void forget_tracks(struct source *source)
{
    for (unsigned i = 0; i < SOURCE_TRACKS; i++) {
        buf_unref(source->tracks[i].config);
        source->tracks[i].config = NULL;
        source->is_known[i] = false;
    }
    source->track_count = 0;
    source->has_key = false;
}

static void stop_client(struct source *source)
{
    rtsp_client_close(source->client);
    source->client = NULL;
    clock_repair_close(source->clock);
    source->clock = NULL;
    loop_timer_stop(&source->watchdog);
    loop_timer_stop(&source->settle);
    forget_tracks(source);
}

/* 1, 2, 4, 8, 15 s, each shortened by up to a quarter, so that cameras are not asked in step. */
static void try_later(struct source *source)
{
    int64_t now_us = loop_now_us(source->loop);

    if (source->live_since_us && now_us - source->live_since_us > STEADY_US)
        source->backoff_us = BACKOFF_FIRST_US;
    source->live_since_us = 0;
    loop_timer_start(&source->retry,
                     source->backoff_us - (int64_t)random_below((uint64_t)source->backoff_us / 4));
    source->backoff_us *= 2;
    if (source->backoff_us > BACKOFF_MAX_US)
        source->backoff_us = BACKOFF_MAX_US;
}

static void fail(struct source *source, enum source_state state, const char *text)
{
    stop_client(source);
    LOG(LOG_INFO, "camera", source->name, "failed", KV_S("text", text));
    set_state(source, state, text);
    try_later(source);
}

static void on_failed(void *owner, enum rtsp_failure failure, const char *text)
{
    static const enum source_state states[] = {
        [RTSP_UNREACHABLE] = SOURCE_UNREACHABLE, [RTSP_UNAUTHORISED] = SOURCE_UNAUTHORISED,
        [RTSP_UNSUPPORTED] = SOURCE_UNSUPPORTED, [RTSP_REFUSED] = SOURCE_UNREACHABLE,
        [RTSP_BROKEN] = SOURCE_UNREACHABLE,      [RTSP_TIMED_OUT] = SOURCE_UNREACHABLE};
    struct source *source = owner;

    source->client = NULL;
    fail(source, states[failure], text);
}

static bool is_same_track(const struct track *a, const struct track *b)
{
    if (a->codec != b->codec || a->clock_rate != b->clock_rate || a->channels != b->channels ||
        a->has_b_frames != b->has_b_frames || !a->config != !b->config)
        return false;
    return !a->config || (a->config->len == b->config->len &&
                          memcmp(a->config->bytes, b->config->bytes, a->config->len) == 0);
}

static void on_track(void *owner, unsigned index, const struct track *track)
{
    struct source *source = owner;
    struct track *own = &source->tracks[index];

    if (source->is_known[index] && is_same_track(own, track))
        return;
    buf_unref(own->config);
    *own = *track;
    buf_ref(own->config);
    source->is_known[index] = true;
    source->has_changed = true;
    if (source->clock)
        clock_repair_set_rate(source->clock, index, track->clock_rate);
}

/* Everything that was set up has said what it is; or has had its time. */
static bool are_tracks_ready(const struct source *source)
{
    bool is_late = !loop_timer_is_active(&source->settle), has_any = false;

    for (unsigned i = 0; i < source->track_count; i++) {
        if (!source->is_known[i] && !is_late)
            return false;
        has_any |= source->is_known[i];
    }
    return has_any;
}

static const char *live_text(const struct source *source)
{
    for (unsigned i = 0; i < source->track_count; i++)
        if (source->is_known[i] && source->tracks[i].has_b_frames)
            return "Pictures are flowing, but with B-frames, which browsers don't play over "
                   "WebRTC: set the camera's profile to Baseline, or its B-frames to 0.";
    return "Pictures are flowing.";
}

/* Tracks are given out with their places kept: one that is not known yet has no codec. */
static bool publish_tracks(struct source *source)
{
    struct tracks *tracks;

    if (!source->has_changed)
        return source->published != NULL;
    if (!are_tracks_ready(source))
        return false;
    tracks = tracks_new(source->track_count);
    if (!tracks)
        return false;
    tracks->generation = ++source->generation;
    tracks->wall_base_us = WALL_BASE_US;
    for (unsigned i = 0; i < source->track_count; i++) {
        if (!source->is_known[i])
            continue;
        tracks->track[i] = source->tracks[i];
        buf_ref(tracks->track[i].config);
    }
    tracks_unref(source->published);
    source->published = tracks;
    source->has_changed = false;
    source->handler->on_tracks(source->owner, tracks);
    if (source->state == SOURCE_LIVE)
        set_state(source, SOURCE_LIVE, live_text(source));
    return true;
}

static bool has_video(const struct source *source)
{
    for (unsigned i = 0; i < source->track_count; i++)
        if (source->is_known[i] && codec_is_video(source->tracks[i].codec))
            return true;
    return false;
}

/* Before the first key frame a viewer could show nothing. */
static bool passes_gate(struct source *source, unsigned index, const struct access_unit *unit)
{
    bool is_video = codec_is_video(source->tracks[index].codec);

    if (!source->has_key)
        source->has_key = (is_video || !has_video(source)) && unit->is_key;
    return source->has_key;
}

static void give_frame(struct source *source, unsigned index, const struct access_unit *unit,
                       const struct clock_times *times)
{
    struct frame *frame = frame_new(buf_ref(unit->buf));

    if (!frame)
        return;
    frame->track = (uint8_t)index;
    frame->is_key = unit->is_key;
    frame->is_discardable = unit->is_discardable;
    frame->dts_us = times->dts_us;
    frame->pts_us = times->pts_us;
    /* Until the camera says better: dts is on the agent's wall clock (see try_now). */
    frame->wall_us = times->wall_us ? times->wall_us : times->dts_us;
    frame->segment = SEGMENT_NONE;
    source->handler->on_frame(source->owner, frame);
    frame_unref(frame);
}

static void say_live(struct source *source)
{
    if (source->state == SOURCE_LIVE)
        return;
    source->live_since_us = loop_now_us(source->loop);
    set_state(source, SOURCE_LIVE, live_text(source));
}

static void on_unit(void *owner, unsigned index, const struct access_unit *unit)
{
    struct source *source = owner;
    struct clock_unit clock_unit = {.track = index,
                                    .timestamp = unit->timestamp,
                                    .arrival_us = loop_now_us(source->loop),
                                    .is_key = unit->is_key,
                                    .has_poc = unit->has_poc,
                                    .poc_delta = unit->poc_delta,
                                    .reorder = unit->reorder,
                                    .duration = unit->duration};
    struct clock_times times;

    source->unit_count++;
    if (!source->is_known[index] || !passes_gate(source, index, unit))
        return;
    times = clock_repair_unit(source->clock, &clock_unit);
    if (times.dts_us > source->last_dts_us)
        source->last_dts_us = times.dts_us;
    if (!publish_tracks(source)) {
        source->has_key = false; /* a key frame that nobody can have is none */
        return;
    }
    say_live(source);
    give_frame(source, index, unit, &times);
}

static void on_report(void *owner, unsigned index, const struct rtcp_report *report)
{
    struct source *source = owner;

    clock_repair_report(source->clock, index, report->rtp_time, wall_us_of_ntp(report->ntp),
                        loop_now_us(source->loop));
}

static void on_playing(void *owner, unsigned track_count)
{
    struct source *source = owner;

    source->track_count = track_count;
    source->has_changed = true;
    loop_timer_start(&source->settle, TRACKS_US);
}

static const struct rtsp_client_handler client_handler = {
    .on_track = on_track,
    .on_unit = on_unit,
    .on_report = on_report,
    .on_playing = on_playing,
    .on_failed = on_failed,
};

static void on_watchdog(struct loop_timer *timer)
{
    struct source *source = list_entry(timer, struct source, watchdog);

    if (source->unit_count == source->unit_count_seen) {
        fail(source, SOURCE_STALLED,
             "The camera is connected but has sent nothing for 10 seconds.");
        return;
    }
    source->unit_count_seen = source->unit_count;
    loop_timer_start(&source->watchdog, STALL_US / 2);
}

static void on_settled(struct loop_timer *timer)
{
    (void)timer; /* from now on what is known is enough: the next frame publishes it */
}

static void on_retry(struct loop_timer *timer)
{
    try_now(list_entry(timer, struct source, retry));
}

static void try_now(struct source *source)
{
    struct rtsp_client_config config = {source->loop, &source->url, source->allow};
    int64_t wall_us = clock_wall_us();
    /* On the wall clock's scale, so that a timeline goes on over restarts too; never back. */
    int64_t base_us = wall_us > source->last_dts_us ? wall_us : source->last_dts_us + 40000;
    int err = clock_repair_open(&source->clock, base_us, wall_us);

    if (err == 0)
        err = rtsp_client_open(&source->client, &config, &client_handler, source);
    if (err < 0) {
        source->client = NULL;
        fail(source, SOURCE_UNREACHABLE, "The agent is out of memory.");
        return;
    }
    source->unit_count_seen = source->unit_count;
    loop_timer_start(&source->watchdog, STALL_US);
}

static void on_first_try(struct loop_timer *timer)
{
    struct source *source = list_entry(timer, struct source, retry);

    timer->on_expired = on_retry;
    set_state(source, SOURCE_CONNECTING, "The agent is connecting to the camera.");
    try_now(source);
}

int source_open(struct source **out, const struct source_config *config,
                const struct source_handler *handler, void *owner)
{
    struct source *source = calloc(1, sizeof(*source));
    int err;

    if (!source)
        return -ENOMEM;
    err = rtsp_url_parse(&source->url, config->url);
    if (err < 0) {
        free(source);
        return err;
    }
    source->loop = config->loop;
    source->allow = config->allow;
    source->handler = handler;
    source->owner = owner;
    source->backoff_us = BACKOFF_FIRST_US;
    source->state = SOURCE_UNREACHABLE; /* whatever is said first is news */
    snprintf(source->name, sizeof(source->name), "%s", config->name);
    loop_timer_init(&source->retry, config->loop, on_first_try);
    loop_timer_init(&source->watchdog, config->loop, on_watchdog);
    loop_timer_init(&source->settle, config->loop, on_settled);
    loop_timer_start(&source->retry, 0);
    *out = source;
    return 0;
}

static void source_free(struct loop_task *task)
{
    struct source *source = list_entry(task, struct source, gone);

    tracks_unref(source->published);
    secret_wipe(&source->url, sizeof(source->url));
    free(source);
}

void source_close(struct source *source)
{
    if (!source)
        return;
    stop_client(source);
    loop_timer_stop(&source->retry);
    source->gone.run = source_free;
    loop_defer(source->loop, &source->gone);
}
