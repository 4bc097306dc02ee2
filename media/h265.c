#include "media/h265.h"

#include <stdio.h>
#include <string.h>

#include "media/bits.h"

enum { HEADER_BYTES = 2, SUB_LAYERS_MAX = 7, SHORT_TERM_SETS_MAX = 64, REFERENCES_MAX = 16 };

/* profile_tier_level (section 7.3.3); of the sub-layers nothing is kept. */
static void parse_profile(struct h265_sps *out, struct bits *bits)
{
    bool has_profile[SUB_LAYERS_MAX], has_level[SUB_LAYERS_MAX];
    unsigned sub_layers = out->max_sub_layers - 1u;

    out->profile_space = (uint8_t)bits_read(bits, 2);
    out->tier = (uint8_t)bits_read(bits, 1);
    out->profile = (uint8_t)bits_read(bits, 5);
    out->compatibility = bits_read(bits, 32);
    for (unsigned i = 0; i < sizeof(out->constraints); i++)
        out->constraints[i] = (uint8_t)bits_read(bits, 8);
    out->level = (uint8_t)bits_read(bits, 8);
    for (unsigned i = 0; i < sub_layers; i++) {
        has_profile[i] = bits_flag(bits);
        has_level[i] = bits_flag(bits);
    }
    if (sub_layers)
        bits_skip(bits, (size_t)(8 - sub_layers) * 2);
    for (unsigned i = 0; i < sub_layers; i++) {
        bits_skip(bits, has_profile[i] ? 88 : 0);
        bits_skip(bits, has_level[i] ? 8 : 0);
    }
}

/* The size in pixels less the conformance window. */
static int parse_size(struct h265_sps *out, struct bits *bits)
{
    bool has_chroma;
    uint64_t width, height, unit_x, unit_y, crop_x = 0, crop_y = 0;

    out->chroma_format = (uint8_t)bits_ue_max(bits, 3);
    if (out->chroma_format == 3)
        out->separate_colour_planes = bits_flag(bits);
    width = bits_ue(bits);
    height = bits_ue(bits);
    has_chroma = out->chroma_format && !out->separate_colour_planes;
    unit_x = has_chroma && out->chroma_format < 3 ? 2 : 1;
    unit_y = has_chroma && out->chroma_format == 1 ? 2 : 1;
    if (bits_flag(bits)) {
        crop_x = bits_ue(bits);
        crop_x = (crop_x + bits_ue(bits)) * unit_x;
        crop_y = bits_ue(bits);
        crop_y = (crop_y + bits_ue(bits)) * unit_y;
    }
    if (bits->failed || crop_x >= width || crop_y >= height)
        return -ERR_PROTOCOL;
    if (width - crop_x > H265_MAX_PIXELS_ASIDE || height - crop_y > H265_MAX_PIXELS_ASIDE)
        return -ERR_UNSUPPORTED;
    out->width = (uint16_t)(width - crop_x);
    out->height = (uint16_t)(height - crop_y);
    return 0;
}

static void parse_ordering(struct h265_sps *out, struct bits *bits)
{
    bool is_each = bits_flag(bits);

    /* The last that is given is that of the highest sub-layer. */
    for (unsigned i = is_each ? 0 : out->max_sub_layers - 1u; i < out->max_sub_layers; i++) {
        bits_ue_max(bits, 16);
        out->reorder = (uint8_t)bits_ue_max(bits, 16);
        bits_ue(bits);
    }
}

static void skip_scaling_lists(struct bits *bits)
{
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6 && !bits->failed; matrix += size == 3 ? 3 : 1) {
            unsigned count = size ? 64 : 16;

            if (!bits_flag(bits)) {
                bits_ue(bits);
                continue;
            }
            if (size > 1)
                bits_se(bits);
            while (count--)
                bits_se(bits);
        }
    }
}

