#include "media/h264.h"

#include <stdio.h>
#include <string.h>

#include "media/bits.h"

static bool has_chroma_fields(uint8_t profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};

    for (size_t i = 0; i < sizeof(profiles); i++) {
        if (profiles[i] == profile)
            return true;
    }
    return false;
}

static void skip_scaling_list(struct bits *bits, unsigned size)
{
    int32_t last = 8, next = 8;

    for (unsigned i = 0; i < size && !bits->failed; i++) {
        if (next)
            next = (int32_t)((uint32_t)last + (uint32_t)bits_se(bits)) & 0xff;
        last = next ? next : last;
    }
}

static void parse_chroma(struct h264_sps *out, struct bits *bits)
{
    out->chroma_format = (uint8_t)bits_ue_max(bits, 3);
    if (out->chroma_format == 3)
        out->separate_colour_planes = bits_flag(bits);
    out->bit_depth_luma = (uint8_t)(8 + bits_ue_max(bits, 6));
    out->bit_depth_chroma = (uint8_t)(8 + bits_ue_max(bits, 6));
    bits_skip(bits, 1); /* lossless transform bypass */
    if (!bits_flag(bits))
        return;
    for (unsigned i = 0; i < (out->chroma_format == 3 ? 12 : 8); i++) {
        if (bits_flag(bits))
            skip_scaling_list(bits, i < 6 ? 16 : 64);
    }
}

/* An offset of picture order count; held far below what would let sums overflow. */
static int32_t parse_offset(struct bits *bits)
{
    int32_t offset = bits_se(bits);

    if (offset >= -(1 << 20) && offset <= 1 << 20)
        return offset;
    bits->failed = true;
    return 0;
}

static void parse_poc_fields(struct h264_sps *out, struct bits *bits)
{
    out->poc_type = (uint8_t)bits_ue_max(bits, 2);
    if (out->poc_type == 0)
        out->poc_lsb_bits = (uint8_t)(4 + bits_ue_max(bits, 12));
    if (out->poc_type != 1)
        return;
    out->delta_poc_always_zero = bits_flag(bits);
    out->offset_for_non_ref = parse_offset(bits);
    out->offset_for_bottom = parse_offset(bits);
    out->cycle_len = (uint8_t)bits_ue_max(bits, 255);
    for (unsigned i = 0; i < out->cycle_len; i++)
        out->cycle_offset[i] = parse_offset(bits);
}

/* The size in pixels less what is cropped off. */
static int parse_size(struct h264_sps *out, struct bits *bits)
{
    bool has_chroma = out->chroma_format && !out->separate_colour_planes;
    uint32_t unit_x = has_chroma && out->chroma_format < 3 ? 2 : 1;
    uint32_t unit_y = has_chroma && out->chroma_format == 1 ? 2 : 1;
    uint64_t width = ((uint64_t)bits_ue(bits) + 1) * 16;
    uint64_t height = ((uint64_t)bits_ue(bits) + 1) * 16;
    uint64_t crop_x = 0, crop_y = 0;

    out->frame_mbs_only = bits_flag(bits);
    if (!out->frame_mbs_only) {
        bits_skip(bits, 1); /* mb_adaptive_frame_field */
        height *= 2;
        unit_y *= 2;
    }
    bits_skip(bits, 1); /* direct_8x8_inference */
    if (bits_flag(bits)) {
        crop_x = bits_ue(bits);
        crop_x = (crop_x + bits_ue(bits)) * unit_x;
        crop_y = bits_ue(bits);
        crop_y = (crop_y + bits_ue(bits)) * unit_y;
    }
    if (bits->failed || crop_x >= width || crop_y >= height)
        return -ERR_PROTOCOL;
    if (width - crop_x > VIDEO_MAX_PIXELS_ASIDE || height - crop_y > VIDEO_MAX_PIXELS_ASIDE)
        return -ERR_UNSUPPORTED;
    out->width = (uint16_t)(width - crop_x);
    out->height = (uint16_t)(height - crop_y);
    return 0;
}

