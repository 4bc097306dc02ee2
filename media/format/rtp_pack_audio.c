/* Audio into RTP: AAC (RFC 3640, AAC-hbr), Opus (RFC 7587), G.711 and L16 (RFC 3551), MP3
 * (RFC 2250). */
#include "media/format/rtp_out.h"

/* What 13 bits of an AU header can say; and the longest Opus packet (RFC 6716 section 3.2). */
enum { AAC_MAX_BYTES = 8191, OPUS_MAX_BYTES = 48 * 1275 + 100 };

int rtp_pack_aac(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    const uint8_t *at = frame->buf->bytes;
    size_t left = frame->buf->len;
    size_t piece = rtp_out_piece(left, RTP_PAYLOAD_ROOM - 4);

    (void)track;
    if (left > AAC_MAX_BYTES)
        return -ERR_TOO_LONG;
    while (left) {
        size_t len = left < piece ? left : piece;

        rtp_out_begin(out);
        rtp_out_uint(out, 16, 2);                   /* bits of AU headers */
        rtp_out_uint(out, frame->buf->len << 3, 2); /* the whole AU's size, index 0 */
        rtp_out_put(out, at, len);
        rtp_out_end(out, len == left);
        at += len;
        left -= len;
    }
    return 0;
}

int rtp_pack_opus(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    (void)track;
    /* RFC 7587 knows no fragments. */
    if (!frame->buf->len || frame->buf->len > OPUS_MAX_BYTES)
        return -ERR_TOO_LONG;
    rtp_out_begin(out);
    rtp_out_put(out, frame->buf->bytes, frame->buf->len);
    rtp_out_end(out, false);
    return 0;
}

int rtp_pack_pcm(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    size_t channels = track->channels ? track->channels : 1;
    size_t sample = channels * (track->codec == CODEC_L16 ? 2 : 1);
    size_t room = RTP_PAYLOAD_ROOM / sample * sample;
    uint32_t first = out->timestamp;

    if (!room || frame->buf->len % sample)
        return -ERR_PROTOCOL;
    for (size_t at = 0; at < frame->buf->len; at += room) {
        size_t left = frame->buf->len - at;

        out->timestamp = first + (uint32_t)(at / sample);
        rtp_out_begin(out);
        rtp_out_put(out, frame->buf->bytes + at, left < room ? left : room);
        rtp_out_end(out, false);
    }
    out->timestamp = first;
    return 0;
}

int rtp_pack_mp3(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    size_t len = frame->buf->len;
    size_t piece = rtp_out_piece(len, RTP_PAYLOAD_ROOM - 4);

    (void)track;
    if (len > UINT16_MAX)
        return -ERR_TOO_LONG;
    for (size_t at = 0; at < len; at += piece) {
        rtp_out_begin(out);
        rtp_out_uint(out, at, 4); /* 16 bits of zero, then the fragment's offset */
        rtp_out_put(out, frame->buf->bytes + at, len - at < piece ? len - at : piece);
        rtp_out_end(out, false);
    }
    return 0;
}
