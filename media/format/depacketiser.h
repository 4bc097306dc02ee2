/* media/format/depacketiser.h: RTP payloads of one track to access units, pure.
 *
 * Fed in sequence order. A loss (is_after_loss) drops the unit that it tore, and nothing else.
 * Supports H.264 (RFC 6184: single, STAP-A, FU-A), H.265 (RFC 7798: single, AP, FU), AAC
 * (RFC 3640 hbr and lbr; LATM, RFC 3016/6416), G.711, L16 (RFC 3551), Opus (RFC 7587), MP3
 * (RFC 2250), MJPEG (RFC 2435).
 */
#pragma once

#include "media/format/rtp.h"
#include "media/track.h"

struct depacketiser;

/* What an SDP media description says of a payload type. Borrowed for the open call. */
struct rtp_format {
    uint8_t payload_type;
    const char *encoding; /* "H264", any case; NULL: the static payload type decides */
    uint32_t clock_rate;  /* 0: the codec's own */
    uint8_t channels;
    const char *fmtp; /* "packetization-mode=1; sprop-parameter-sets=…", or NULL */
};

/* One access unit or audio frame, as media/frame.h describes its bytes. */
struct access_unit {
    struct buf *buf;    /* borrowed for the call: take a reference to keep it */
    uint32_t timestamp; /* RTP */
    bool is_key, is_discardable;
    int32_t poc_delta; /* H.264/H.265: display order relative to the last key frame, in
                          pictures; equal to decoding order without B-frames */
    bool has_poc;
    uint8_t reorder;   /* with has_poc: by how many pictures decoding runs ahead of display, as
                          far as the stream says or has shown; 0 without B-frames */
    uint32_t duration; /* in RTP clock ticks, 0 unknown; audio: exact */
};

struct depacketiser_sink {
    /* The track as far as it is known: after open when the SDP says enough, and again each time
     * a parameter set in the media changes it (before the unit that needs it). Borrowed. */
    void (*on_track)(struct depacketiser_sink *sink, const struct track *track);
    void (*on_unit)(struct depacketiser_sink *sink, const struct access_unit *unit);
};

/* 0 and an owned depacketiser; -ERR_UNSUPPORTED for an encoding we don't know. sink is borrowed. */
int depacketiser_open(struct depacketiser **out, const struct rtp_format *format,
                      struct depacketiser_sink *sink) MUST_CHECK;
void depacketiser_close(struct depacketiser *depacketiser);

/* 0, or -ERR_PROTOCOL and the like when this packet is malformed: it is dropped, go on. */
int depacketiser_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                      bool is_after_loss) MUST_CHECK;
