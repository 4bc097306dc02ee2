#include "egress/webrtc/pacing.h"

#include "egress/webrtc/peer.h"
#include "media/format/rtp_packager.h"

enum {
    MS = 1000,
    START_BPS = 12 * 1000 * 1000, /* before the viewer's path is known */
    LEAST_BPS = 1000 * 1000,
    BURST_BYTES = 40 * 1024,
    LOSSY_PERMILLE = 100,  /* a path that loses so much is full: no more than its estimate */
    STANDING_US = 50 * MS, /* what waits before the narrow place longer than this drains, */
    CROWDED_US = 150 * MS, /* and faster */
    PORTION_US = 60 * MS,  /* of the path's rate go together, */
    PORTION_PACKETS = 4,   /* but as many as it takes to measure it */
    LOSSY_PORTION = 2,     /* or as a queue of a few packets takes */
    PORTION_LOSS = 50,     /* permille: above, it is such a queue */
    WAIT_US = 5 * MS,
    WAIT_MAX_US = 100 * MS
};

/* Without measurements: some times the estimate, which follows what is sent and not what could
 * be. */
static int64_t estimated_bps(const struct estimate *estimate)
{
    int64_t bps = (int64_t)estimate->bps * (estimate->is_overused ? 3 : 8) / 2;

    if (bps < LEAST_BPS)
        bps = LEAST_BPS;
    if (estimate->is_tight)
        return bps < estimate->detector.loss_bps ? bps : estimate->detector.loss_bps;
    return estimate->loss_permille > LOSSY_PERMILLE ? estimate->bps : bps;
}

static int64_t measured_bps(const struct capacity *capacity)
{
    if (capacity->standing_us > CROWDED_US)
        return capacity->bps / 2;
    return capacity->standing_us > STANDING_US ? (int64_t)capacity->bps * 8 / 10 : capacity->bps;
}

static int64_t pace_bps(const struct estimate *estimate)
{
    int64_t bps, measured;

    if (!estimate->has_feedback)
        return START_BPS;
    bps = estimated_bps(estimate);
    measured = measured_bps(&estimate->capacity);
    if (measured && measured < bps)
        bps = measured;
    return bps > ESTIMATE_MIN_BPS ? bps : ESTIMATE_MIN_BPS;
}

static int64_t burst_bytes(const struct estimate *estimate)
{
    int64_t bytes = pace_bps(estimate) * PORTION_US / 8 / 1000000;
    int64_t least = (estimate->loss_permille > PORTION_LOSS ? LOSSY_PORTION : PORTION_PACKETS) *
                    (int64_t)RTP_SEND_MAX_BYTES;

    if (!estimate->has_feedback || bytes > BURST_BYTES)
        return BURST_BYTES;
    return bytes > least ? bytes : least;
}

void pacing_refill(struct peer *peer)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    int64_t gone_us = now_us - peer->allowance_us, burst = burst_bytes(&peer->estimate);

    peer->allowance_us = now_us;
    if (gone_us > 1000000)
        gone_us = 1000000;
    peer->allowance_bytes += pace_bps(&peer->estimate) * gone_us / 8 / 1000000;
    if (peer->allowance_bytes > burst)
        peer->allowance_bytes = burst;
}

void pacing_start(struct peer *peer)
{
    peer->allowance_us = loop_now_us(peer->instance->env->loop);
    peer->allowance_bytes = BURST_BYTES;
}

/* Until most of a portion has come together: all of it would be more than is kept by the time that
 * a timer fires. */
int64_t pacing_wait_us(const struct peer *peer)
{
    const struct estimate *estimate = &peer->estimate;
    int64_t portion = burst_bytes(estimate);
    int64_t wait_us = (portion * 3 / 4 - peer->allowance_bytes) * 8 * 1000000 / pace_bps(estimate);

    if (portion == BURST_BYTES || wait_us < WAIT_US)
        return WAIT_US;
    return wait_us < WAIT_MAX_US ? wait_us : WAIT_MAX_US;
}
