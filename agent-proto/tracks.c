#include "agent-proto/tracks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/message.h"
#include "base/reader.h"

enum { CLOCK_RATE_MAX = 1000000, CHANNELS_MAX = 16, ASIDE_MAX = 16384, RATE_MAX_MHZ = 1000000 };

/* The schema's text fields are not const: what is packed is only read. */
static char *text_of(const char *text)
{
    union {
        const char *in;
        char *out;
    } same = {.in = text};

    return same.out;
}

int tracks_pack(struct writer *to, const struct tracks *tracks)
{
    Culvert__Tracks message;
    Culvert__Track rows[TRACKS_MAX], *row_of[TRACKS_MAX];
    uint8_t *packed;
    size_t len;

    culvert__tracks__init(&message);
    for (unsigned i = 0; i < tracks->count; i++) {
        const struct track *track = &tracks->track[i];

        culvert__track__init(&rows[i]);
        rows[i].codec = text_of(codec_name(track->codec));
        rows[i].clock_rate = track->clock_rate;
        rows[i].channels = track->channels;
        rows[i].width = track->width;
        rows[i].height = track->height;
        rows[i].frame_rate_mhz = track->frame_rate_mhz;
        rows[i].has_b_frames = track->has_b_frames;
        if (track->config)
            rows[i].config = (ProtobufCBinaryData){track->config->len, track->config->bytes};
        row_of[i] = &rows[i];
    }
    message.generation = tracks->generation;
    message.wall_base_us = tracks->wall_base_us;
    message.n_tracks = tracks->count;
    message.tracks = row_of;
    len = culvert__tracks__get_packed_size(&message);
    if (len > TRACKS_PACKED_MAX)
        return -ERR_TOO_LONG;
    packed = malloc(len + 1);
    if (!packed)
        return -ENOMEM;
    culvert__tracks__pack(&message, packed);
    writer_put(to, packed, len);
    free(packed);
    return to->err;
}

static enum codec codec_of(const char *name)
{
    for (int codec = CODEC_NONE + 1; codec < CODEC_LAST; codec++)
        if (strcmp(codec_name((enum codec)codec), name) == 0)
            return (enum codec)codec;
    return CODEC_NONE;
}

/* Units behind 4-byte lengths, none empty, none cut. */
static bool is_unit_list(const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_of(bytes, len);

    while (!reader_is_done(&reader)) {
        size_t unit_len = reader_u32(&reader);

        if (unit_len == 0 || !reader_take(&reader, unit_len))
            return false;
    }
    return reader_is_ok(&reader);
}

static int track_read(struct track *out, const Culvert__Track *row)
{
    bool is_known;

    out->codec = codec_of(row->codec);
    is_known = out->codec != CODEC_NONE;
    if (row->clock_rate > CLOCK_RATE_MAX || (is_known && row->clock_rate == 0) ||
        row->channels > CHANNELS_MAX || row->width > ASIDE_MAX || row->height > ASIDE_MAX ||
        row->frame_rate_mhz > RATE_MAX_MHZ || row->config.len > PARAMETER_SETS_MAX_BYTES)
        return -ERR_PROTOCOL;
    out->clock_rate = row->clock_rate;
    out->channels = (uint8_t)row->channels;
    out->width = (uint16_t)row->width;
    out->height = (uint16_t)row->height;
    out->frame_rate_mhz = row->frame_rate_mhz;
    out->has_b_frames = row->has_b_frames;
    if (row->config.len == 0)
        return 0;
    if ((out->codec == CODEC_H264 || out->codec == CODEC_H265) &&
        !is_unit_list(row->config.data, row->config.len))
        return -ERR_PROTOCOL;
    out->config = buf_copy(row->config.data, row->config.len);
    return out->config ? 0 : -ENOMEM;
}

static int tracks_read(struct tracks **out, const Culvert__Tracks *message)
{
    struct tracks *tracks;
    int err = 0;

    if (message->n_tracks == 0 || message->n_tracks > TRACKS_MAX)
        return -ERR_PROTOCOL;
    if (message->wall_base_us < 0 || message->wall_base_us > INT64_MAX / 4)
        return -ERR_PROTOCOL;
    tracks = tracks_new((unsigned)message->n_tracks);
    if (!tracks)
        return -ENOMEM;
    tracks->generation = message->generation;
    tracks->wall_base_us = message->wall_base_us;
    for (unsigned i = 0; i < tracks->count && err == 0; i++)
        err = track_read(&tracks->track[i], message->tracks[i]);
    if (err < 0) {
        tracks_unref(tracks);
        return err;
    }
    *out = tracks;
    return 0;
}

int tracks_unpack(struct tracks **out, const void *bytes, size_t len)
{
    ProtobufCMessage *message;
    int err;

    if (len > TRACKS_PACKED_MAX)
        return -ERR_TOO_LONG;
    message = message_unpack(&culvert__tracks__descriptor, (struct message_bytes){bytes, len});
    if (!message)
        return -ERR_PROTOCOL;
    err = tracks_read(out, (const Culvert__Tracks *)(const void *)message);
    message_free(message);
    return err;
}
