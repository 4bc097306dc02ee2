#include "media/track.h"

#include <stdlib.h>

struct tracks *tracks_new(unsigned count)
{
    struct tracks *tracks;

    if (count > TRACKS_MAX)
        return NULL;
    tracks = calloc(1, sizeof(*tracks));
    if (!tracks)
        return NULL;
    atomic_init(&tracks->refs, 1);
    tracks->count = count;
    return tracks;
}

struct tracks *tracks_ref(struct tracks *tracks)
{
    if (tracks)
        atomic_fetch_add_explicit(&tracks->refs, 1, memory_order_relaxed);
    return tracks;
}

void tracks_unref(struct tracks *tracks)
{
    if (!tracks || atomic_fetch_sub_explicit(&tracks->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        buf_unref(tracks->track[i].config);
    free(tracks);
}

static const struct {
    const char *name;
    bool is_video;
} codecs[CODEC_LAST] = {
    [CODEC_NONE] = {"none", false},         [CODEC_H264] = {"H264", true},
    [CODEC_H265] = {"H265", true},          [CODEC_MJPEG] = {"JPEG", true},
    [CODEC_AAC] = {"MPEG4-GENERIC", false}, [CODEC_OPUS] = {"OPUS", false},
    [CODEC_PCMU] = {"PCMU", false},         [CODEC_PCMA] = {"PCMA", false},
    [CODEC_MP3] = {"MPA", false},           [CODEC_L16] = {"L16", false},
};

bool codec_is_video(enum codec codec)
{
    return (unsigned)codec < CODEC_LAST && codecs[codec].is_video;
}

const char *codec_name(enum codec codec)
{
    return (unsigned)codec < CODEC_LAST ? codecs[codec].name : "none";
}

static int tracks_find(const struct tracks *tracks, bool is_video)
{
    for (unsigned i = 0; i < tracks->count; i++) {
        if (tracks->track[i].codec != CODEC_NONE &&
            codec_is_video(tracks->track[i].codec) == is_video)
            return (int)i;
    }
    return -1;
}

int tracks_find_video(const struct tracks *tracks)
{
    return tracks_find(tracks, true);
}

int tracks_find_audio(const struct tracks *tracks)
{
    return tracks_find(tracks, false);
}
