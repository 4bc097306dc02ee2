/* media/h264.h: what H.264 headers say (ITU-T H.264 sections 7.3, 7.4, 8.2.1; ISO 14496-15). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"
#include "media/parameter_sets.h"

enum h264_nal_type {
    H264_SLICE = 1,
    H264_PARTITION_A = 2,
    H264_IDR = 5,
    H264_SEI = 6,
    H264_SPS = 7,
    H264_PPS = 8,
    H264_AUD = 9,
    H264_END_OF_SEQUENCE = 10,
    H264_END_OF_STREAM = 11,
    H264_FILLER = 12
};

enum { VIDEO_MAX_PIXELS_ASIDE = 16384, H264_SPS_MAX = 32, H264_PPS_MAX = 256 };

static inline unsigned h264_nal_type(const uint8_t *nal)
{
    return nal[0] & 0x1f;
}

struct h264_sps {
    bool is_known;
    uint8_t profile, compatibility, level, id;
    uint8_t chroma_format, bit_depth_luma, bit_depth_chroma;
    uint16_t width, height;  /* cropped */
    uint32_t frame_rate_mhz; /* frames per 1000 s, from the VUI; 0 unknown */
    bool has_reorder;        /* the VUI says how many frames are reordered */
    uint8_t reorder;         /* num_reorder_frames */
    bool frame_mbs_only, separate_colour_planes;
    uint8_t frame_num_bits, poc_type, poc_lsb_bits;
    bool delta_poc_always_zero;
    int32_t offset_for_non_ref, offset_for_bottom;
    uint8_t cycle_len;         /* at most 255 */
    int32_t cycle_offset[255]; /* offset_for_ref_frame */
};

struct h264_pps {
    bool is_known, has_bottom_field_order;
    uint8_t sps_id;
};

struct h264_slice {
    uint8_t type; /* 0 P, 1 B, 2 I, 3 SP, 4 SI */
    uint32_t first_mb;
    uint8_t pps_id;
    bool is_field, is_bottom, is_idr;
    uint8_t ref_idc;
    uint32_t frame_num, poc_lsb;
    int32_t delta_poc_bottom, delta_poc[2];
};

/* What picture order count needs of the pictures before (section 8.2.1). Zero it first. A
 * memory_management_control_operation 5 isn't seen: what it disturbs, the next IDR mends. */
struct h264_poc {
    int32_t prev_msb;
    uint32_t prev_lsb, prev_frame_num;
    int64_t prev_frame_num_offset;
};

/* nal is the whole unit with its header byte. 0 or -ERR_PROTOCOL; -ERR_UNSUPPORTED for a
 * picture larger than VIDEO_MAX_PIXELS_ASIDE. */
int h264_parse_sps(struct h264_sps *out, const uint8_t *nal, size_t len) MUST_CHECK;
int h264_parse_pps(struct h264_pps *out, uint8_t *id, const uint8_t *nal, size_t len) MUST_CHECK;

/* The PPS's id alone, which is needed to know which parameter sets to parse with. */
int h264_slice_pps_id(uint8_t *out, const uint8_t *nal, size_t len) MUST_CHECK;
int h264_parse_slice(struct h264_slice *out, const struct h264_sps *sps, const struct h264_pps *pps,
                     const uint8_t *nal, size_t len) MUST_CHECK;

/* Picture order count of a picture's first slice (the lower of its fields), in decoding order. */
int32_t h264_poc_next(struct h264_poc *poc, const struct h264_sps *sps,
                      const struct h264_slice *slice);

/* A recovery point (section D.1.8) among the messages of a SEI unit. */
bool h264_sei_has_recovery_point(const uint8_t *nal, size_t len);

parameter_set_key_of h264_parameter_set_key;

/* AVCDecoderConfigurationRecord (ISO 14496-15 section 5.3.3.1) of a track's parameter sets;
 * -ERR_PROTOCOL without an SPS and a PPS. */
int h264_write_avcc(struct writer *writer, const struct buf *config) MUST_CHECK;

/* "avc1.64001f" (RFC 6381), or -ERR_PROTOCOL without an SPS. */
int h264_codec_string(char *out, size_t room, const struct buf *config) MUST_CHECK;