/* st_ref_pic_set (section 7.3.7): the number of its pictures, which the next may count from. */
static unsigned skip_reference_set(struct bits *bits, unsigned index, unsigned before)
{
    unsigned count = 0, negative, positive;

    if (index && bits_flag(bits)) {
        bits_skip(bits, 1);
        bits_ue(bits);
        for (unsigned i = 0; i <= before && !bits->failed; i++) {
            if (bits_flag(bits) || bits_flag(bits))
                count++;
        }
        return count;
    }
    negative = bits_ue_max(bits, REFERENCES_MAX);
    positive = bits_ue_max(bits, REFERENCES_MAX);
    for (unsigned i = 0; i < negative + positive && !bits->failed; i++) {
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    return negative + positive;
}

/* What stands between the picture order count's size and the VUI. */
static void skip_to_vui(struct bits *bits, unsigned poc_lsb_bits)
{
    unsigned count, pictures = 0;

    for (unsigned i = 0; i < 6; i++)
        bits_ue(bits);                      /* block sizes and depths */
    if (bits_flag(bits) && bits_flag(bits)) /* scaling lists, given */
        skip_scaling_lists(bits);
    bits_skip(bits, 2);    /* AMP, SAO */
    if (bits_flag(bits)) { /* PCM */
        bits_skip(bits, 8);
        bits_ue(bits);
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    count = bits_ue_max(bits, SHORT_TERM_SETS_MAX);
    for (unsigned i = 0; i < count && !bits->failed; i++)
        pictures = skip_reference_set(bits, i, pictures);
    if (bits_flag(bits)) { /* long-term references */
        count = bits_ue_max(bits, 32);
        for (unsigned i = 0; i < count; i++)
            bits_skip(bits, poc_lsb_bits + 1u);
    }
    bits_skip(bits, 2); /* temporal motion vectors, intra smoothing */
}

static void parse_vui(struct h265_sps *out, struct bits *bits)
{
    uint64_t tick, scale;

    if (bits_flag(bits) && bits_read(bits, 8) == 255) /* aspect ratio */
        bits_skip(bits, 32);
    if (bits_flag(bits)) /* overscan */
        bits_skip(bits, 1);
    if (bits_flag(bits)) { /* video signal type */
        bits_skip(bits, 4);
        if (bits_flag(bits))
            bits_skip(bits, 24);
    }
    if (bits_flag(bits)) { /* chroma location */
        bits_ue(bits);
        bits_ue(bits);
    }
    bits_skip(bits, 3);
    if (bits_flag(bits)) { /* default display window */
        for (unsigned i = 0; i < 4; i++)
            bits_ue(bits);
    }
    if (!bits_flag(bits))
        return;
    tick = bits_read(bits, 32);
    scale = bits_read(bits, 32);
    if (!bits->failed && tick && scale * 1000 / tick <= 1000000)
        out->frame_rate_mhz = (uint32_t)(scale * 1000 / tick);
}

int h265_parse_sps(struct h265_sps *out, const uint8_t *nal, size_t len)
{
    struct bits bits;
    int err;

    memset(out, 0, sizeof(*out)); /* the gaps too: callers compare */
    if (len <= HEADER_BYTES || h265_nal_type(nal) != H265_SPS)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + HEADER_BYTES, len - HEADER_BYTES);
    bits_skip(&bits, 4); /* VPS */
    out->max_sub_layers = (uint8_t)(bits_read(&bits, 3) + 1);
    if (out->max_sub_layers > SUB_LAYERS_MAX)
        return -ERR_PROTOCOL;
    out->is_temporal_nested = bits_flag(&bits);
    parse_profile(out, &bits);
    out->id = (uint8_t)bits_ue_max(&bits, H265_SPS_MAX - 1);
    err = parse_size(out, &bits);
    if (err)
        return err;
    out->bit_depth_luma = (uint8_t)(8 + bits_ue_max(&bits, 8));
    out->bit_depth_chroma = (uint8_t)(8 + bits_ue_max(&bits, 8));
    out->poc_lsb_bits = (uint8_t)(4 + bits_ue_max(&bits, 12));
    parse_ordering(out, &bits);
    if (bits.failed)
        return -ERR_PROTOCOL;
    /* What fails from here on costs the frame rate only. */
    skip_to_vui(&bits, out->poc_lsb_bits);
    if (bits_flag(&bits))
        parse_vui(out, &bits);
    out->is_known = true;
    return 0;
}

int h265_parse_pps(struct h265_pps *out, uint8_t *id, const uint8_t *nal, size_t len)
{
    struct bits bits;

    *out = (struct h265_pps){0};
    if (len <= HEADER_BYTES || h265_nal_type(nal) != H265_PPS)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + HEADER_BYTES, len - HEADER_BYTES);
    *id = (uint8_t)bits_ue_max(&bits, H265_PPS_MAX - 1);
    out->sps_id = (uint8_t)bits_ue_max(&bits, H265_SPS_MAX - 1);
    bits_skip(&bits, 1); /* dependent slice segments */
    out->has_output_flag = bits_flag(&bits);
    out->extra_slice_bits = (uint8_t)bits_read(&bits, 3);
    out->is_known = !bits.failed;
    return bits.failed ? -ERR_PROTOCOL : 0;
}

