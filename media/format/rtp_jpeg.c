/* MJPEG from RTP (RFC 2435): puts the headers that RTP leaves out back, so that each unit is a
 * JPEG file. Quantisers by static Q, or in band; restart markers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "media/format/depacketiser_kind.h"
#include "media/frame.h"
#include "media/jpeg.h"

enum { Q_IN_BAND = 128, TYPE_RESTART = 64, TABLES_BYTES = 2 * JPEG_TABLE_BYTES };

/* The quantisers last seen of a Q: cameras may leave them out from the second picture on. */
struct kept_tables {
    uint8_t bytes[TABLES_BYTES];
    uint8_t count; /* of tables: 0 none yet, 1 or 2 */
};

struct jpeg_depacketiser {
    struct depacketiser base;
    struct writer picture;
    struct kept_tables kept[255 - Q_IN_BAND + 1];
    bool is_open;
    uint32_t timestamp;
    size_t scan_len; /* of what has come: where the next fragment must begin */
};

struct jpeg_header {
    uint32_t offset;
    uint8_t type, q;
    uint16_t width, height, restart_interval;
};

static void jpeg_close(struct depacketiser *depacketiser)
{
    struct jpeg_depacketiser *jpeg = (struct jpeg_depacketiser *)(void *)depacketiser;

    writer_fini(&jpeg->picture);
    free(jpeg);
}

static int jpeg_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct jpeg_depacketiser *jpeg = depacketiser_new(sizeof(*jpeg));

    (void)format;
    if (!jpeg)
        return -ENOMEM;
    writer_init(&jpeg->picture, FRAME_MAX_BYTES);
    jpeg->base.has_track = true; /* but for its size */
    *out = &jpeg->base;
    return 0;
}

/* The main header and the restart header (sections 3.1.1 to 3.1.7). */
static int read_header(struct jpeg_header *out, struct reader *reader)
{
    reader_u8(reader); /* type-specific */
    out->offset = (uint32_t)reader_uint(reader, 3);
    out->type = reader_u8(reader);
    out->q = reader_u8(reader);
    out->width = (uint16_t)(reader_u8(reader) * 8);
    out->height = (uint16_t)(reader_u8(reader) * 8);
    out->restart_interval = 0;
    if (out->type >= TYPE_RESTART && out->type < 128) {
        out->restart_interval = reader_u16(reader);
        reader_u16(reader); /* which restart interval this is: the markers say it too */
        out->type = (uint8_t)(out->type - TYPE_RESTART);
    }
    if (!reader_is_ok(reader))
        return -ERR_PROTOCOL;
    return out->type > JPEG_TYPE_420 ? -ERR_UNSUPPORTED : 0;
}

/* The quantisers of a first packet (section 3.1.8), in band or by Q. */
static int read_tables(struct jpeg_depacketiser *jpeg, const struct jpeg_header *header,
                       struct reader *reader, struct kept_tables *out)
{
    struct kept_tables *kept;
    uint8_t precision;
    size_t len;
    const uint8_t *bytes;

    out->count = 2;
    if (header->q < Q_IN_BAND) {
        if (!header->q || header->q > 99)
            return -ERR_PROTOCOL;
        jpeg_make_tables(out->bytes, header->q);
        return 0;
    }
    kept = &jpeg->kept[header->q - Q_IN_BAND];
    reader_u8(reader);
    precision = reader_u8(reader);
    len = reader_u16(reader);
    bytes = reader_take(reader, len);
    if (!bytes || (len != 0 && len != JPEG_TABLE_BYTES && len != TABLES_BYTES))
        return -ERR_PROTOCOL;
    if (precision & 3)
        return -ERR_UNSUPPORTED;
    if (len) {
        memcpy(kept->bytes, bytes, len);
        kept->count = (uint8_t)(len / JPEG_TABLE_BYTES);
    }
    *out = *kept;
    return kept->count ? 0 : -ERR_PROTOCOL;
}

static int begin_picture(struct jpeg_depacketiser *jpeg, const struct jpeg_header *header,
                         struct reader *reader)
{
    struct track *track = &jpeg->base.track;
    struct kept_tables tables;
    struct jpeg_headers headers = {
        .type = header->type,
        .width = header->width ? header->width : track->width,
        .height = header->height ? header->height : track->height,
        .restart_interval = header->restart_interval,
        .quantisers = tables.bytes,
    };
    int err = read_tables(jpeg, header, reader, &tables);

    if (err)
        return err;
    /* Wider than 2040 the size is left out, and the SDP would have to say it. */
    if (!headers.width || !headers.height)
        return -ERR_UNSUPPORTED;
    headers.quantiser_count = tables.count;
    writer_reset(&jpeg->picture);
    jpeg_write_headers(&jpeg->picture, &headers);
    jpeg->is_open = true;
    jpeg->scan_len = 0;
    if (jpeg->base.has_track && track->width == headers.width && track->height == headers.height)
        return 0;
    track->width = headers.width;
    track->height = headers.height;
    depacketiser_tell_track(&jpeg->base);
    return 0;
}

static int end_picture(struct jpeg_depacketiser *jpeg)
{
    struct access_unit unit = {.timestamp = jpeg->timestamp, .is_key = true};
    const struct writer *picture = &jpeg->picture;

    jpeg->is_open = false;
    /* Some cameras leave the end marker out, some don't. */
    if (!picture->err &&
        (picture->bytes[picture->len - 2] != 0xff || picture->bytes[picture->len - 1] != 0xd9))
        writer_uint(&jpeg->picture, 0xffd9, 2);
    if (picture->err)
        return picture->err;
    return depacketiser_tell_unit(&jpeg->base, unit, picture->bytes, picture->len);
}

static int jpeg_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                     bool is_after_loss)
{
    struct jpeg_depacketiser *jpeg = (struct jpeg_depacketiser *)(void *)depacketiser;
    struct reader reader = reader_of(packet->payload, packet->payload_len);
    struct jpeg_header header;
    int err;

    if (is_after_loss || jpeg->timestamp != packet->timestamp)
        jpeg->is_open = false;
    jpeg->timestamp = packet->timestamp;
    err = read_header(&header, &reader);
    if (!err && !header.offset)
        err = begin_picture(jpeg, &header, &reader);
    if (err) {
        jpeg->is_open = false;
        return err;
    }
    if (!jpeg->is_open)
        return 0; /* of a picture that was torn */
    if (header.offset != jpeg->scan_len) {
        jpeg->is_open = false;
        return -ERR_PROTOCOL;
    }
    writer_put(&jpeg->picture, reader.at, reader_left(&reader));
    jpeg->scan_len += reader_left(&reader);
    return packet->marker ? end_picture(jpeg) : 0;
}

const struct depacketiser_kind depacketiser_jpeg = {jpeg_open, jpeg_push, jpeg_close};
