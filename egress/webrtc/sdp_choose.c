/* What of an offer is used: the camera's codecs as they are, or audio made into Opus. */
#include <string.h>

#include "base/reader.h"
#include "egress/webrtc/sdp.h"

enum { SPS = 7, BASELINE = 66, MAIN = 77, EXTENDED = 88, HIGH = 100 };
enum { SCORE_MODE = 100, SCORE_PROFILE = 50, SCORE_CONSTRAINTS = 10 };

/* profile_idc and the constraint flags of the track's first SPS; 0 while unknown. */
static uint32_t h264_profile(const struct track *track)
{
    struct reader reader = reader_of(track->config ? track->config->bytes : NULL,
                                     track->config ? track->config->len : 0);

    while (!reader_is_done(&reader)) {
        struct reader nal = reader_sub(&reader, reader_u32(&reader));

        if ((reader_u8(&nal) & 31) == SPS)
            return reader_u16(&nal);
    }
    return 0;
}

/* What a browser lists is not all that it decodes: the profiles for progressive 4:2:0 in 8 bits all
 * play wherever one of them does. The others do only where they are listed. */
static bool is_common(uint32_t profile)
{
    return profile == BASELINE || profile == MAIN || profile == EXTENDED || profile == HIGH;
}

/* How well a listed H.264 format fits; -1: not at all. Of formats that fit equally, the first. */
static int score_h264(const struct offer_codec *codec, uint32_t camera)
{
    uint32_t offered = codec->profile_level_id >> 16, wanted = camera >> 8;
    int score = codec->packetization_mode == 1 ? SCORE_MODE : 0;

    if (!camera)
        return score;
    if (offered == wanted)
        score += SCORE_PROFILE +
                 ((codec->profile_level_id >> 8 & 0xff) == (camera & 0xff) ? SCORE_CONSTRAINTS : 0);
    else if (!is_common(wanted) || !is_common(offered))
        return -1;
    else
        score -= (int)(offered > wanted ? offered - wanted : wanted - offered) / 10;
    return score;
}

static const struct offer_codec *choose_video(const struct offer_media *media,
                                              const struct track *track)
{
    uint32_t profile = track->codec == CODEC_H264 ? h264_profile(track) : 0;
    const struct offer_codec *best = NULL;
    int best_score = -1;

    for (unsigned i = 0; i < media->codec_count; i++) {
        const struct offer_codec *codec = &media->codec[i];
        int score = codec->codec == CODEC_H264 ? score_h264(codec, profile) : 0;

        if (codec->codec != track->codec || codec->clock_rate != 90000 || score <= best_score)
            continue;
        best = codec;
        best_score = score;
    }
    return best;
}

static bool is_made_into_opus(enum codec codec)
{
    return codec == CODEC_AAC || codec == CODEC_MP3 || codec == CODEC_L16;
}

static const struct offer_codec *choose_audio(const struct offer_media *media,
                                              const struct track *track)
{
    enum codec wanted = is_made_into_opus(track->codec) ? CODEC_OPUS : track->codec;

    for (unsigned i = 0; i < media->codec_count; i++) {
        const struct offer_codec *codec = &media->codec[i];

        if (codec->codec == wanted &&
            (wanted == CODEC_OPUS ||
             (codec->clock_rate == track->clock_rate && codec->channels == track->channels)))
            return codec;
    }
    return NULL;
}

static const char *codec_wrong(enum codec codec)
{
    switch (codec) {
    case CODEC_H264:
        return "The camera sends H.264 in a profile that this player does not take over WebRTC; "
               "RTSP and HLS carry it.";
    case CODEC_H265:
        return "The camera sends H.265, which this player does not take over WebRTC: set the "
               "camera to H.264, or play it over HLS or RTSP.";
    case CODEC_MJPEG:
        return "The camera sends MJPEG, which WebRTC can't carry: set the camera to H.264, or "
               "play it over RTSP.";
    case CODEC_NONE:
    case CODEC_AAC:
    case CODEC_OPUS:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_MP3:
    case CODEC_L16:
    case CODEC_LAST:
        break;
    }
    return "The player takes no audio codec that the camera's audio can be sent in.";
}

/* The section's codec for the track, if it is the first of its kind that wants one. */
static bool choose_section(const struct offer_media *media, const struct tracks *tracks,
                           struct choice *choice)
{
    int track = media->kind == OFFER_VIDEO ? tracks_find_video(tracks) : tracks_find_audio(tracks);

    if (track < 0)
        return false;
    choice->codec = media->kind == OFFER_VIDEO ? choose_video(media, &tracks->track[track])
                                               : choose_audio(media, &tracks->track[track]);
    if (!choice->codec)
        return false;
    choice->track = track;
    choice->is_transcoded = is_made_into_opus(tracks->track[track].codec);
    return true;
}

int sdp_choose(const struct offer *offer, const struct tracks *tracks, bool has_data,
               struct choice choices[OFFER_MEDIA_MAX], const char **wrong)
{
    int video = tracks_find_video(tracks), audio = tracks_find_audio(tracks);
    bool has_video = false, has_audio = false, wants_video = false;

    for (unsigned i = 0; i < offer->media_count; i++) {
        const struct offer_media *media = &offer->media[i];
        bool *has = media->kind == OFFER_VIDEO ? &has_video : &has_audio;

        choices[i] = (struct choice){.track = -1};
        if (media->kind == OFFER_APPLICATION && media->has_sctp && has_data) {
            choices[i].is_data = true;
            has_data = false;
        }
        if ((media->kind != OFFER_VIDEO && media->kind != OFFER_AUDIO) || !media->wants_media)
            continue;
        wants_video |= media->kind == OFFER_VIDEO;
        if (!*has)
            *has = choose_section(media, tracks, &choices[i]);
    }
    if (video >= 0 && wants_video && !has_video) {
        *wrong = codec_wrong(tracks->track[video].codec);
        return -ERR_UNSUPPORTED;
    }
    if (has_video || has_audio)
        return 0;
    *wrong = audio >= 0 ? codec_wrong(tracks->track[audio].codec)
                        : "The player wants nothing that the camera sends.";
    return -ERR_UNSUPPORTED;
}
