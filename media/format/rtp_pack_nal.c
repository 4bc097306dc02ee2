/* H.264 (RFC 6184) and H.265 (RFC 7798) into RTP: small NAL units are aggregated, large ones cut
 * into pieces of equal size. The two differ in their headers only. */
#include "media/format/rtp_out.h"

#include "base/reader.h"

enum { NALS_AGGREGATED_MAX = 32 };
enum { H264_STAP_A = 24, H264_FU_A = 28, H265_AP = 48, H265_FU = 49 };

struct nal {
    const uint8_t *bytes;
    size_t len;
};

/* What differs between the two. */
struct nal_syntax {
    size_t header_bytes;
    void (*put_aggregation)(struct rtp_out *out, const struct nal *nals, unsigned count);
    void (*put_fragment)(struct rtp_out *out, const uint8_t *nal, unsigned start_end);
};

enum { FU_START = 0x80, FU_END = 0x40 };

/* Small NAL units that wait for each other. */
struct batch {
    const struct nal_syntax *syntax;
    struct nal nal[NALS_AGGREGATED_MAX];
    unsigned count;
    size_t len; /* as an aggregation packet's payload */
};

static void h264_put_aggregation(struct rtp_out *out, const struct nal *nals, unsigned count)
{
    uint8_t importance = 0;

    for (unsigned i = 0; i < count; i++) {
        if ((nals[i].bytes[0] & 0x60) > importance)
            importance = nals[i].bytes[0] & 0x60;
    }
    rtp_out_uint(out, (unsigned)importance | H264_STAP_A, 1);
}

static void h264_put_fragment(struct rtp_out *out, const uint8_t *nal, unsigned start_end)
{
    rtp_out_uint(out, (nal[0] & 0xe0u) | H264_FU_A, 1);
    rtp_out_uint(out, start_end | (nal[0] & 0x1fu), 1);
}

static void h265_put_aggregation(struct rtp_out *out, const struct nal *nals, unsigned count)
{
    (void)nals;
    (void)count;
    rtp_out_uint(out, H265_AP << 1, 1);
    rtp_out_uint(out, 1, 1); /* layer 0, temporal id 0: the lowest there can be */
}

static void h265_put_fragment(struct rtp_out *out, const uint8_t *nal, unsigned start_end)
{
    rtp_out_uint(out, (nal[0] & 0x81u) | H265_FU << 1, 1);
    rtp_out_uint(out, nal[1], 1);
    rtp_out_uint(out, start_end | (nal[0] >> 1 & 0x3fu), 1);
}

static const struct nal_syntax h264_syntax = {1, h264_put_aggregation, h264_put_fragment};
static const struct nal_syntax h265_syntax = {2, h265_put_aggregation, h265_put_fragment};

static void batch_flush(struct batch *batch, struct rtp_out *out, bool is_last)
{
    if (!batch->count)
        return;
    rtp_out_begin(out);
    if (batch->count == 1) {
        rtp_out_put(out, batch->nal[0].bytes, batch->nal[0].len);
    } else {
        batch->syntax->put_aggregation(out, batch->nal, batch->count);
        for (unsigned i = 0; i < batch->count; i++) {
            rtp_out_uint(out, batch->nal[i].len, 2);
            rtp_out_put(out, batch->nal[i].bytes, batch->nal[i].len);
        }
    }
    rtp_out_end(out, is_last);
    batch->count = 0;
    batch->len = 0;
}

static void put_fragments(const struct nal_syntax *syntax, struct rtp_out *out,
                          const struct nal *nal, bool is_last)
{
    size_t room = RTP_PAYLOAD_ROOM - syntax->header_bytes - 1;
    const uint8_t *at = nal->bytes + syntax->header_bytes;
    size_t left = nal->len - syntax->header_bytes;
    size_t piece = rtp_out_piece(left, room);
    unsigned start = FU_START;

    while (left) {
        size_t len = left < piece ? left : piece;

        rtp_out_begin(out);
        syntax->put_fragment(out, nal->bytes, start | (len == left ? FU_END : 0));
        rtp_out_put(out, at, len);
        rtp_out_end(out, is_last && len == left);
        at += len;
        left -= len;
        start = 0;
    }
}

static void put_nal(struct batch *batch, struct rtp_out *out, const struct nal *nal, bool is_last)
{
    size_t header = batch->syntax->header_bytes;

    if (nal->len > RTP_PAYLOAD_ROOM) {
        batch_flush(batch, out, false);
        put_fragments(batch->syntax, out, nal, is_last);
        return;
    }
    if (batch->count == NALS_AGGREGATED_MAX ||
        (batch->count && header + batch->len + 2 + nal->len > RTP_PAYLOAD_ROOM))
        batch_flush(batch, out, false);
    batch->nal[batch->count++] = *nal;
    batch->len += 2 + nal->len;
    if (is_last)
        batch_flush(batch, out, true);
}

/* Every NAL unit of bytes, each behind its length; the marker is put on the last one's last
 * packet when ends_unit. */
static int put_nals(struct batch *batch, struct rtp_out *out, const struct buf *buf, bool ends_unit)
{
    struct reader reader = reader_of(buf->bytes, buf->len);

    while (!reader_is_done(&reader)) {
        struct nal nal = {.len = reader_u32(&reader)};

        nal.bytes = reader_take(&reader, nal.len);
        if (!nal.bytes || nal.len < batch->syntax->header_bytes)
            return -ERR_PROTOCOL;
        put_nal(batch, out, &nal, ends_unit && reader_is_done(&reader));
    }
    return 0;
}

static int pack_nals(const struct nal_syntax *syntax, struct rtp_out *out,
                     const struct track *track, const struct frame *frame)
{
    struct batch batch = {.syntax = syntax};
    int err = 0;

    if (frame->is_key && track->config)
        err = put_nals(&batch, out, track->config, false);
    return err ? err : put_nals(&batch, out, frame->buf, true);
}

int rtp_pack_h264(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    return pack_nals(&h264_syntax, out, track, frame);
}

int rtp_pack_h265(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    return pack_nals(&h265_syntax, out, track, frame);
}