static void skip_hrd(struct bits *bits)
{
    uint32_t count = bits_ue_max(bits, 31) + 1;

    bits_skip(bits, 8);
    for (uint32_t i = 0; i < count && !bits->failed; i++) {
        bits_ue(bits);
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    bits_skip(bits, 20);
}

static void parse_timing(struct h264_sps *out, struct bits *bits)
{
    uint64_t tick = bits_read(bits, 32);
    uint64_t scale = bits_read(bits, 32);
    uint64_t rate;

    bits_skip(bits, 1); /* fixed_frame_rate */
    if (bits->failed || !tick || !scale)
        return;
    rate = scale * 1000 / (2 * tick);
    out->frame_rate_mhz = rate <= 1000000 ? (uint32_t)rate : 0;
}

/* What fails here costs what would have followed only: cameras do cut their VUI short. */
static void parse_vui(struct h264_sps *out, struct bits *bits)
{
    bool has_nal_hrd, has_vcl_hrd;
    uint32_t reorder;

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
    if (bits_flag(bits))
        parse_timing(out, bits);
    has_nal_hrd = bits_flag(bits);
    if (has_nal_hrd)
        skip_hrd(bits);
    has_vcl_hrd = bits_flag(bits);
    if (has_vcl_hrd)
        skip_hrd(bits);
    if (has_nal_hrd || has_vcl_hrd)
        bits_skip(bits, 1); /* low_delay_hrd */
    bits_skip(bits, 1);     /* pic_struct_present */
    if (!bits_flag(bits))   /* bitstream restriction */
        return;
    bits_skip(bits, 1);
    for (unsigned i = 0; i < 4; i++)
        bits_ue(bits);
    reorder = bits_ue_max(bits, 16);
    bits_ue_max(bits, 16); /* max_dec_frame_buffering */
    if (bits->failed)
        return;
    out->has_reorder = true;
    out->reorder = (uint8_t)reorder;
}

int h264_parse_sps(struct h264_sps *out, const uint8_t *nal, size_t len)
{
    struct bits bits;
    int err;

    memset(out, 0, sizeof(*out)); /* the gaps too: callers compare */
    out->chroma_format = 1;
    out->bit_depth_luma = out->bit_depth_chroma = 8;
    if (len < 4 || h264_nal_type(nal) != H264_SPS)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + 1, len - 1);
    out->profile = (uint8_t)bits_read(&bits, 8);
    out->compatibility = (uint8_t)bits_read(&bits, 8);
    out->level = (uint8_t)bits_read(&bits, 8);
    out->id = (uint8_t)bits_ue_max(&bits, H264_SPS_MAX - 1);
    if (has_chroma_fields(out->profile))
        parse_chroma(out, &bits);
    out->frame_num_bits = (uint8_t)(4 + bits_ue_max(&bits, 12));
    parse_poc_fields(out, &bits);
    bits_ue_max(&bits, 16); /* max_num_ref_frames */
    bits_skip(&bits, 1);    /* gaps allowed */
    err = parse_size(out, &bits);
    if (err)
        return err;
    if (bits_flag(&bits))
        parse_vui(out, &bits);
    out->is_known = true;
    return 0;
}

int h264_parse_pps(struct h264_pps *out, uint8_t *id, const uint8_t *nal, size_t len)
{
    struct bits bits;

    *out = (struct h264_pps){0};
    if (len < 2 || h264_nal_type(nal) != H264_PPS)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + 1, len - 1);
    *id = (uint8_t)bits_ue_max(&bits, H264_PPS_MAX - 1);
    out->sps_id = (uint8_t)bits_ue_max(&bits, H264_SPS_MAX - 1);
    bits_skip(&bits, 1); /* entropy coding mode */
    out->has_bottom_field_order = bits_flag(&bits);
    out->is_known = !bits.failed;
    return bits.failed ? -ERR_PROTOCOL : 0;
}

static bool has_slice_header(const uint8_t *nal, size_t len)
{
    unsigned type = len ? h264_nal_type(nal) : 0;

    return type == H264_SLICE || type == H264_IDR || type == H264_PARTITION_A;
}

int h264_slice_pps_id(uint8_t *out, const uint8_t *nal, size_t len)
{
    struct bits bits;

    if (!has_slice_header(nal, len))
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + 1, len - 1);
    bits_ue(&bits);
    bits_ue(&bits);
    *out = (uint8_t)bits_ue_max(&bits, H264_PPS_MAX - 1);
    return bits.failed ? -ERR_PROTOCOL : 0;
}

static void parse_slice_poc(struct h264_slice *out, const struct h264_sps *sps,
                            const struct h264_pps *pps, struct bits *bits)
{
    bool has_bottom = pps->has_bottom_field_order && !out->is_field;

    if (sps->poc_type == 0) {
        out->poc_lsb = bits_read(bits, sps->poc_lsb_bits);
        if (has_bottom)
            out->delta_poc_bottom = bits_se(bits);
    }
    if (sps->poc_type == 1 && !sps->delta_poc_always_zero) {
        out->delta_poc[0] = bits_se(bits);
        if (has_bottom)
            out->delta_poc[1] = bits_se(bits);
    }
}

