/* media/format/libav.h: what all who use libav* share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct AVCodecParameters;

/* What libav* has to say comes back as errors; it writes nothing anywhere. At any time, also more
 * than once, on any thread. */
void libav_be_quiet(void);

/* Gives a muxer's stream a copy of a codec's config: 0 or -ENOMEM. */
int libav_set_extradata(struct AVCodecParameters *parameters, const uint8_t *bytes,
                        size_t len) MUST_CHECK;

/* The same with an OpusHead (RFC 7845 section 5.1). */
int libav_set_opus_head(struct AVCodecParameters *parameters, uint8_t channels) MUST_CHECK;

/* Has ADTS (ISO 14496-3) an index for this sampling rate? */
bool libav_is_adts_rate(uint32_t rate);