/* Up to and with the PPS's id, of a first slice segment. */
static int begin_slice(struct bits *bits, uint8_t *pps_id, const uint8_t *nal, size_t len)
{
    if (len <= HEADER_BYTES || h265_nal_type(nal) > H265_LAST_SLICE)
        return -ERR_PROTOCOL;
    *bits = bits_of_nal(nal + HEADER_BYTES, len - HEADER_BYTES);
    if (!bits_flag(bits))
        return -ERR_PROTOCOL;
    if (h265_is_irap(h265_nal_type(nal)))
        bits_skip(bits, 1); /* no output of prior pictures */
    *pps_id = (uint8_t)bits_ue_max(bits, H265_PPS_MAX - 1);
    return bits->failed ? -ERR_PROTOCOL : 0;
}

int h265_slice_pps_id(uint8_t *out, const uint8_t *nal, size_t len)
{
    struct bits bits;

    return begin_slice(&bits, out, nal, len);
}

int h265_poc_next(struct h265_poc *poc, int32_t *out, const struct h265_sps *sps,
                  const struct h265_pps *pps, struct nal_view nal)
{
    unsigned type = nal.len ? h265_nal_type(nal.bytes) : 0;
    int64_t max = (int64_t)1 << sps->poc_lsb_bits;
    int64_t lsb = 0, msb = 0;
    struct bits bits;
    uint8_t pps_id;
    int err = begin_slice(&bits, &pps_id, nal.bytes, nal.len);

    if (err)
        return err;
    bits_skip(&bits, pps->extra_slice_bits);
    bits_ue_max(&bits, 2); /* slice type */
    bits_skip(&bits, (pps->has_output_flag ? 1u : 0u) + (sps->separate_colour_planes ? 2u : 0u));
    if (type != H265_IDR_W_RADL && type != H265_IDR_N_LP)
        lsb = bits_read(&bits, sps->poc_lsb_bits);
    if (bits.failed)
        return -ERR_PROTOCOL;
    if (!h265_is_irap(type)) {
        msb = poc->prev_msb;
        if (lsb < poc->prev_lsb && poc->prev_lsb - lsb >= max / 2)
            msb += max;
        else if (lsb > poc->prev_lsb && lsb - poc->prev_lsb > max / 2)
            msb -= max;
    }
    /* RASL, RADL and pictures that nothing refers to don't count as the one before. */
    if ((nal.bytes[1] & 7) == 1 && (type > H265_LAST_NON_IRAP || (type <= 5 && type & 1))) {
        poc->prev_msb = (int32_t)msb;
        poc->prev_lsb = (uint32_t)lsb;
    }
    *out = (int32_t)(msb + lsb);
    return 0;
}

int h265_parameter_set_key(const uint8_t *nal, size_t len, struct parameter_set_key *key)
{
    struct h265_sps sps;
    struct h265_pps pps;
    uint8_t id;
    int err;

    if (len <= HEADER_BYTES)
        return -ERR_PROTOCOL;
    switch (h265_nal_type(nal)) {
    case H265_VPS:
        *key = (struct parameter_set_key){.rank = 0, .id = nal[2] >> 4};
        return 0;
    case H265_SPS:
        err = h265_parse_sps(&sps, nal, len);
        *key = (struct parameter_set_key){.rank = 1, .id = sps.id};
        return err;
    case H265_PPS:
        err = h265_parse_pps(&pps, &id, nal, len);
        *key = (struct parameter_set_key){.rank = 2, .id = id};
        return err;
    default:
        return -ERR_PROTOCOL;
    }
}

