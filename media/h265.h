/* media/h265.h: what H.265 headers say (ITU-T H.265 sections 7.3, 7.4, 8.3.1; ISO 14496-15). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"
#include "media/parameter_sets.h"

enum h265_nal_type {
    H265_RASL_R = 9,
    H265_LAST_NON_IRAP = 15, /* below it: even types are not referred to in their sub-layer */
    H265_BLA_W_LP = 16,
    H265_IDR_W_RADL = 19,
    H265_IDR_N_LP = 20,
    H265_CRA = 21,
    H265_LAST_SLICE = 31,
    H265_VPS = 32,
    H265_SPS = 33,
    H265_PPS = 34,
    H265_AUD = 35,
    H265_PREFIX_SEI = 39,
    H265_SUFFIX_SEI = 40
};

enum { H265_MAX_PIXELS_ASIDE = 16384, H265_SPS_MAX = 16, H265_PPS_MAX = 64, H265_VPS_MAX = 16 };

static inline unsigned h265_nal_type(const uint8_t *nal)
{
    return nal[0] >> 1 & 0x3f;
}

static inline bool h265_is_irap(unsigned type)
{
    return type >= H265_BLA_W_LP && type <= 23;
}

struct h265_sps {
    bool is_known;
    uint8_t id, max_sub_layers;
    uint8_t profile_space, tier, profile, level;
    uint32_t compatibility; /* general_profile_compatibility_flags, the first the highest bit */
    uint8_t constraints[6]; /* general_constraint_indicator_flags */
    bool is_temporal_nested;
    uint8_t chroma_format, bit_depth_luma, bit_depth_chroma;
    uint16_t width, height;  /* cropped */
    uint32_t frame_rate_mhz; /* frames per 1000 s, from the VUI; 0 unknown */
    uint8_t reorder;         /* sps_max_num_reorder_pics of the highest sub-layer */
    bool separate_colour_planes;
    uint8_t poc_lsb_bits;
};

struct h265_pps {
    bool is_known, has_output_flag;
    uint8_t sps_id, extra_slice_bits;
};

/* What picture order count needs of the picture before (section 8.3.1). Zero it first. */
struct h265_poc {
    int32_t prev_msb;
    uint32_t prev_lsb;
};

/* nal is the whole unit with its header. 0 or -ERR_PROTOCOL; -ERR_UNSUPPORTED for a picture
 * larger than H265_MAX_PIXELS_ASIDE. */
int h265_parse_sps(struct h265_sps *out, const uint8_t *nal, size_t len) MUST_CHECK;
int h265_parse_pps(struct h265_pps *out, uint8_t *id, const uint8_t *nal, size_t len) MUST_CHECK;

/* The PPS's id of a picture's first slice segment. */
int h265_slice_pps_id(uint8_t *out, const uint8_t *nal, size_t len) MUST_CHECK;

/* Picture order count of the picture that begins with nal, in decoding order. */
int h265_poc_next(struct h265_poc *poc, int32_t *out, const struct h265_sps *sps,
                  const struct h265_pps *pps, struct nal_view nal) MUST_CHECK;

parameter_set_key_of h265_parameter_set_key;

/* HEVCDecoderConfigurationRecord (ISO 14496-15 section 8.3.3.1) of a track's parameter sets;
 * -ERR_PROTOCOL without all three kinds. */
int h265_write_hvcc(struct writer *writer, const struct buf *config) MUST_CHECK;

/* "hvc1.1.6.L93.B0" (ISO 14496-15 annex E), or -ERR_PROTOCOL without an SPS. */
int h265_codec_string(char *out, size_t room, const struct buf *config) MUST_CHECK;
