/* media/format/rtp.h: RTP and RTCP on the wire (RFC 3550), pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"

enum { RTP_HEADER_BYTES = 12, RTP_PACKET_MAX = 65535 };

struct rtp_packet {
    uint8_t payload_type;
    bool marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    const uint8_t *payload; /* borrowed; padding and extension taken off */
    size_t payload_len;
};

/* 0, or -ERR_PROTOCOL: shorter than its own header says, version not 2, padding too long. */
int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t len) MUST_CHECK;

/* Writes the fixed header, without CSRC and extension. */
void rtp_write_header(const struct rtp_packet *packet, uint8_t out[RTP_HEADER_BYTES]);

/* What we read of a compound RTCP packet. */
struct rtcp_report {
    bool has_sender; /* a sender report of ssrc */
    uint32_t ssrc;
    uint64_t ntp; /* 32.32 since 1900 */
    uint32_t rtp_time;
    uint32_t packet_count, octet_count;
    bool has_bye;
};
int rtcp_parse(struct rtcp_report *out, const uint8_t *bytes, size_t len) MUST_CHECK;

/* A sender report with SDES CNAME (RFC 3550 sections 6.4.1, 6.5). */
struct rtcp_sender {
    uint32_t ssrc, rtp_time, packet_count, octet_count;
    int64_t wall_us; /* of rtp_time, since 1970 */
    const char *cname;
};
void rtcp_write_sender_report(struct writer *writer, const struct rtcp_sender *sender);

/* What a receiver tells (RFC 3550 section 6.4.2). */
struct rtcp_receiver {
    uint32_t ssrc, media_ssrc, highest_seq, jitter, last_sr, since_sr;
    uint32_t lost;
    uint8_t fraction_lost;
    const char *cname;
};
void rtcp_write_receiver_report(struct writer *writer, const struct rtcp_receiver *receiver);
void rtcp_write_bye(struct writer *writer, uint32_t ssrc);

uint64_t ntp_of_wall_us(int64_t wall_us);
int64_t wall_us_of_ntp(uint64_t ntp);
