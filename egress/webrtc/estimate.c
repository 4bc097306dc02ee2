#include "egress/webrtc/estimate.h"

#include <math.h>
#include <string.h>

enum {
    MS = 1000,
    SECOND = 1000 * MS,
    SLOT_US = 50 * MS,
    RATE_MIN_US = 150 * MS, /* a rate over less than this is noise */
    BURST_US = 5 * MS,      /* packets that leave within this are one group */
    JUMP_US = 3 * SECOND,   /* between groups: a clock was set, or sending paused */
    COUNT_MAX = 60,         /* groups that make the slope as credible as it gets */
    OVERUSE_MS = 10,        /* for so long, before it is believed */
    DECREASE_US = 200 * MS, /* at most one decrease in it */
    REPORTS_US = 800 * MS,  /* receiver reports come to one step in it */
    PACKET_BITS = 1200 * 8,
    LOSS_LOW = 20,   /* permille: below, loss is no reason not to grow */
    LOSS_HIGH = 80,  /* permille: above, it is one to shrink (the draft's 10 % less some margin) */
    LOSS_FULL = 150, /* permille: above, without other signs, it is a full queue's */
    TIGHT_US = 10 * SECOND,
    PAUSE_US = 120 * MS, /* between packets: nothing was being sent */
    LOSS_PACKETS = 20    /* fewer say nothing about loss */
};

static const double SLOPE_GAIN = 4, DELAY_SMOOTHING = 0.9, GROWTH_A_SECOND = 0.08,
                    TIGHT_GROWTH_A_SECOND = 0.2;
static const double THRESHOLD_START_MS = 12.5, THRESHOLD_MIN_MS = 6, THRESHOLD_MAX_MS = 600;
static const double THRESHOLD_UP = 0.0087, THRESHOLD_DOWN = 0.039, THRESHOLD_OUTLIER_MS = 15;

static uint32_t bounded(double bps)
{
    if (bps < ESTIMATE_MIN_BPS)
        return ESTIMATE_MIN_BPS;
    return bps > ESTIMATE_MAX_BPS ? ESTIMATE_MAX_BPS : (uint32_t)bps;
}

static double seconds_between(int64_t from_us, int64_t to_us)
{
    double elapsed = (double)(to_us - from_us) / SECOND;

    return elapsed < 0 ? 0 : elapsed < 1 ? elapsed : 1;
}

/* Whether transport-wide feedback has ever come: without, delay says nothing. */
static bool has_arrivals(const struct estimate_detector *detector)
{
    return detector->acked_sent_us > 0;
}

static void settle(struct estimate *estimate)
{
    const struct estimate_detector *detector = &estimate->detector;
    double bps = fmin(detector->loss_bps, detector->limit_bps);

    estimate->bps = bounded(has_arrivals(detector) ? fmin(bps, detector->delay_bps) : bps);
}

/* ---- rates ----------------------------------------------------------------------------------- */

static void rate_begin(struct estimate_rate *rate, int64_t at_us)
{
    *rate = (struct estimate_rate){
        .slot = at_us / SLOT_US, .first_us = at_us, .newest_us = at_us, .has_begun = true};
}

static void rate_add(struct estimate_rate *rate, uint32_t bytes, int64_t at_us)
{
    int64_t slot = at_us / SLOT_US;

    if (!rate->has_begun || slot - rate->slot >= ESTIMATE_SLOTS ||
        rate->newest_us - at_us > JUMP_US)
        rate_begin(rate, at_us);
    if (rate->slot - slot >= ESTIMATE_SLOTS)
        return;
    for (; rate->slot < slot; rate->slot++)
        rate->bytes[(rate->slot + 1) % ESTIMATE_SLOTS] = 0;
    rate->bytes[slot % ESTIMATE_SLOTS] += bytes;
    if (at_us > rate->newest_us)
        rate->newest_us = at_us;
}

/* 0 while it can't be known. */
static uint32_t rate_bps(const struct estimate_rate *rate)
{
    int64_t begin_us = (rate->slot - (ESTIMATE_SLOTS - 1)) * SLOT_US, elapsed_us;
    uint64_t bits = 0;

    elapsed_us = rate->newest_us - (begin_us > rate->first_us ? begin_us : rate->first_us);
    if (elapsed_us < RATE_MIN_US)
        return 0;
    for (unsigned i = 0; i < ESTIMATE_SLOTS; i++)
        bits += (uint64_t)rate->bytes[i] * 8;
    return bounded((double)bits * SECOND / (double)elapsed_us);
}

/* ---- the line through the groups' delays ----------------------------------------------------- */