static int find_sps(struct h265_sps *out, const struct buf *config)
{
    size_t offset = 0;
    struct nal_view nal;

    if (!config)
        return -ERR_PROTOCOL;
    do {
        nal = nal_next(config->bytes, config->len, &offset);
        if (nal.len > HEADER_BYTES && h265_nal_type(nal.bytes) == H265_SPS)
            return h265_parse_sps(out, nal.bytes, nal.len);
    } while (nal.bytes);
    return -ERR_PROTOCOL;
}

/* The sets of one type, as one of the record's arrays; how many there are. */
static unsigned put_sets(struct writer *writer, const struct buf *config, unsigned type)
{
    unsigned count = 0;

    for (unsigned pass = 0; pass < 2; pass++) {
        size_t offset = 0;
        struct nal_view nal = nal_next(config->bytes, config->len, &offset);

        if (pass) {
            writer_uint(writer, 0x80u | type, 1); /* all of them are here, none in band */
            writer_uint(writer, count, 2);
        }
        for (; nal.bytes; nal = nal_next(config->bytes, config->len, &offset)) {
            if (!nal.len || h265_nal_type(nal.bytes) != type)
                continue;
            count += !pass;
            if (!pass)
                continue;
            writer_uint(writer, nal.len, 2);
            writer_put(writer, nal.bytes, nal.len);
        }
    }
    return count;
}

int h265_write_hvcc(struct writer *writer, const struct buf *config)
{
    struct h265_sps sps;
    bool is_whole = true;
    int err = find_sps(&sps, config);

    if (err)
        return err;
    writer_uint(writer, 1, 1);
    writer_uint(writer, (unsigned)sps.profile_space << 6 | (unsigned)sps.tier << 5 | sps.profile,
                1);
    writer_uint(writer, sps.compatibility, 4);
    writer_put(writer, sps.constraints, sizeof(sps.constraints));
    writer_uint(writer, sps.level, 1);
    writer_uint(writer, 0xf000, 2); /* spatial segmentation: unknown */
    writer_uint(writer, 0xfc, 1);   /* parallelism: unknown */
    writer_uint(writer, 0xfcu | sps.chroma_format, 1);
    writer_uint(writer, 0xf8u | (sps.bit_depth_luma - 8u), 1);
    writer_uint(writer, 0xf8u | (sps.bit_depth_chroma - 8u), 1);
    writer_uint(writer, 0, 2); /* average frame rate: unknown */
    writer_uint(writer,
                (unsigned)sps.max_sub_layers << 3 | (unsigned)sps.is_temporal_nested << 2 | 3,
                1); /* lengths of 4 bytes */
    writer_uint(writer, PARAMETER_SET_RANKS, 1);
    for (unsigned type = H265_VPS; type <= H265_PPS; type++)
        is_whole &= put_sets(writer, config, type) > 0;
    return is_whole ? writer->err : -ERR_PROTOCOL;
}

int h265_codec_string(char *out, size_t room, const struct buf *config)
{
    static const char *const spaces[4] = {"", "A", "B", "C"};
    struct h265_sps sps;
    uint32_t reversed = 0;
    unsigned constraints = sizeof(sps.constraints);
    size_t len;
    int err = find_sps(&sps, config);

    if (err)
        return err;
    for (unsigned i = 0; i < 32; i++)
        reversed |= (sps.compatibility >> i & 1) << (31 - i);
    snprintf(out, room, "hvc1.%s%u.%X.%c%u", spaces[sps.profile_space & 3], sps.profile, reversed,
             sps.tier ? 'H' : 'L', sps.level);
    while (constraints && !sps.constraints[constraints - 1])
        constraints--;
    for (unsigned i = 0; i < constraints; i++) {
        len = strnlen(out, room);
        snprintf(out + len, room - len, ".%X", sps.constraints[i]);
    }
    return 0;
}
