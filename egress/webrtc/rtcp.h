/* egress/webrtc/rtcp.h: what a WebRTC viewer says of what it gets, on the wire. Pure.
 *
 * RFC 3550 (receiver reports, BYE), RFC 4585 (NACK, PLI), RFC 5104 (FIR),
 * draft-alvestrand-rmcat-remb, draft-holmer-rmcat-transport-wide-cc-extensions-01.
 * Sender reports are written by media/format/rtp.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RTCP_NACKS_MAX = 256 /* sequence numbers of one compound packet; more are left out */ };

struct rtcp_block {
    uint32_t ssrc;         /* ours, that it speaks of */
    uint8_t fraction_lost; /* of 256 */
    int32_t lost;
    uint32_t highest_seq, jitter; /* in the media's clock */
    uint32_t last_report, delay;  /* LSR and DLSR: 1/65536 s; 0: none yet */
};

/* Called while rtcp_read runs; any may be NULL. */
struct rtcp_reader {
    void (*on_block)(void *owner, const struct rtcp_block *block);
    void (*on_nack)(void *owner, uint32_t ssrc, uint16_t seq);
    void (*on_key_wish)(void *owner, uint32_t ssrc); /* PLI or FIR, each: the caller limits */
    /* Transport-wide feedback, packet by packet: arrival_us on the viewer's own clock, which turns
     * over every 12 days, or -1: it did not arrive. At most 8,192 a feedback message: one that
     * speaks of more is malformed, and of a malformed one nothing is told. */
    void (*on_arrival)(void *owner, uint16_t seq, int64_t arrival_us);
    void (*on_feedback_end)(void *owner);
    void (*on_remb)(void *owner, uint64_t bps);
    void (*on_bye)(void *owner);
};

/* 0, or -ERR_PROTOCOL at the first part that is malformed (what stood before was told). bytes are
 * decrypted; compound or reduced-size (RFC 5506). */
int rtcp_read(const uint8_t *bytes, size_t len, const struct rtcp_reader *reader,
              void *owner) MUST_CHECK;

/* Microseconds of round trip that a block shows, when it was received at ntp_now (32.32 since
 * 1900, as media/format/rtp.h has it); -1 while unknown, or where it can't be true. */
int64_t rtcp_round_trip_us(const struct rtcp_block *block, uint64_t ntp_now);