int h264_parse_slice(struct h264_slice *out, const struct h264_sps *sps, const struct h264_pps *pps,
                     const uint8_t *nal, size_t len)
{
    struct bits bits;

    *out = (struct h264_slice){0};
    if (!has_slice_header(nal, len) || !sps->is_known)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + 1, len - 1);
    out->ref_idc = nal[0] >> 5 & 3;
    out->is_idr = h264_nal_type(nal) == H264_IDR;
    out->first_mb = bits_ue(&bits);
    out->type = (uint8_t)(bits_ue_max(&bits, 9) % 5);
    out->pps_id = (uint8_t)bits_ue_max(&bits, H264_PPS_MAX - 1);
    if (sps->separate_colour_planes)
        bits_skip(&bits, 2);
    out->frame_num = bits_read(&bits, sps->frame_num_bits);
    if (!sps->frame_mbs_only)
        out->is_field = bits_flag(&bits);
    if (out->is_field)
        out->is_bottom = bits_flag(&bits);
    if (out->is_idr)
        bits_ue_max(&bits, 65535); /* idr_pic_id */
    parse_slice_poc(out, sps, pps, &bits);
    return bits.failed ? -ERR_PROTOCOL : 0;
}

/* Type 0 (section 8.2.1.1): the low bits are in the slice. */
static int64_t poc_type_0(struct h264_poc *poc, const struct h264_sps *sps,
                          const struct h264_slice *slice)
{
    int64_t max = (int64_t)1 << sps->poc_lsb_bits;
    int64_t lsb = slice->poc_lsb;
    int64_t msb, top;

    if (slice->is_idr) {
        poc->prev_msb = 0;
        poc->prev_lsb = 0;
    }
    msb = poc->prev_msb;
    if (lsb < poc->prev_lsb && poc->prev_lsb - lsb >= max / 2)
        msb += max;
    else if (lsb > poc->prev_lsb && lsb - poc->prev_lsb > max / 2)
        msb -= max;
    if (slice->ref_idc) {
        poc->prev_msb = (int32_t)msb;
        poc->prev_lsb = (uint32_t)lsb;
    }
    top = msb + lsb;
    return slice->delta_poc_bottom < 0 ? top + slice->delta_poc_bottom : top;
}

/* How often frame_num has wrapped since the last IDR, in frames (sections 8.2.1.2, 8.2.1.3). */
static int64_t frame_num_offset(struct h264_poc *poc, const struct h264_sps *sps,
                                const struct h264_slice *slice)
{
    int64_t offset = poc->prev_frame_num_offset;

    if (slice->is_idr)
        offset = 0;
    else if (poc->prev_frame_num > slice->frame_num)
        offset += (int64_t)1 << sps->frame_num_bits;
    offset &= 0x7fffffff; /* a stream without IDR must not overflow what follows */
    poc->prev_frame_num_offset = offset;
    poc->prev_frame_num = slice->frame_num;
    return offset;
}

/* Type 1 (section 8.2.1.2): expected from a cycle of offsets, and a delta. */
static int64_t poc_type_1(struct h264_poc *poc, const struct h264_sps *sps,
                          const struct h264_slice *slice)
{
    int64_t frame = frame_num_offset(poc, sps, slice) + slice->frame_num;
    int64_t cycle = 0, expected = 0, bottom;

    frame = sps->cycle_len ? frame : 0;
    if (!slice->ref_idc && frame > 0)
        frame--;
    for (unsigned i = 0; i < sps->cycle_len; i++)
        cycle += sps->cycle_offset[i];
    if (frame > 0) {
        expected = (frame - 1) / sps->cycle_len * cycle;
        for (int64_t i = 0; i <= (frame - 1) % sps->cycle_len; i++)
            expected += sps->cycle_offset[i];
    }
    if (!slice->ref_idc)
        expected += sps->offset_for_non_ref;
    expected += slice->delta_poc[0];
    bottom = expected + sps->offset_for_bottom + slice->delta_poc[1];
    if (slice->is_field)
        return slice->is_bottom ? expected + sps->offset_for_bottom : expected;
    return bottom < expected ? bottom : expected;
}

int32_t h264_poc_next(struct h264_poc *poc, const struct h264_sps *sps,
                      const struct h264_slice *slice)
{
    int64_t frame;

    if (sps->poc_type == 0)
        return (int32_t)poc_type_0(poc, sps, slice);
    if (sps->poc_type == 1)
        return (int32_t)poc_type_1(poc, sps, slice);
    frame = frame_num_offset(poc, sps, slice) + slice->frame_num;
    return (int32_t)(slice->is_idr ? 0 : 2 * frame - (slice->ref_idc ? 0 : 1));
}

