/* media/format/flv.h: tags as FLV and RTMP carry them (Adobe's FLV specification 10.1, annex E),
 * and what Enhanced RTMP (v2) adds: H.265 and Opus, named by FourCC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/writer.h"
#include "media/frame.h"
#include "media/track.h"

enum { FLV_PREFIX_MAX = 8 };

/* What stands before a frame's bytes in a tag. */
struct flv_prefix {
    uint8_t bytes[FLV_PREFIX_MAX];
    size_t len;
};

/* Whether FLV has a name for the codec, and what the track must say of it is known. */
bool flv_can_carry(const struct track *track);

/* Only players that know Enhanced RTMP can read tags of it. */
bool flv_is_enhanced(enum codec codec);

/* The number by which onMetaData names it: 7, 10, 2, or the FourCC; 0 for none. */
uint32_t flv_codec_id(enum codec codec);

/* The body of the tag that must come before the track's frames; nothing for MP3. */
void flv_write_sequence_header(struct writer *out, const struct track *track);

/* delay_ms: of what is shown, behind what is decoded. */
struct flv_prefix flv_frame_prefix(const struct track *track, bool is_key, int32_t delay_ms);