static void line_reset(struct estimate_detector *detector)
{
    detector->group.is_begun = detector->previous.is_begun = false;
    detector->group_count = detector->over_count = 0;
    detector->delay_ms = detector->smoothed_ms = detector->over_ms = 0;
    detector->slope = detector->last_slope = 0;
    detector->usage = ESTIMATE_NORMAL;
}

/* The slope of the line of least squares. */
static double line_slope(const struct estimate_detector *detector)
{
    double x_mean = 0, y_mean = 0, rise = 0, run = 0;

    for (unsigned i = 0; i < ESTIMATE_GROUPS; i++) {
        x_mean += detector->x_ms[i] / ESTIMATE_GROUPS;
        y_mean += detector->y_ms[i] / ESTIMATE_GROUPS;
    }
    for (unsigned i = 0; i < ESTIMATE_GROUPS; i++) {
        double x = detector->x_ms[i] - x_mean;

        rise += x * (detector->y_ms[i] - y_mean);
        run += x * x;
    }
    return run > 0 ? rise / run : 0;
}

static void line_add(struct estimate_detector *detector, double variation_ms, int64_t arrival_us)
{
    unsigned at = detector->group_count % ESTIMATE_GROUPS;

    if (detector->group_count++ == 0)
        detector->first_arrival_us = arrival_us;
    detector->delay_ms += variation_ms;
    detector->smoothed_ms =
        DELAY_SMOOTHING * detector->smoothed_ms + (1 - DELAY_SMOOTHING) * detector->delay_ms;
    detector->x_ms[at] = (double)(arrival_us - detector->first_arrival_us) / MS;
    detector->y_ms[at] = detector->smoothed_ms;
    if (detector->group_count >= ESTIMATE_GROUPS)
        detector->slope = line_slope(detector);
}

/* The threshold follows the slope, faster down than up, so that a queue that others fill does not
 * starve us (section 5.4); single great leaps leave it. */
static void threshold_adapt(struct estimate_detector *detector, double slope_ms, int64_t at_us)
{
    double over_ms = fabs(slope_ms) - detector->threshold_ms, elapsed_ms, threshold_ms;

    elapsed_ms = seconds_between(detector->threshold_us, at_us) * 1000;
    detector->threshold_us = at_us;
    if (over_ms > THRESHOLD_OUTLIER_MS)
        return;
    threshold_ms = detector->threshold_ms +
                   (over_ms < 0 ? THRESHOLD_DOWN : THRESHOLD_UP) * over_ms * fmin(elapsed_ms, 100);
    detector->threshold_ms = fmin(fmax(threshold_ms, THRESHOLD_MIN_MS), THRESHOLD_MAX_MS);
}

