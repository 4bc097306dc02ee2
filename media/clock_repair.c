/* Each track's timestamps are walked in steps: a good step moves its position, a bad one is
 * replaced by the mean. On top of that a slow correction keeps positions with the camera's
 * sender reports (so that tracks stay together), and those, or a track without them, with the
 * arrival times. Nothing is ever held back: a unit's times follow from those before it. */
#include "media/clock_repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/track.h"

enum { SECOND = 1000000, REORDER_MAX = 16 };

enum {
    STEP_MAX_US = 2 * SECOND,  /* a longer step must be borne out by the arrival times */
    STEP_MAX_MEANS = 10,       /* unless the camera is that slow */
    MEAN_PRESET_US = 40000,    /* until a step has been seen */
    DEBT_MAX_US = 60 * SECOND, /* how long a clock may stand still and then catch up */
    STALL_UNITS = 5,           /* so many equal timestamps are a clock that stands */
    BLOCK_US = 5 * SECOND,     /* over which the least late arrival is looked for */
    DRIFT_TOLD_US = SECOND / 10,
    REPORT_ODD_US = SECOND / 2,
    REPORT_MAX_US = 2 * SECOND,   /* a sender report further off is not believed, */
    REPORT_AGE_US = 10 * SECOND,  /* nor one for a time that far from the units' */
    REPORTS_REFUSED_MAX = 3,      /* so many in turn that are off mean a clock set anew */
    REPORT_WALL_US = 60 * SECOND, /* a camera's wall clock is believed up to that far off ours */
    YOUNG_US = 10 * SECOND        /* a young track is corrected faster */
};

/* Corrections, in parts per million of the time that passes. */
enum { SLEW_ARRIVAL = 500, SLEW_REPORT = 5000, SLEW_YOUNG = 50000, SLEW_FAR = 200000 };

struct report {
    bool is_new, is_odd; /* odd: it doesn't go on as the one before did */
    uint32_t timestamp;
    int64_t wall_us;
};

struct track_clock {
    uint32_t rate;
    bool has_unit;
    uint32_t last_timestamp;
    int64_t last_arrival_us, last_dts_us;
    int32_t last_poc;
    unsigned equal_count;

    /* Where it is on the stream's clock: origin_us + ticks in microseconds, so that nothing is
     * lost by rounding. */
    int64_t origin_us, ticks;
    int64_t mean_us;
    int64_t debt_us; /* what was added in place of steps that may yet come */

    int64_t error_us; /* still to be added by and by */
    int64_t slew_ppm;
    int64_t start_us;

    /* Arrival less position: how late units come. The least of a block tells of drift. */
    int64_t block_end_us, block_least_us, least_us;
    bool has_block, has_least;
    unsigned far_blocks;

    struct report report;
    bool follows_reports;
    unsigned refused_reports;

    unsigned reorder;
    int64_t shown[REORDER_MAX + 1]; /* the last positions, the least first: the next dts */
};

struct clock_repair {
    int64_t base_us, wall_us;
    bool has_start;
    int64_t start_arrival_us;

    /* Camera's wall clock to stream's clock: the same for all tracks. */
    bool has_anchor, anchor_is_wall;
    int64_t anchor_us; /* position = wall + anchor */
    unsigned anchor_track;

    struct track_clock track[TRACKS_MAX];
};

int clock_repair_open(struct clock_repair **out, int64_t base_us, int64_t wall_us)
{
    struct clock_repair *repair = calloc(1, sizeof(*repair));

    if (!repair)
        return -ENOMEM;
    repair->base_us = base_us;
    repair->wall_us = wall_us;
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        repair->track[i].rate = 90000;
    *out = repair;
    return 0;
}

void clock_repair_close(struct clock_repair *repair)
{
    free(repair);
}

