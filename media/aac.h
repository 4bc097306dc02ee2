/* media/aac.h: AAC's headers (ISO 14496-3): AudioSpecificConfig, and the StreamMuxConfig in which
 * LATM carries one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "media/bits.h"

enum { AAC_CONFIG_MAX_BYTES = 64 };

struct aac_config {
    uint8_t object_type;  /* of the core: 2 is AAC-LC; also under SBR and PS */
    uint32_t sample_rate; /* of the core, which RTP clocks and frame lengths count in */
    uint32_t output_rate; /* with SBR twice the core's, else the same */
    uint8_t channels;
    uint16_t frame_len; /* samples a frame: 1024 or 960 */
    bool has_sbr, has_ps;
};

/* 0, -ERR_PROTOCOL, or -ERR_UNSUPPORTED for an object type that isn't AAC. */
int aac_parse_config(struct aac_config *out, const uint8_t *bytes, size_t len) MUST_CHECK;

/* The same from the middle of a stream of bits, of which it takes what belongs to it. */
int aac_parse_config_bits(struct aac_config *out, struct bits *bits) MUST_CHECK;

/* Writes the two bytes (five with an odd sampling rate) of a plain AAC-LC config; returns how
 * many. */
size_t aac_write_config(uint8_t out[5], uint32_t sample_rate, uint8_t channels);

/* "mp4a.40.2" (RFC 6381), or -ERR_PROTOCOL. */
int aac_codec_string(char *out, size_t room, const uint8_t *config, size_t len) MUST_CHECK;

/* LATM (section 1.7.3), as cameras use it: one program, one layer, any number of subframes. */
struct latm_config {
    struct aac_config aac;
    uint8_t config[AAC_CONFIG_MAX_BYTES]; /* the AudioSpecificConfig, from bit 0 */
    uint8_t config_len;
    uint8_t subframes; /* payloads in each AudioMuxElement */
    bool has_other;    /* other data follow the payloads */
};
int latm_parse_config(struct latm_config *out, struct bits *bits) MUST_CHECK;

/* PayloadLengthInfo: bytes of the next payload. */
size_t latm_parse_length(struct bits *bits);
