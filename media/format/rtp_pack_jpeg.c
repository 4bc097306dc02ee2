/* JPEG files into RTP (RFC 2435), with their quantisers in band. */
#include "media/format/rtp_out.h"
#include "media/jpeg.h"

enum { MAIN_BYTES = 8, RESTART_BYTES = 4, TABLES_BYTES = 4 + 2 * JPEG_TABLE_BYTES };
enum { TYPE_RESTART = 64, Q_IN_BAND = 255, SIDE_MAX = 2040, RESTART_WHOLE = 0xffff };

/* In units of 8 pixels; 0 where that can't be said. */
static unsigned side(uint16_t pixels)
{
    return pixels <= SIDE_MAX ? (pixels + 7u) / 8 : 0;
}

static void put_header(struct rtp_out *out, const struct jpeg_picture *picture, size_t offset)
{
    unsigned type = picture->type + (picture->restart_interval ? TYPE_RESTART : 0u);

    rtp_out_uint(out, offset, 4); /* type-specific 0, and 24 bits of offset */
    rtp_out_uint(out, type, 1);
    rtp_out_uint(out, Q_IN_BAND, 1);
    rtp_out_uint(out, side(picture->width), 1);
    rtp_out_uint(out, side(picture->height), 1);
    if (picture->restart_interval) {
        rtp_out_uint(out, picture->restart_interval, 2);
        rtp_out_uint(out, RESTART_WHOLE, 2); /* pieces are not cut at restart markers */
    }
    if (offset)
        return;
    rtp_out_uint(out, 0, 2);
    rtp_out_uint(out, 2 * JPEG_TABLE_BYTES, 2);
    rtp_out_put(out, picture->tables[picture->luma_table], JPEG_TABLE_BYTES);
    rtp_out_put(out, picture->tables[picture->chroma_table], JPEG_TABLE_BYTES);
}

int rtp_pack_jpeg(struct rtp_out *out, const struct track *track, const struct frame *frame)
{
    struct jpeg_picture picture;
    size_t headers, room, offset = 0;
    int err = jpeg_parse(&picture, frame->buf->bytes, frame->buf->len);

    (void)track;
    if (err)
        return err;
    if (picture.scan_len >= 1u << 24)
        return -ERR_TOO_LONG;
    headers = MAIN_BYTES + (picture.restart_interval ? RESTART_BYTES : 0u);
    /* The first packet holds the tables too: so that all are equally long, so much less scan. */
    room = rtp_out_piece(picture.scan_len + TABLES_BYTES, RTP_PAYLOAD_ROOM - headers);
    while (offset < picture.scan_len) {
        size_t left = picture.scan_len - offset;
        size_t piece = offset ? room : room > TABLES_BYTES ? room - TABLES_BYTES : 1;

        piece = piece < left ? piece : left;
        rtp_out_begin(out);
        put_header(out, &picture, offset);
        rtp_out_put(out, picture.scan + offset, piece);
        rtp_out_end(out, piece == left);
        offset += piece;
    }
    return 0;
}