static void detect(struct estimate_detector *detector, double sent_ms, int64_t at_us)
{
    uint32_t count = detector->group_count < COUNT_MAX ? detector->group_count : COUNT_MAX;
    double slope_ms = count * detector->slope * SLOPE_GAIN;

    if (slope_ms > detector->threshold_ms) {
        detector->over_ms += sent_ms;
        detector->over_count++;
        if (detector->over_ms > OVERUSE_MS && detector->over_count > 1 &&
            detector->slope >= detector->last_slope)
            detector->usage = ESTIMATE_OVERUSED;
    } else {
        detector->over_ms = 0;
        detector->over_count = 0;
        detector->usage = slope_ms < -detector->threshold_ms ? ESTIMATE_UNDERUSED : ESTIMATE_NORMAL;
    }
    detector->last_slope = detector->slope;
    threshold_adapt(detector, slope_ms, at_us);
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Compares a group that is complete with the one before. */
static void group_end(struct estimate_detector *detector)
{
    const struct estimate_group *group = &detector->group, *previous = &detector->previous;
    int64_t sent_us = group->sent_us - previous->sent_us;
    int64_t arrival_us = group->arrival_us - previous->arrival_us;

    if (!previous->is_begun)
        return;
    if (arrival_us < -JUMP_US || arrival_us > JUMP_US || sent_us > JUMP_US) {
        line_reset(detector);
        return;
    }
    if (arrival_us < 0) /* reordered on its way */
        return;
    line_add(detector, (double)(arrival_us - sent_us) / MS, group->arrival_us);
    detect(detector, (double)sent_us / MS, group->arrival_us);
}

static void group_add(struct estimate_detector *detector, int64_t sent_us, int64_t arrival_us)
{
    struct estimate_group *group = &detector->group;

    if (group->is_begun && sent_us < group->first_sent_us)
        return; /* of a group that was compared already */
    if (group->is_begun && sent_us - group->first_sent_us > BURST_US) {
        struct estimate_group ended = *group;

        group_end(detector);
        detector->previous = ended;
        group->is_begun = false;
    }
    if (!group->is_begun)
        *group = (struct estimate_group){sent_us, sent_us, arrival_us, true};
    if (sent_us > group->sent_us)
        group->sent_us = sent_us;
    if (arrival_us > group->arrival_us)
        group->arrival_us = arrival_us;
}

/* ---- what follows from it -------------------------------------------------------------------- */

/* How much growth a rate that went through allows; 0: it is not known. */
static uint32_t grown(uint32_t bps, double more_bps, uint32_t through_bps)
{
    double most = through_bps ? 1.5 * through_bps + 10000 : ESTIMATE_MAX_BPS;
    double next = fmin(bps + more_bps, most);

    return next > bps ? bounded(next) : bps;
}

static bool is_near_capacity(const struct estimate_detector *detector)
{
    double ratio =
        detector->capacity_bps ? (double)detector->delay_bps / (double)detector->capacity_bps : 0;

    return ratio > 0.8 && ratio < 1.2;
}

static void delay_increase(struct estimate *estimate, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    double elapsed = seconds_between(detector->updated_us, now_us);
    double response = 0.1 + seconds_between(detector->acked_sent_us, now_us);
    double more_bps = elapsed * GROWTH_A_SECOND * detector->delay_bps;

    if (detector->delay_bps < estimate->capacity.bps / 2) /* there is room: it was measured */
        more_bps = elapsed * detector->delay_bps;
    else if (is_near_capacity(detector)) /* one packet in the time in which its effect is seen */
        more_bps = fmin(more_bps, elapsed * PACKET_BITS / response);
    detector->delay_bps = grown(detector->delay_bps, more_bps, estimate->acked_bps);
}

static void delay_decrease(struct estimate *estimate, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    uint32_t through_bps = estimate->acked_bps ? estimate->acked_bps : detector->delay_bps;

    /* Less was sent, in bursts: what arrived says nothing of how much could have. */
    if (through_bps < estimate->capacity.bps)
        through_bps = bounded(estimate->capacity.bps);

    if (now_us - detector->decreased_us < DECREASE_US && now_us >= detector->decreased_us)
        return;
    detector->decreased_us = now_us;
    detector->capacity_bps = through_bps;
    if (0.85 * through_bps < detector->delay_bps)
        detector->delay_bps = bounded(0.85 * through_bps);
}

/* What a rate becomes by so much loss. Where that is all that is known, and much, a queue is full:
 * what got through while we sent is what there is room for. */
static double lowered(const struct estimate *estimate, uint32_t loss_permille)
{
    const struct estimate_detector *detector = &estimate->detector;
    double used_bps = has_arrivals(detector) ? estimate->bps : detector->loss_bps, through_bps;

    if (loss_permille < LOSS_FULL || has_arrivals(detector) || detector->sending_us < RATE_MIN_US)
        return used_bps * (1 - 0.0005 * loss_permille);
    through_bps = (double)detector->sent_bytes * 8 * SECOND / (double)detector->sending_us;
    return fmin(used_bps, through_bps * (1 - 0.001 * loss_permille));
}

static void loss_step(struct estimate *estimate, uint32_t loss_permille, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    double growth = estimate->is_tight ? TIGHT_GROWTH_A_SECOND : GROWTH_A_SECOND;
    double more_bps = seconds_between(detector->loss_us, now_us) * growth * detector->loss_bps;

    estimate->loss_permille = (estimate->loss_permille + loss_permille) / 2;
    if (loss_permille > LOSS_HIGH) { /* of what is used now: the bound may stand far above it */
        detector->loss_bps = bounded(lowered(estimate, loss_permille));
        detector->tight_us = now_us;
    } else if (loss_permille < LOSS_LOW) {
        detector->loss_bps = grown(detector->loss_bps, more_bps, rate_bps(&detector->sent_rate));
    }
    estimate->is_tight =
        !has_arrivals(detector) && detector->tight_us && now_us - detector->tight_us < TIGHT_US;
    detector->loss_us = now_us;
    detector->sent_bytes = 0;
    detector->sending_us = 0;
}

static void loss_update(struct estimate *estimate, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    uint64_t count = (uint64_t)detector->lost + detector->received;
    bool has_jumped = now_us < detector->loss_us;

    if ((now_us - detector->loss_us < SECOND && !has_jumped) || count < LOSS_PACKETS)
        return;
    loss_step(estimate, (uint32_t)((uint64_t)detector->lost * 1000 / count), now_us);
    detector->lost = detector->received = 0;
}

/* ---- the outside ----------------------------------------------------------------------------- */

void estimate_init(struct estimate *estimate)
{
    memset(estimate, 0, sizeof(*estimate));
    estimate->detector.delay_bps = ESTIMATE_START_BPS;
    estimate->detector.loss_bps = ESTIMATE_START_BPS;
    estimate->detector.limit_bps = ESTIMATE_MAX_BPS;
    estimate->detector.threshold_ms = THRESHOLD_START_MS;
    settle(estimate);
}

static void note_sending(struct estimate_detector *detector, uint16_t bytes, int64_t now_us)
{
    int64_t gap_us = now_us - detector->sent_us;

    if (gap_us > 0 && gap_us < PAUSE_US)
        detector->sending_us += gap_us;
    detector->sent_us = now_us;
    detector->sent_bytes += bytes;
    detector->sent_count++;
}

void estimate_sent(struct estimate *estimate, uint16_t seq, uint16_t bytes, int64_t now_us)
{
    if (now_us <= 0)
        return;
    estimate->sent[seq % ESTIMATE_SENT_MAX] = (struct estimate_sent){now_us, seq, bytes};
    rate_add(&estimate->detector.sent_rate, bytes, now_us);
    note_sending(&estimate->detector, bytes, now_us);
}

void estimate_arrival(struct estimate *estimate, uint16_t seq, int64_t arrival_us)
{
    struct estimate_detector *detector = &estimate->detector;
    struct estimate_sent *sent = &estimate->sent[seq % ESTIMATE_SENT_MAX];
    int64_t sent_us = sent->sent_us;

    if (sent_us == 0 || sent->seq != seq || (sent_us < 0 && arrival_us < 0))
        return;
    if (arrival_us < 0) {
        sent->sent_us = -sent_us;
        detector->lost++;
        detector->fresh++;
        return;
    }
    if (sent_us < 0) { /* it was late, not lost */
        sent_us = -sent_us;
        detector->lost -= detector->lost > 0;
    }
    sent->sent_us = 0;
    detector->received++;
    detector->fresh++;
    if (sent_us > detector->acked_sent_us)
        detector->acked_sent_us = sent_us;
    rate_add(&detector->acked_rate, sent->bytes, arrival_us);
    capacity_arrival(&estimate->capacity, sent_us, arrival_us, sent->bytes);
    group_add(detector, sent_us, arrival_us);
}

void estimate_update(struct estimate *estimate, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    uint32_t acked_bps = rate_bps(&detector->acked_rate);

    if (detector->fresh == 0)
        return;
    detector->fresh = 0;
    capacity_update(&estimate->capacity);
    estimate->has_feedback = true;
    estimate->acked_bps = acked_bps ? acked_bps : estimate->acked_bps;
    estimate->is_overused = detector->usage == ESTIMATE_OVERUSED;
    if (detector->usage == ESTIMATE_OVERUSED)
        delay_decrease(estimate, now_us);
    else if (detector->usage == ESTIMATE_NORMAL)
        delay_increase(estimate, now_us);
    detector->updated_us = now_us;
    loss_update(estimate, now_us);
    settle(estimate);
}

void estimate_loss(struct estimate *estimate, uint8_t fraction_lost, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;

    estimate->has_feedback = true;
    if (has_arrivals(detector))
        return;
    detector->reported += fraction_lost * 1000u / 256;
    detector->report_count++;
    if (now_us >= detector->loss_us && now_us - detector->loss_us < REPORTS_US)
        return; /* some viewers report ten times a second: of a few packets each */
    loss_step(estimate, detector->reported / detector->report_count, now_us);
    detector->reported = detector->report_count = 0;
    settle(estimate);
}

void estimate_missing(struct estimate *estimate, int64_t now_us)
{
    struct estimate_detector *detector = &estimate->detector;
    uint32_t permille;

    if (estimate->has_feedback || ++detector->missing_count < LOSS_PACKETS)
        return;
    permille = detector->missing_count < detector->sent_count
                   ? (uint32_t)((uint64_t)detector->missing_count * 1000 / detector->sent_count)
                   : 1000;
    if (permille < LOSS_FULL)
        return;
    estimate->has_feedback = true;
    estimate->detector.loss_bps = bounded(estimate->bps * (1 - 0.0005 * permille));
    detector->tight_us = now_us;
    estimate->is_tight = true;
    settle(estimate);
}

void estimate_limit(struct estimate *estimate, uint64_t bps)
{
    estimate->has_feedback = true;
    estimate->detector.limit_bps = bounded((double)bps);
    settle(estimate);
}