bool h264_sei_has_recovery_point(const uint8_t *nal, size_t len)
{
    struct bits bits = bits_of_nal(nal + 1, len ? len - 1 : 0);

    /* Each message: type and size, each in bytes of 255 and a last one (section 7.3.2.3.1). */
    while (bits_left(&bits) >= 24) {
        uint32_t value[2] = {0, 0};

        for (unsigned i = 0; i < 2; i++) {
            uint32_t byte = 255;

            while (byte == 255 && bits_left(&bits)) {
                byte = bits_read(&bits, 8);
                value[i] += byte;
            }
        }
        if (value[0] == 6)
            return true;
        bits_skip(&bits, (size_t)value[1] * 8);
    }
    return false;
}

int h264_parameter_set_key(const uint8_t *nal, size_t len, struct parameter_set_key *key)
{
    unsigned type = len ? h264_nal_type(nal) : 0;
    size_t skip = type == H264_SPS ? 4 : 1;
    struct bits bits;

    if ((type != H264_SPS && type != H264_PPS) || len <= skip)
        return -ERR_PROTOCOL;
    bits = bits_of_nal(nal + skip, len - skip);
    key->rank = type == H264_SPS ? 1 : 2;
    key->id = bits_ue_max(&bits, type == H264_SPS ? H264_SPS_MAX - 1 : H264_PPS_MAX - 1);
    return bits.failed ? -ERR_PROTOCOL : 0;
}

/* The sets of one type: how many, at most max, and into writer unless it is NULL. */
static unsigned put_sets(struct writer *writer, const struct buf *config, unsigned type,
                         unsigned max)
{
    size_t offset = 0;
    unsigned count = 0;
    struct nal_view nal = nal_next(config->bytes, config->len, &offset);

    for (; nal.bytes && count < max; nal = nal_next(config->bytes, config->len, &offset)) {
        if (!nal.len || h264_nal_type(nal.bytes) != type)
            continue;
        count++;
        if (!writer)
            continue;
        writer_uint(writer, nal.len, 2);
        writer_put(writer, nal.bytes, nal.len);
    }
    return count;
}

static int find_sps(struct h264_sps *out, const struct buf *config)
{
    size_t offset = 0;
    struct nal_view nal;

    if (!config)
        return -ERR_PROTOCOL;
    do {
        nal = nal_next(config->bytes, config->len, &offset);
        if (nal.len && h264_nal_type(nal.bytes) == H264_SPS)
            return h264_parse_sps(out, nal.bytes, nal.len);
    } while (nal.bytes);
    return -ERR_PROTOCOL;
}

int h264_write_avcc(struct writer *writer, const struct buf *config)
{
    struct h264_sps sps;
    unsigned sps_count, pps_count;
    int err = find_sps(&sps, config);

    if (err)
        return err;
    sps_count = put_sets(NULL, config, H264_SPS, 31);
    pps_count = put_sets(NULL, config, H264_PPS, 255);
    if (!pps_count)
        return -ERR_PROTOCOL;
    writer_uint(writer, 1, 1);
    writer_uint(writer, sps.profile, 1);
    writer_uint(writer, sps.compatibility, 1);
    writer_uint(writer, sps.level, 1);
    writer_uint(writer, 0xfc | 3, 1); /* lengths of 4 bytes */
    writer_uint(writer, 0xe0 | sps_count, 1);
    put_sets(writer, config, H264_SPS, 31);
    writer_uint(writer, pps_count, 1);
    put_sets(writer, config, H264_PPS, 255);
    if (sps.profile == 100 || sps.profile == 110 || sps.profile == 122 || sps.profile == 144) {
        writer_uint(writer, 0xfcu | sps.chroma_format, 1);
        writer_uint(writer, 0xf8u | (sps.bit_depth_luma - 8u), 1);
        writer_uint(writer, 0xf8u | (sps.bit_depth_chroma - 8u), 1);
        writer_uint(writer, 0, 1); /* SPS extensions */
    }
    return writer->err;
}

int h264_codec_string(char *out, size_t room, const struct buf *config)
{
    struct h264_sps sps;
    int err = find_sps(&sps, config);

    if (err)
        return err;
    snprintf(out, room, "avc1.%02x%02x%02x", sps.profile, sps.compatibility, sps.level);
    return 0;
}
