/* egress/webrtc/estimate.h: how much a viewer's path takes, by what it says arrived. Pure.
 *
 * Delay gradient and loss, as in draft-ietf-rmcat-gcc-02: arrivals against departures of groups of
 * packets, an over-use detector with an adaptive threshold (on the slope of a line through the
 * last groups, as browsers have it, instead of the draft's Kalman filter), additive increase near
 * the last known limit, else multiplicative, multiplicative decrease; and a loss-based bound. Fixed
 * memory, no allocation.
 *
 * What is not sent can't be measured: the estimate grows to at most one and a half times what goes
 * through. Who wants to know of more has to send more for a while.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "egress/webrtc/capacity.h"

enum {
    ESTIMATE_SENT_MAX = 256, /* packets in flight that are remembered */
    ESTIMATE_MIN_BPS = 50 * 1000,
    ESTIMATE_START_BPS = 2 * 1000 * 1000,
    ESTIMATE_MAX_BPS = 200 * 1000 * 1000,
    ESTIMATE_SLOTS = 10, /* of a rate's half second */
    ESTIMATE_GROUPS = 20 /* through which the line is drawn */
};

struct estimate_sent {
    int64_t sent_us; /* 0: empty place; negative: its loss was told */
    uint16_t seq, bytes;
};

/* Bytes over the last half second of some clock. */
struct estimate_rate {
    int64_t slot, first_us, newest_us;
    uint32_t bytes[ESTIMATE_SLOTS];
    bool has_begun;
};

/* Packets that left within a few milliseconds; the last ones' times. */
struct estimate_group {
    int64_t first_sent_us, sent_us, arrival_us;
    bool is_begun;
};

struct estimate {
    struct estimate_sent sent[ESTIMATE_SENT_MAX]; /* by transport-wide sequence number */
    uint32_t bps;                                 /* the estimate */
    uint32_t acked_bps;                           /* what arrived, over the last half second */
    uint32_t loss_permille;                       /* over the last second of feedback, smoothed */
    bool is_overused;
    bool is_tight;            /* it lost too much in the last ten seconds of feedback */
    bool has_feedback;        /* some came: before, bps is a guess */
    struct capacity capacity; /* of viewers with transport-wide feedback */
    /* The detector's own; see estimate.c. */
    struct estimate_detector {
        struct estimate_rate sent_rate, acked_rate;
        struct estimate_group group, previous;
        double x_ms[ESTIMATE_GROUPS], y_ms[ESTIMATE_GROUPS]; /* arrival, smoothed delay */
        double delay_ms, smoothed_ms, slope, last_slope, threshold_ms, over_ms;
        uint32_t group_count, over_count;
        int64_t first_arrival_us, threshold_us;
        enum { ESTIMATE_NORMAL, ESTIMATE_OVERUSED, ESTIMATE_UNDERUSED } usage;

        uint32_t delay_bps, loss_bps, limit_bps, capacity_bps; /* capacity: 0 while unknown */
        uint32_t sent_count, missing_count;                    /* before any feedback */
        uint64_t sent_bytes;                                   /* since loss_us, */
        int64_t sending_us, sent_us;                           /* in so long; the newest */
        uint32_t lost, received, fresh;  /* fresh: told since the last update */
        uint32_t reported, report_count; /* receiver reports' fractions since the last step */
        int64_t updated_us, decreased_us, loss_us, tight_us, acked_sent_us;
    } detector;
};

void estimate_init(struct estimate *estimate);

/* A packet left, with this transport-wide sequence number: for viewers without transport-wide
 * feedback any number that counts up, since growth is bounded by what was sent. */
void estimate_sent(struct estimate *estimate, uint16_t seq, uint16_t bytes, int64_t now_us);

/* Feedback: one call a packet, then one estimate_update. arrival_us below 0: it did not arrive.
 * Numbers that were never sent, or were answered before, change nothing. */
void estimate_arrival(struct estimate *estimate, uint16_t seq, int64_t arrival_us);
void estimate_update(struct estimate *estimate, int64_t now_us);

/* From receiver reports, for viewers without transport-wide feedback (left out of account where
 * that comes), and REMB, which holds until the next one. */
void estimate_loss(struct estimate *estimate, uint8_t fraction_lost, int64_t now_us);

/* The viewer asked for a packet: before its first report, many of those show a path that is far too
 * thin for the start. */
void estimate_missing(struct estimate *estimate, int64_t now_us);
void estimate_limit(struct estimate *estimate, uint64_t bps);
