/* Which track goes into which section of an offer, and as which of its formats. */
#include "egress/webrtc/sdp.h"
#include "media/h264.h"
#include "media/h265.h"

/* H.264's profiles by what they ask of a decoder, in the order in which one stands in for another
 * (RFC 6184 table 5). */
enum h264_class {
    CLASS_CONSTRAINED_BASELINE,
    CLASS_BASELINE,
    CLASS_MAIN,
    CLASS_HIGH,
    CLASS_OTHER,
    CLASS_UNKNOWN
};

enum { RANK_NONE = 1000, RANK_WRONG_MODE = 100 };

static enum h264_class class_of(unsigned profile, unsigned compatibility)
{
    bool is_baseline = compatibility & 0x80, is_main = compatibility & 0x40;

    if (profile == 0x42)
        return is_main ? CLASS_CONSTRAINED_BASELINE : CLASS_BASELINE;
    if (profile == 0x4d)
        return is_baseline ? CLASS_CONSTRAINED_BASELINE : CLASS_MAIN;
    if (profile == 0x58 && is_baseline)
        return is_main ? CLASS_CONSTRAINED_BASELINE : CLASS_BASELINE;
    return profile == 0x64 ? CLASS_HIGH : CLASS_OTHER;
}

/* The first NAL unit of that type among the track's parameter sets; NULL bytes: there is none. */
static struct nal_view find_nal(const struct buf *config, unsigned type, bool is_h265)
{
    struct nal_view nal = {NULL, 0};
    size_t offset = 0;

    while (config && (nal = nal_next(config->bytes, config->len, &offset)).bytes)
        if (nal.len >= 4 && (is_h265 ? h265_nal_type(nal.bytes) : h264_nal_type(nal.bytes)) == type)
            return nal;
    return (struct nal_view){NULL, 0};
}

static enum h264_class h264_class_of_track(const struct track *track)
{
    struct nal_view sps = find_nal(track->config, H264_SPS, false);

    return sps.bytes ? class_of(sps.bytes[1], sps.bytes[2]) : CLASS_UNKNOWN;
}

/* 0 unknown, 1 Main, 2 Main 10 … */
static unsigned h265_profile_of_track(const struct track *track)
{
    struct nal_view nal = find_nal(track->config, H265_SPS, true);
    struct h265_sps sps;

    return nal.bytes && h265_parse_sps(&sps, nal.bytes, nal.len) == 0 ? sps.profile : 0;
}

static bool is_g711(enum codec codec)
{
    return codec == CODEC_PCMU || codec == CODEC_PCMA;
}

static bool becomes_opus(enum codec codec)
{
    return codec == CODEC_AAC || codec == CODEC_MP3 || codec == CODEC_L16;
}

/* How far a format is from the track; the lower the better, RANK_NONE: it can't carry it. */
static unsigned rank(const struct offer_codec *codec, const struct track *track, unsigned profile)
{
    enum codec wanted = becomes_opus(track->codec) ? CODEC_OPUS : track->codec;
    enum h264_class offered;

    if (codec->codec != wanted)
        return RANK_NONE;
    if (is_g711(wanted) && (codec->clock_rate != track->clock_rate || track->channels > 1))
        return RANK_NONE;
    if (wanted == CODEC_H265)
        return codec->profile_level_id >> 16 != profile;
    if (wanted != CODEC_H264)
        return 0;
    offered = class_of(codec->profile_level_id >> 16, codec->profile_level_id >> 8 & 0xff);
    return (codec->packetization_mode == 1 ? 0 : RANK_WRONG_MODE) +
           (offered == profile ? 0 : 1 + (unsigned)offered);
}

