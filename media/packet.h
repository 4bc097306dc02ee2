/* media/packet.h: what a packager makes of frames: bytes ready for a protocol, made once for
 * all viewers; immutable and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "media/track.h"

enum packet_kind {
    PACKET_RTP,
    PACKET_CMAF,
    PACKET_TS,         /* one frame */
    PACKET_TS_SEGMENT, /* one HLS segment */
    PACKET_FLV,
    PACKET_RTP_OPUS,
    PACKET_KEY, /* a key frame as media/frame.h has it */
    PACKET_KINDS
};

/* One RTP packet within the buf of a PACKET_RTP or PACKET_RTP_OPUS; one track's header within that
 * of a PACKET_FLV that is_init, in the tracks' order. */
struct rtp_span {
    uint32_t offset; /* of the RTP header; 4 bytes of RTSP interleaved framing stand before it */
    uint16_t len;    /* without that framing; FLV: 0 when the track has no header */
};

/* What a part of a segment is, for PACKET_CMAF; of a PACKET_TS_SEGMENT the only one. */
struct cmaf_place {
    uint64_t segment; /* the source's segment number: the media sequence number */
    uint32_t part;    /* index within the segment */
    int64_t duration_us;
    bool ends_segment;
    bool is_independent; /* begins with a key frame */
};

struct packet {
    atomic_uint refs;
    enum packet_kind kind;
    uint8_t track;                   /* RTP: whose */
    bool is_key;                     /* a viewer can start here */
    bool is_init;                    /* headers only (CMAF init segment, FLV sequence headers) */
    bool can_wait;                   /* audio beside video: may be taken with the next picture */
    int64_t dts_us, pts_us, wall_us; /* as the frame's */
    struct buf *buf;                 /* owned reference; the bytes as sent */
    struct tracks *tracks;           /* owned reference; what it was made for */
    struct cmaf_place cmaf;          /* PACKET_CMAF, PACKET_TS_SEGMENT */
    uint32_t rtp_time;               /* RTP: its timestamp; FLV: in ms */
    unsigned span_count;             /* RTP, and FLV's headers */
    struct rtp_span span[];
};

/* Takes buf's reference, also on failure, and takes one of its own on tracks. The rest is
 * zeroed, for the caller to set before it is published. NULL without memory. */
struct packet *packet_new(enum packet_kind kind, struct buf *buf, struct tracks *tracks,
                          unsigned span_count);
struct packet *packet_ref(struct packet *packet);
void packet_unref(struct packet *packet);
