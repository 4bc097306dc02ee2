/* agent/rtp_receiver.h: one track's RTP: order, loss, and what RTCP wants to know of it.
 *
 * Over UDP packets are put in order within a bounded window; what does not come is lost. Pure
 * but for what it calls: the time comes as a parameter.
 */
#pragma once

#include <stdbool.h>

#include "media/format/depacketiser.h"

struct rtp_receiver;

struct rtp_receiver_config {
    struct rtp_format format;       /* borrowed for the call */
    bool is_unordered;              /* UDP */
    struct depacketiser_sink *sink; /* borrowed */
};

/* -ERR_UNSUPPORTED for an encoding that we don't know. sink->on_track may come at once. */
int rtp_receiver_open(struct rtp_receiver **out,
                      const struct rtp_receiver_config *config) MUST_CHECK;
void rtp_receiver_close(struct rtp_receiver *receiver);
void rtp_receiver_set_unordered(struct rtp_receiver *receiver, bool is_unordered);

/* One RTP packet; what is no RTP, or another payload type, is dropped. */
void rtp_receiver_push(struct rtp_receiver *receiver, const uint8_t *bytes, size_t len,
                       int64_t arrival_us);

/* Remembers a sender report for the next receiver report. */
void rtp_receiver_heard(struct rtp_receiver *receiver, const struct rtcp_report *report,
                        int64_t arrival_us);

/* False before the first packet. */
bool rtp_receiver_report(struct rtp_receiver *receiver, struct rtcp_receiver *out, int64_t now_us);

struct rtp_receiver_counters {
    uint64_t packets, lost, reordered, malformed;
};
struct rtp_receiver_counters rtp_receiver_counters(const struct rtp_receiver *receiver);
