/* AAC from RTP in MPEG4-GENERIC (RFC 3640): hbr, lbr, and any sizes of AU header fields that the
 * SDP names; several AUs a packet, and an AU over several packets. Not: interleaving. */
#include <errno.h>
#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "media/aac.h"
#include "media/format/depacketiser_kind.h"
#include "media/format/fmtp.h"

enum { AU_MAX_BYTES = 65536, AUS_MAX = 64, AAC_HBR_SIZE = 13, AAC_HBR_INDEX = 3 };

struct aac_depacketiser {
    struct depacketiser base;
    struct writer fragment; /* the AU that is being put together; empty: none */

    unsigned size_bits, index_bits, index_delta_bits, cts_bits, dts_bits, state_bits, aux_bits;
    bool has_random_access;
    uint32_t constant_size;
    uint32_t duration; /* of an AU, in RTP ticks */
    size_t fragment_len;
    uint32_t fragment_timestamp;
};

struct au {
    size_t len;
    uint32_t offset; /* from the packet's timestamp */
};

/* Some cameras leave an ADTS header on; a raw_data_block can't begin like one. */
static size_t adts_bytes(const uint8_t *bytes, size_t len)
{
    size_t header =
        len > 7 && bytes[0] == 0xff && (bytes[1] & 0xf6) == 0xf0 ? (bytes[1] & 1 ? 7 : 9) : 0;

    return header < len ? header : 0;
}

static int tell_au(struct aac_depacketiser *aac, uint32_t timestamp, const uint8_t *bytes,
                   size_t len)
{
    size_t skip = adts_bytes(bytes, len);
    struct access_unit unit = {.timestamp = timestamp, .is_key = true, .duration = aac->duration};

    return len ? depacketiser_tell_unit(&aac->base, unit, bytes + skip, len - skip) : 0;
}

static int use_config(struct aac_depacketiser *aac, const struct rtp_format *format)
{
    uint8_t config[AAC_CONFIG_MAX_BYTES];
    size_t len = fmtp_decode_hex(fmtp_find(format->fmtp, "config"), config, sizeof(config));
    struct aac_config parsed;
    int err = aac_parse_config(&parsed, config, len);

    if (err == -ERR_UNSUPPORTED)
        return err;
    if (err) {
        /* Without a config, or with a broken one: what the rtpmap line says must do. */
        len = aac_write_config(config, format->clock_rate, format->channels);
        err = aac_parse_config(&parsed, config, len);
    }
    if (err)
        return err;
    aac->base.track.channels = parsed.channels;
    aac->duration =
        (uint32_t)((uint64_t)parsed.frame_len * format->clock_rate / parsed.sample_rate);
    aac->base.has_track = true;
    return depacketiser_set_config(&aac->base, config, len);
}

static void aac_close(struct depacketiser *depacketiser)
{
    struct aac_depacketiser *aac = (struct aac_depacketiser *)(void *)depacketiser;

    writer_fini(&aac->fragment);
    free(aac);
}

static unsigned field_bits(const char *fmtp, const char *name, unsigned preset)
{
    uint32_t bits = fmtp_number(fmtp, name, preset);

    return bits <= 32 ? bits : preset;
}

static int aac_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct aac_depacketiser *aac = depacketiser_new(sizeof(*aac));
    const char *fmtp = format->fmtp;
    bool has_sizes = fmtp_find(fmtp, "sizelength").text || fmtp_find(fmtp, "constantsize").text;
    int err;

    if (!aac)
        return -ENOMEM;
    writer_init(&aac->fragment, AU_MAX_BYTES);
    aac->size_bits = field_bits(fmtp, "sizelength", has_sizes ? 0 : AAC_HBR_SIZE);
    aac->index_bits = field_bits(fmtp, "indexlength", has_sizes ? 0 : AAC_HBR_INDEX);
    aac->index_delta_bits = field_bits(fmtp, "indexdeltalength", has_sizes ? 0 : AAC_HBR_INDEX);
    aac->cts_bits = field_bits(fmtp, "ctsdeltalength", 0);
    aac->dts_bits = field_bits(fmtp, "dtsdeltalength", 0);
    aac->state_bits = field_bits(fmtp, "streamstateindication", 0);
    aac->aux_bits = field_bits(fmtp, "auxiliarydatasizelength", 0);
    aac->has_random_access = fmtp_number(fmtp, "randomaccessindication", 0) != 0;
    aac->constant_size = fmtp_number(fmtp, "constantsize", 0);
    err = use_config(aac, format);
    if (err) {
        buf_unref(aac->base.track.config);
        aac_close(&aac->base);
        return err;
    }
    *out = &aac->base;
    return 0;
}

