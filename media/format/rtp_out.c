#include "media/format/rtp_out.h"

#include <errno.h>
#include <stdlib.h>

#include "media/format/rtp.h"

/* A frame of 4 MiB in pieces, with their headers; and no more packets than that can need. */
enum { OUT_MAX_BYTES = FRAME_MAX_BYTES + FRAME_MAX_BYTES / 8, OUT_MAX_SPANS = 65536 };

void rtp_out_init(struct rtp_out *out)
{
    *out = (struct rtp_out){0};
    writer_init(&out->bytes, OUT_MAX_BYTES);
}

void rtp_out_fini(struct rtp_out *out)
{
    free(out->span);
    out->span = NULL;
    writer_fini(&out->bytes);
}

void rtp_out_reset(struct rtp_out *out)
{
    writer_reset(&out->bytes);
    out->span_count = 0;
    out->err = 0;
}

static int grow_spans(struct rtp_out *out)
{
    unsigned room = out->span_room ? out->span_room * 2 : 32;
    struct rtp_span *span;

    if (room > OUT_MAX_SPANS)
        return -ERR_TOO_MANY;
    span = realloc(out->span, room * sizeof(*span));
    if (!span)
        return -ENOMEM;
    out->span = span;
    out->span_room = room;
    return 0;
}

void rtp_out_begin(struct rtp_out *out)
{
    static const uint8_t blank[RTP_FRAMING_BYTES + RTP_HEADER_BYTES];

    if (!out->err && out->span_count == out->span_room)
        out->err = grow_spans(out);
    if (out->err)
        return;
    out->span[out->span_count].offset = (uint32_t)(out->bytes.len + RTP_FRAMING_BYTES);
    writer_put(&out->bytes, blank, sizeof(blank));
}

void rtp_out_put(struct rtp_out *out, const void *bytes, size_t len)
{
    if (!out->err)
        writer_put(&out->bytes, bytes, len);
}

void rtp_out_uint(struct rtp_out *out, uint64_t value, size_t len)
{
    if (!out->err)
        writer_uint(&out->bytes, value, len);
}

void rtp_out_end(struct rtp_out *out, bool marker)
{
    struct rtp_packet header = {
        .payload_type = out->payload_type,
        .marker = marker,
        .seq = out->seq,
        .timestamp = out->timestamp,
        .ssrc = out->ssrc,
    };
    struct rtp_span *span;
    uint8_t *framing;
    size_t len;

    if (!out->err)
        out->err = out->bytes.err;
    if (out->err)
        return;
    span = &out->span[out->span_count];
    len = out->bytes.len - span->offset;
    if (len > RTP_PACKET_MAX) {
        out->err = -ERR_TOO_LONG;
        return;
    }
    framing = out->bytes.bytes + span->offset - RTP_FRAMING_BYTES;
    framing[0] = '$';
    framing[1] = (uint8_t)(2 * out->track);
    framing[2] = (uint8_t)(len >> 8);
    framing[3] = (uint8_t)len;
    rtp_write_header(&header, framing + RTP_FRAMING_BYTES);
    span->len = (uint16_t)len;
    out->span_count++;
    out->seq++;
}

static bool is_beside_video(const struct tracks *tracks, uint8_t track)
{
    return track < tracks->count && !codec_is_video(tracks->track[track].codec) &&
           tracks_find_video(tracks) >= 0;
}

int rtp_out_to_packet(struct rtp_out *out, struct packet **packet, enum packet_kind kind,
                      struct tracks *tracks, const struct frame *frame)
{
    struct buf *buf;
    int err = writer_to_buf(&out->bytes, &buf);

    if (err)
        return err;
    *packet = packet_new(kind, buf, tracks, out->span_count);
    if (!*packet)
        return -ENOMEM;
    (*packet)->track = frame->track;
    (*packet)->dts_us = frame->dts_us;
    (*packet)->pts_us = frame->pts_us;
    (*packet)->wall_us = frame->wall_us;
    (*packet)->rtp_time = out->timestamp;
    (*packet)->can_wait = is_beside_video(tracks, frame->track);
    for (unsigned i = 0; i < out->span_count; i++)
        (*packet)->span[i] = out->span[i];
    return 0;
}

/* Split, so that nothing overflows or drifts. */
uint32_t rtp_ticks_of_us(int64_t us, uint32_t clock_rate)
{
    int64_t seconds = us / 1000000;
    int64_t rest = us % 1000000;

    if (rest < 0) {
        seconds--;
        rest += 1000000;
    }
    return (uint32_t)((uint64_t)seconds * clock_rate +
                      ((uint64_t)rest * clock_rate + 500000) / 1000000);
}

size_t rtp_out_piece(size_t len, size_t room)
{
    size_t count = (len + room - 1) / room;

    return count ? (len + count - 1) / count : 0;
}
