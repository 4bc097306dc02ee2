/* egress/webrtc/estimate.h: how much a viewer's path takes, by what it says arrived. Pure.
 *
 * Delay gradient and loss, as in draft-ietf-rmcat-gcc-02: arrivals against departures of groups of
 * packets, an over-use detector with an adaptive threshold, additive increase, multiplicative
 * decrease; and a loss-based bound. Fixed memory, no allocation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    ESTIMATE_SENT_MAX = 512, /* packets in flight that are remembered */
    ESTIMATE_MIN_BPS = 50 * 1000,
    ESTIMATE_START_BPS = 2 * 1000 * 1000,
    ESTIMATE_MAX_BPS = 200 * 1000 * 1000
};

struct estimate_sent {
    int64_t sent_us; /* 0: empty place */
    uint16_t seq, bytes;
};

struct estimate {
    struct estimate_sent sent[ESTIMATE_SENT_MAX]; /* by transport-wide sequence number */
    uint32_t bps;                                 /* the estimate */
    uint32_t acked_bps;                           /* what arrived, over the last half second */
    uint32_t loss_permille;                       /* over the last second of feedback, smoothed */
    bool is_overused;
    bool has_feedback; /* some came: before, bps is a guess */
    /* The detector's own; see estimate.c. */
    struct estimate_detector {
        int64_t group_sent_us, group_arrival_us, last_sent_us, last_arrival_us;
        int64_t first_arrival_us, overuse_since_us, updated_us, increased_us, window_us;
        double trend_sum, threshold_ms, smoothed_ms, accumulated_ms, last_trend;
        double history_x[20], history_y[20];
        uint32_t history_count, group_bytes, window_bytes, lost, received;
    } detector;
};

void estimate_init(struct estimate *estimate);

/* A packet left, with this transport-wide sequence number. */
void estimate_sent(struct estimate *estimate, uint16_t seq, uint16_t bytes, int64_t now_us);

/* Feedback: one call a packet, then one estimate_update. */
void estimate_arrival(struct estimate *estimate, uint16_t seq, int64_t arrival_us);
void estimate_update(struct estimate *estimate, int64_t now_us);

/* From receiver reports, for viewers without transport-wide feedback, and REMB. */
void estimate_loss(struct estimate *estimate, uint8_t fraction_lost, int64_t now_us);
void estimate_limit(struct estimate *estimate, uint64_t bps);
