/* media/format/rtp_out.h: the RTP packets of one frame, while they are being written; private
 * to the RTP packager.
 *
 * Owns its scratch memory, which is kept from frame to frame.
 */
#pragma once

#include "base/writer.h"
#include "media/format/rtp_packager.h"
#include "media/frame.h"
#include "media/packet.h"

enum { RTP_FRAMING_BYTES = 4, RTP_PAYLOAD_ROOM = RTP_SEND_MAX_BYTES - 12 };

struct rtp_out {
    struct writer bytes;   /* framing and packets, as they will be sent */
    struct rtp_span *span; /* owned */
    unsigned span_count, span_room;
    int err; /* sticky */

    /* Of the frame that is being written. */
    uint8_t track, payload_type;
    uint16_t seq;
    uint32_t timestamp, ssrc;
};

void rtp_out_init(struct rtp_out *out);
void rtp_out_fini(struct rtp_out *out);

/* Forgets the packets of the last frame. */
void rtp_out_reset(struct rtp_out *out);

/* A packet: begin, any number of puts, end. */
void rtp_out_begin(struct rtp_out *out);
void rtp_out_put(struct rtp_out *out, const void *bytes, size_t len);
void rtp_out_uint(struct rtp_out *out, uint64_t value, size_t len);
void rtp_out_end(struct rtp_out *out, bool marker);

/* An owned packet of them all, with the frame's track and times, in *packet. 0, or -ENOMEM. */
int rtp_out_to_packet(struct rtp_out *out, struct packet **packet, enum packet_kind kind,
                      struct tracks *tracks, const struct frame *frame) MUST_CHECK;

/* Microseconds on a clock of that rate, to the nearest tick. */
uint32_t rtp_ticks_of_us(int64_t us, uint32_t clock_rate);

/* len bytes in the fewest pieces of at most room: how long each but the last is. */
size_t rtp_out_piece(size_t len, size_t room);

/* Each writes one frame's packets: 0, or a negative error and the frame is to be dropped. */
int rtp_pack_h264(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_h265(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_jpeg(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_aac(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_opus(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_pcm(struct rtp_out *out, const struct track *track, const struct frame *frame);
int rtp_pack_mp3(struct rtp_out *out, const struct track *track, const struct frame *frame);