/* One AU header (section 3.2.1.1). */
static struct au read_au_header(const struct aac_depacketiser *aac, struct bits *bits,
                                unsigned count, uint32_t *index)
{
    struct au au = {.len = bits_read(bits, aac->size_bits)};
    uint32_t delta = bits_read(bits, count ? aac->index_delta_bits : aac->index_bits);

    *index = count ? *index + delta + 1 : 0;
    au.offset = *index * aac->duration;
    if (aac->cts_bits && bits_flag(bits))
        bits_read(bits, aac->cts_bits);
    if (aac->dts_bits && bits_flag(bits))
        bits_read(bits, aac->dts_bits);
    if (aac->has_random_access)
        bits_read(bits, 1);
    bits_read(bits, aac->state_bits);
    if (!aac->size_bits)
        au.len = aac->constant_size;
    return au;
}

static bool has_au_headers(const struct aac_depacketiser *aac)
{
    return aac->size_bits || aac->index_bits || aac->index_delta_bits || aac->cts_bits ||
           aac->dts_bits || aac->state_bits || aac->has_random_access;
}

/* The AU headers, and the auxiliary section behind them: how many AUs, or a negative error. */
static int read_au_headers(const struct aac_depacketiser *aac, struct reader *reader,
                           struct au aus[AUS_MAX])
{
    size_t header_bits = reader_u16(reader);
    const uint8_t *headers = reader_take(reader, (header_bits + 7) / 8);
    struct bits bits;
    uint32_t index = 0;
    int count = 0;

    if (!headers)
        return -ERR_PROTOCOL;
    bits = bits_of(headers, (header_bits + 7) / 8);
    while (bits_left(&bits) > (8 - header_bits % 8) % 8) {
        if (count == AUS_MAX)
            return -ERR_TOO_MANY;
        aus[count] = read_au_header(aac, &bits, (unsigned)count, &index);
        count++;
    }
    if (bits.failed)
        return -ERR_PROTOCOL;
    if (aac->aux_bits) {
        bits = bits_of(reader->at, reader_left(reader));
        header_bits = bits_read(&bits, aac->aux_bits);
        reader_take(reader, (aac->aux_bits + header_bits + 7) / 8);
    }
    return reader_is_ok(reader) ? count : -ERR_PROTOCOL;
}

/* A piece of an AU that is longer than its packet (section 3.2.3). */
static int push_fragment(struct aac_depacketiser *aac, const struct rtp_packet *packet,
                         const struct au *au, const struct reader *reader)
{
    int err;

    if (aac->fragment.len &&
        (aac->fragment_timestamp != packet->timestamp || aac->fragment_len != au->len))
        writer_reset(&aac->fragment);
    aac->fragment_timestamp = packet->timestamp;
    aac->fragment_len = au->len;
    writer_put(&aac->fragment, reader->at, reader_left(reader));
    if (aac->fragment.err || aac->fragment.len > au->len) {
        writer_reset(&aac->fragment);
        return -ERR_PROTOCOL;
    }
    if (aac->fragment.len < au->len)
        return 0;
    err = tell_au(aac, packet->timestamp, aac->fragment.bytes, aac->fragment.len);
    writer_reset(&aac->fragment);
    return err;
}

static int push_aus(struct aac_depacketiser *aac, const struct rtp_packet *packet,
                    struct reader *reader, const struct au *aus, int count)
{
    int err = count ? 0 : -ERR_PROTOCOL;

    writer_reset(&aac->fragment);
    for (int i = 0; i < count && !err; i++) {
        const uint8_t *bytes = reader_take(reader, aus[i].len);

        if (!bytes || !aus[i].len)
            return -ERR_PROTOCOL;
        err = tell_au(aac, packet->timestamp + aus[i].offset, bytes, aus[i].len);
    }
    return err;
}

static int aac_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                    bool is_after_loss)
{
    struct aac_depacketiser *aac = (struct aac_depacketiser *)(void *)depacketiser;
    struct reader reader = reader_of(packet->payload, packet->payload_len);
    struct au aus[AUS_MAX];
    int count;

    if (is_after_loss)
        writer_reset(&aac->fragment);
    if (!packet->payload_len)
        return 0;
    if (!has_au_headers(aac)) {
        aus[0] = (struct au){.len = packet->payload_len};
        count = 1;
    } else {
        count = read_au_headers(aac, &reader, aus);
    }
    if (count < 0)
        return count;
    if (count == 1 && aus[0].len > reader_left(&reader))
        return push_fragment(aac, packet, &aus[0], &reader);
    return push_aus(aac, packet, &reader, aus, count);
}

const struct depacketiser_kind depacketiser_aac = {aac_open, aac_push, aac_close};
