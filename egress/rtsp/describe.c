#include "egress/rtsp/describe.h"

#include <stdio.h>
#include <string.h>

#include "base/reader.h"
#include "media/format/rtp_packager.h"
#include "media/h264.h"
#include "rtsp/sdp.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_base64(struct writer *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0u);

        for (unsigned k = 0; k < 4; k++)
            writer_uint(out, k <= left ? (uint8_t)base64_digits[bits >> (18 - 6 * k) & 63] : '=',
                        1);
    }
}

/* The parameter sets whose type is in [first, last], in base64, with commas between. */
struct nal_types {
    unsigned first, last;
};

static void write_sets(struct writer *out, const struct track *track, struct nal_types types)
{
    struct reader reader = reader_of(track->config->bytes, track->config->len);
    bool is_first = true;

    while (!reader_is_done(&reader)) {
        size_t len = reader_u32(&reader);
        const uint8_t *nal = reader_take(&reader, len);
        unsigned type;

        if (!nal || !len)
            return;
        type = track->codec == CODEC_H264 ? h264_nal_type(nal) : nal[0] >> 1 & 0x3fu;
        if (type < types.first || type > types.last)
            continue;
        if (!is_first)
            writer_text(out, ",");
        write_base64(out, nal, len);
        is_first = false;
    }
}

static void write_h264(struct writer *out, const struct track *track)
{
    struct reader reader = reader_of(track->config->bytes, track->config->len);
    const uint8_t *sps = NULL;

    while (!sps && !reader_is_done(&reader)) {
        size_t len = reader_u32(&reader);
        const uint8_t *nal = reader_take(&reader, len);

        if (nal && len >= 4 && h264_nal_type(nal) == H264_SPS)
            sps = nal;
    }
    writer_text(out, "packetization-mode=1");
    if (!sps)
        return;
    writer_printf(out, ";profile-level-id=%02X%02X%02X;sprop-parameter-sets=", sps[1], sps[2],
                  sps[3]);
    write_sets(out, track, (struct nal_types){H264_SPS, H264_PPS});
}

static void write_h265(struct writer *out, const struct track *track)
{
    static const char *const names[] = {"sprop-vps=", ";sprop-sps=", ";sprop-pps="};

    for (unsigned i = 0; i < 3; i++) {
        writer_text(out, names[i]);
        write_sets(out, track, (struct nal_types){32 + i, 32 + i});
    }
}

static void write_aac(struct writer *out, const struct track *track)
{
    writer_text(out, "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                     "indexdeltalength=3;config=");
    for (size_t i = 0; i < track->config->len; i++)
        writer_printf(out, "%02X", track->config->bytes[i]);
}

static void write_opus(struct writer *out, const struct track *track)
{
    writer_printf(out, "sprop-stereo=%d", track->channels > 1);
}

/* Which codecs say more of themselves, and how. */
static const struct {
    enum codec codec;
    bool needs_config;
    void (*write)(struct writer *out, const struct track *track);
} formats[] = {
    {CODEC_H264, true, write_h264},
    {CODEC_H265, true, write_h265},
    {CODEC_AAC, true, write_aac},
    {CODEC_OPUS, false, write_opus},
};

static void describe_fmtp(struct sdp_media *media, const struct track *track)
{
    struct writer out;

    writer_init(&out, SDP_FMTP_MAX - 1);
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (formats[i].codec == track->codec && (track->config || !formats[i].needs_config))
            formats[i].write(&out, track);
    if (!out.err && out.len)
        memcpy(media->fmtp, out.bytes, out.len);
    writer_fini(&out);
}

static void describe_track(struct sdp_media *media, const struct track *track, unsigned index)
{
    bool is_video = codec_is_video(track->codec);

    snprintf(media->kind, sizeof(media->kind), "%s", is_video ? "video" : "audio");
    snprintf(media->encoding, sizeof(media->encoding), "%s", codec_name(track->codec));
    snprintf(media->control, sizeof(media->control), "trackID=%u", index);
    media->payload_type = rtp_payload_type(index);
    media->clock_rate = rtp_clock_rate(track);
    media->channels = is_video ? 0 : track->channels;
    if (track->codec == CODEC_OPUS)
        media->channels = 2; /* always, whatever it carries (RFC 7587 section 7) */
    describe_fmtp(media, track);
}

void describe_write(struct writer *out, const struct tracks *tracks, const char *slug,
                    const char *host)
{
    struct sdp_origin origin = {.name = slug, .host = host, .id = tracks->generation};
    struct sdp sdp = {.control = "*"};

    /* A track whose codec isn't known yet sends nothing: players would wait for it. */
    for (unsigned i = 0; i < tracks->count; i++)
        if (tracks->track[i].codec != CODEC_NONE)
            describe_track(&sdp.media[sdp.media_count++], &tracks->track[i], i);
    sdp_write(out, &sdp, &origin);
}
