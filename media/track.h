/* media/track.h: the elementary streams of a stream, and what their codecs need to start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum codec {
    CODEC_NONE,
    CODEC_H264,
    CODEC_H265,
    CODEC_MJPEG,
    CODEC_AAC,
    CODEC_OPUS,
    CODEC_PCMU, /* G.711 µ-law */
    CODEC_PCMA, /* G.711 A-law */
    CODEC_MP3,
    CODEC_L16, /* big-endian PCM, as RFC 3551 has it */
    CODEC_LAST
};

enum { TRACKS_MAX = 4, PARAMETER_SETS_MAX_BYTES = 8192 };

struct track {
    enum codec codec;
    uint32_t clock_rate;     /* Hz, of the codec's RTP clock */
    uint8_t channels;        /* audio */
    uint16_t width, height;  /* video, in pixels, 0 while unknown */
    uint32_t frame_rate_mhz; /* video, frames per 1000 s, 0 while unknown */
    bool has_b_frames;       /* pts and dts differ */

    /* H.264, H.265: the parameter sets (VPS, SPS, PPS), each behind a 4-byte length.
     * AAC: the AudioSpecificConfig (ISO 14496-3). Others: NULL. Owned. */
    struct buf *config;
};

/* All tracks of a stream at one time: counted, immutable once published. A change of any
 * track makes new tracks with the next generation. */
struct tracks {
    atomic_uint refs;
    uint32_t generation;
    int64_t wall_base_us; /* wall clock time (since 1970) of dts 0, 0 while unknown */
    unsigned count;
    struct track track[TRACKS_MAX];
};

/* Owned, with count tracks zeroed, or NULL without memory. */
struct tracks *tracks_new(unsigned count);
struct tracks *tracks_ref(struct tracks *tracks);
void tracks_unref(struct tracks *tracks);

bool codec_is_video(enum codec codec);

/* "H264", "H265", "JPEG", "MPEG4-GENERIC", "OPUS", "PCMU" …: the RTP encoding name, which is
 * also what people read. */
const char *codec_name(enum codec codec);

/* -1 when there is no such track. */
int tracks_find_video(const struct tracks *tracks);
int tracks_find_audio(const struct tracks *tracks);