/* NULL when the section takes nothing of the kind. */
static const struct offer_codec *find_codec(const struct offer_media *media,
                                            const struct track *track)
{
    const struct offer_codec *best = NULL;
    unsigned profile = 0, best_rank = RANK_NONE;

    if (track->codec == CODEC_H264)
        profile = h264_class_of_track(track);
    else if (track->codec == CODEC_H265)
        profile = h265_profile_of_track(track);
    for (unsigned i = 0; i < media->codec_count; i++) {
        unsigned its_rank = rank(&media->codec[i], track, profile);

        if (its_rank >= best_rank)
            continue;
        best = &media->codec[i];
        best_rank = its_rank;
    }
    return best;
}

/* The first section of that kind that takes the track gets it. */
static bool place_track(const struct offer *offer, const struct tracks *tracks, int track,
                        struct choice choices[OFFER_MEDIA_MAX])
{
    enum offer_kind kind;

    if (track < 0)
        return false;
    kind = codec_is_video(tracks->track[track].codec) ? OFFER_VIDEO : OFFER_AUDIO;
    for (unsigned i = 0; i < offer->media_count; i++) {
        const struct offer_media *media = &offer->media[i];
        const struct offer_codec *codec = NULL;

        if (media->kind == kind && media->wants_media)
            codec = find_codec(media, &tracks->track[track]);
        if (!codec)
            continue;
        choices[i].track = track;
        choices[i].codec = codec;
        choices[i].is_transcoded = becomes_opus(tracks->track[track].codec);
        return true;
    }
    return false;
}

static void place_data(const struct offer *offer, struct choice choices[OFFER_MEDIA_MAX])
{
    for (unsigned i = 0; i < offer->media_count; i++) {
        if (!offer->media[i].has_sctp)
            continue;
        choices[i].is_data = true;
        return;
    }
}

/* For a person who asks why there is no picture. */
static const char *name_codec(enum codec codec)
{
    switch (codec) {
    case CODEC_H264:
        return "the camera sends H.264, and no section of the offer receives it";
    case CODEC_H265:
        return "the camera sends H.265, and no section of the offer receives it";
    case CODEC_MJPEG:
        return "the camera sends MJPEG, which WebRTC can't carry";
    case CODEC_AAC:
        return "the camera sends AAC, which goes out as Opus, and no section of the offer "
               "receives that";
    case CODEC_OPUS:
        return "the camera sends Opus, and no section of the offer receives it";
    case CODEC_PCMU:
        return "the camera sends PCMU (G.711), and no section of the offer receives it";
    case CODEC_PCMA:
        return "the camera sends PCMA (G.711), and no section of the offer receives it";
    case CODEC_MP3:
        return "the camera sends MP3, which goes out as Opus, and no section of the offer "
               "receives that";
    case CODEC_L16:
        return "the camera sends L16, which goes out as Opus, and no section of the offer "
               "receives that";
    case CODEC_NONE:
    case CODEC_LAST:
        break;
    }
    return "the camera sends neither video nor audio";
}

int sdp_choose(const struct offer *offer, const struct tracks *tracks, bool has_data,
               struct choice choices[OFFER_MEDIA_MAX], const char **wrong)
{
    int video = tracks_find_video(tracks), audio = tracks_find_audio(tracks);
    int first = video >= 0 ? video : audio;
    bool has_video, has_audio;

    for (unsigned i = 0; i < OFFER_MEDIA_MAX; i++)
        choices[i] = (struct choice){.track = -1};
    *wrong = "";
    has_video = place_track(offer, tracks, video, choices);
    has_audio = place_track(offer, tracks, audio, choices);
    if (!has_video && !has_audio) {
        *wrong = name_codec(first >= 0 ? tracks->track[first].codec : CODEC_NONE);
        return -ERR_UNSUPPORTED;
    }
    if (has_data)
        place_data(offer, choices);
    return 0;
}

const char *offer_ufrag(const struct offer *offer, const struct choice choices[OFFER_MEDIA_MAX])
{
    for (unsigned i = 0; i < offer->media_count; i++)
        if (choices[i].track >= 0 || choices[i].is_data)
            return offer->media[i].ufrag[0] ? offer->media[i].ufrag : offer->ufrag;
    return offer->ufrag;
}