static int64_t clamp(int64_t value, int64_t limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int64_t ticks_to_us(const struct track_clock *track, int64_t ticks)
{
    int64_t half = track->rate / 2;

    return (ticks * SECOND + (ticks < 0 ? -half : half)) / (int64_t)track->rate;
}

static int64_t position(const struct track_clock *track)
{
    return track->origin_us + ticks_to_us(track, track->ticks);
}

/* Moves what the ticks say into the origin, before they overflow or change their meaning. */
static void settle(struct track_clock *track)
{
    track->origin_us = position(track);
    track->ticks = 0;
}

static struct track_clock *track_of(struct clock_repair *repair, unsigned track)
{
    return &repair->track[track < TRACKS_MAX ? track : TRACKS_MAX - 1];
}

void clock_repair_set_rate(struct clock_repair *repair, unsigned track, uint32_t clock_rate)
{
    struct track_clock *clock = track_of(repair, track);

    settle(clock);
    clock->rate = clock_rate ? clock_rate : 90000;
}

/* From report to report both clocks must go on alike: not so where one stands or was set. */
static bool is_odd(const struct track_clock *track, uint32_t timestamp, int64_t wall_us)
{
    int64_t passed_us = ticks_to_us(track, (int32_t)(timestamp - track->report.timestamp));

    return track->report.wall_us &&
           distance(wall_us - track->report.wall_us, passed_us) > REPORT_ODD_US;
}

void clock_repair_report(struct clock_repair *repair, unsigned track, uint32_t timestamp,
                         int64_t wall_us, int64_t arrival_us)
{
    struct track_clock *clock = track_of(repair, track);

    (void)arrival_us;
    /* Before 1970 or after 2100: the camera doesn't know; such a number could overflow ours. */
    if (wall_us <= 0 || wall_us > (int64_t)4102444800 * SECOND)
        return;
    clock->report = (struct report){
        .is_new = true,
        .is_odd = is_odd(clock, timestamp, wall_us),
        .timestamp = timestamp,
        .wall_us = wall_us,
    };
}

static void start_track(struct clock_repair *repair, struct track_clock *track,
                        const struct clock_unit *unit)
{
    if (!repair->has_start) {
        repair->has_start = true;
        repair->start_arrival_us = unit->arrival_us;
    }
    track->has_unit = true;
    track->origin_us = repair->base_us + unit->arrival_us - repair->start_arrival_us;
    track->start_us = track->origin_us;
    track->ticks = 0;
    track->mean_us = unit->duration ? ticks_to_us(track, unit->duration) : MEAN_PRESET_US;
    track->last_dts_us = repair->base_us - 1;
    track->block_end_us = unit->arrival_us + BLOCK_US;
}

/* A step that goes back because the picture is shown before one that was decoded earlier. */
static bool is_reordered(const struct track_clock *track, const struct clock_unit *unit)
{
    return unit->has_poc && !unit->is_key && unit->poc_delta < track->last_poc;
}

static void note_mean(struct track_clock *track, const struct clock_unit *unit, int64_t step_us)
{
    /* With B-frames steps go to and fro about the mean: so slowly. */
    int64_t weight = track->reorder ? 64 : 16;

    track->mean_us += (step_us - track->mean_us) / weight;
    if (unit->duration)
        track->mean_us = ticks_to_us(track, unit->duration);
    if (track->mean_us < 1000)
        track->mean_us = 1000;
    if (track->mean_us > 10 * SECOND)
        track->mean_us = 10 * SECOND;
}

/* Goes on by the mean; owed is what the timestamps may yet make up for. */
static void take_mean(struct track_clock *track, int64_t owed_us)
{
    track->origin_us += track->mean_us;
    track->debt_us = owed_us > DEBT_MAX_US ? 0 : owed_us;
}

/* The clock doesn't go on, or goes back. */
static enum clock_event step_back(struct track_clock *track, int64_t step_us)
{
    take_mean(track, track->debt_us + track->mean_us - step_us);
    if (step_us < 0)
        return CLOCK_BACKWARDS;
    return ++track->equal_count >= STALL_UNITS ? CLOCK_STALLED : CLOCK_OK;
}

/* The clock goes on by more than it may: believed where the units came that much later. */
static enum clock_event step_far(struct track_clock *track, int64_t step_us, int64_t arrived_us,
                                 int64_t limit_us)
{
    track->debt_us = 0;
    if (distance(step_us, arrived_us) < SECOND + arrived_us / 4) {
        track->origin_us += step_us;
        return CLOCK_OK;
    }
    track->report.is_new = track->follows_reports = false;
    if (arrived_us > limit_us)
        track->origin_us += arrived_us;
    else
        track->origin_us += track->mean_us;
    return CLOCK_JUMPED;
}

static enum clock_event step(struct track_clock *track, const struct clock_unit *unit)
{
    int32_t ticks = (int32_t)(unit->timestamp - track->last_timestamp);
    int64_t step_us = ticks_to_us(track, ticks);
    int64_t limit_us = track->mean_us * STEP_MAX_MEANS;

    if (limit_us < STEP_MAX_US)
        limit_us = STEP_MAX_US;
    if (step_us - track->debt_us > limit_us || step_us < -limit_us)
        return step_far(track, step_us, unit->arrival_us - track->last_arrival_us, limit_us);
    if (step_us <= 0 && !(step_us < 0 && is_reordered(track, unit)))
        return step_back(track, step_us);
    track->equal_count = 0;
    if (track->debt_us && step_us > 0) {
        /* What was added meanwhile comes off, where the clock has caught up. */
        if (step_us - track->debt_us >= track->mean_us / 4)
            track->origin_us -= track->debt_us;
        track->debt_us = 0;
    } else {
        note_mean(track, unit, step_us);
    }
    track->ticks += ticks;
    if (distance(track->ticks, 0) > (int64_t)1 << 40)
        settle(track);
    return CLOCK_OK;
}

/* The end of a block: how far the track has drifted from the arrival times. */
static void judge_block(struct clock_repair *repair, struct track_clock *track)
{
    bool is_anchor = repair->has_anchor && track == &repair->track[repair->anchor_track];
    int64_t error = track->block_least_us - track->least_us;

    if (!track->has_least || (track->follows_reports && !is_anchor)) {
        track->has_least = true;
        track->least_us = track->block_least_us;
        return;
    }
    track->far_blocks = distance(error, 0) > 4 * SECOND ? track->far_blocks + 1 : 0;
    if (track->follows_reports) {
        /* Reports keep the tracks together; the arrival times carry all of them along. */
        repair->anchor_us += clamp(error, (int64_t)BLOCK_US * SLEW_ARRIVAL / SECOND);
        return;
    }
    track->error_us = error;
    track->slew_ppm = track->far_blocks > 1 ? SLEW_FAR : SLEW_ARRIVAL;
}

static void note_arrival(struct clock_repair *repair, struct track_clock *track, int64_t arrival_us)
{
    int64_t late_us = arrival_us - repair->start_arrival_us - (position(track) - repair->base_us);

    if (!track->has_block || late_us < track->block_least_us)
        track->block_least_us = late_us;
    track->has_block = true;
    if (arrival_us < track->block_end_us)
        return;
    judge_block(repair, track);
    track->has_block = false;
    track->block_end_us = arrival_us + BLOCK_US;
}

/* Makes this track's report the measure for all: its position stays as it is. */
static void anchor(struct clock_repair *repair, struct track_clock *track, int64_t wall_us,
                   int64_t arrival_us)
{
    int64_t ours = repair->wall_us + arrival_us - repair->start_arrival_us;

    for (unsigned i = 0; i < TRACKS_MAX; i++)
        repair->track[i].follows_reports = false;
    repair->has_anchor = true;
    repair->anchor_track = (unsigned)(track - repair->track);
    repair->anchor_us = position(track) - wall_us;
    repair->anchor_is_wall = repair->wall_us && distance(ours, wall_us) < REPORT_WALL_US;
    track->error_us = 0;
}

/* Compares a new report with where the track is. */
static void judge_report(struct clock_repair *repair, struct track_clock *track,
                         const struct clock_unit *unit)
{
    int64_t since_us = ticks_to_us(track, (int32_t)(unit->timestamp - track->report.timestamp));
    int64_t wall_us = track->report.wall_us + since_us;
    bool was_following = track->follows_reports;
    int64_t error;

    track->report.is_new = false;
    if (distance(since_us, 0) > REPORT_AGE_US)
        return;
    if (!repair->has_anchor)
        anchor(repair, track, wall_us, unit->arrival_us);
    error = wall_us + repair->anchor_us - position(track);
    if (track->report.is_odd || distance(error, 0) > REPORT_MAX_US) {
        track->follows_reports = false;
        if (++track->refused_reports < REPORTS_REFUSED_MAX || track->report.is_odd ||
            track != &repair->track[repair->anchor_track])
            return;
        anchor(repair, track, wall_us, unit->arrival_us);
        error = 0;
    }
    track->refused_reports = 0;
    track->follows_reports = true;
    /* Single reports are off by some milliseconds: their mean isn't. */
    track->error_us = was_following ? error / 4 + track->error_us * 3 / 4 : error;
    track->slew_ppm = position(track) - track->start_us < YOUNG_US ? SLEW_YOUNG : SLEW_REPORT;
}

/* A part of the correction, in proportion to the time that has passed. */
static enum clock_event correct(struct track_clock *track, int64_t passed_us)
{
    int64_t most = passed_us > 0 ? clamp(passed_us, SECOND) * track->slew_ppm / SECOND : 0;
    int64_t now = clamp(track->error_us, most);

    track->origin_us += now;
    track->error_us -= now;
    if (track->follows_reports || distance(track->error_us, 0) < DRIFT_TOLD_US)
        return CLOCK_OK;
    return CLOCK_DRIFTING;
}

/* Room for a deeper reordering: below what is there, a mean apart. */
static void grow_reorder(struct track_clock *track, unsigned reorder, int64_t now_us)
{
    unsigned more;

    if (reorder > REORDER_MAX)
        reorder = REORDER_MAX;
    more = reorder - track->reorder;
    if (!track->reorder)
        track->shown[0] = now_us;
    memmove(track->shown + more, track->shown, (track->reorder + 1) * sizeof(track->shown[0]));
    for (unsigned i = more; i-- > 0;)
        track->shown[i] = track->shown[i + 1] - track->mean_us;
    track->reorder = reorder;
}

/* The decoding time: as many pictures behind as decoding runs ahead of display, so the least
 * of the last positions. */
static int64_t decoding_time(struct track_clock *track, const struct clock_unit *unit,
                             int64_t pts_us)
{
    if (unit->has_poc && unit->reorder > track->reorder)
        grow_reorder(track, unit->reorder, pts_us);
    if (!track->reorder)
        return pts_us;
    track->shown[0] = pts_us;
    for (unsigned i = 0; i < track->reorder && track->shown[i] > track->shown[i + 1]; i++) {
        int64_t swapped = track->shown[i];

        track->shown[i] = track->shown[i + 1];
        track->shown[i + 1] = swapped;
    }
    return track->shown[0];
}

static int64_t wall_of(const struct clock_repair *repair, int64_t pts_us)
{
    if (repair->has_anchor && repair->anchor_is_wall)
        return pts_us - repair->anchor_us;
    return repair->wall_us ? repair->wall_us + pts_us - repair->base_us : 0;
}

struct clock_times clock_repair_unit(struct clock_repair *repair, const struct clock_unit *unit)
{
    struct track_clock *track = track_of(repair, unit->track);
    struct clock_times times = {.event = CLOCK_OK};
    enum clock_event drift = CLOCK_OK;

    if (!track->has_unit) {
        start_track(repair, track, unit);
    } else {
        times.event = step(track, unit);
        drift = correct(track, unit->arrival_us - track->last_arrival_us);
    }
    track->last_timestamp = unit->timestamp;
    track->last_arrival_us = unit->arrival_us;
    track->last_poc = unit->poc_delta;
    note_arrival(repair, track, unit->arrival_us);
    if (track->report.is_new)
        judge_report(repair, track, unit);
    if (times.event == CLOCK_OK)
        times.event = drift;

    times.pts_us = position(track);
    times.dts_us = decoding_time(track, unit, times.pts_us);
    if (times.dts_us <= track->last_dts_us)
        times.dts_us = track->last_dts_us + 1;
    if (times.pts_us < times.dts_us)
        times.pts_us = times.dts_us;
    track->last_dts_us = times.dts_us;
    times.wall_us = wall_of(repair, times.pts_us);
    return times;
}
