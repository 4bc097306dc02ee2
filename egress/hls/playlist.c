#include "egress/hls/playlist.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "media/aac.h"
#include "media/h264.h"
#include "media/h265.h"

enum {
    PARTS_SHOWN_SEGMENTS = 3, /* the newest segments list their parts */
    SKIP_TARGETS = 6,
    HOLD_BACK_TARGETS = 3,
    HOLD_BACK_PARTS = 3,
    GUESSED_BPS = 2500000
};

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* Target durations are whole seconds, rounded to the nearest as segments' are compared. */
static int64_t target_s(const struct window *window)
{
    return (window->segment_target_us + 500000) / 1000000;
}

static unsigned first_shown(const struct window *window)
{
    const struct window_segment *newest = &window->segments[window->count - 1];
    unsigned shown = WINDOW_SEGMENTS + !newest->is_complete;

    return window->count > shown ? window->count - shown : 0;
}

static void write_date(struct writer *out, int64_t wall_us)
{
    time_t whole = (time_t)(wall_us / 1000000);
    char text[32];
    struct tm tm;

    gmtime_r(&whole, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    writer_printf(out, "#EXT-X-PROGRAM-DATE-TIME:%s.%03dZ\n", text, (int)(wall_us / 1000 % 1000));
}

static void write_parts(struct writer *out, const struct window_segment *segment)
{
    for (unsigned i = 0; i < segment->part_count; i++)
        writer_printf(out, "#EXT-X-PART:DURATION=%.5f,URI=\"part-%llu-%u.mp4\"%s\n",
                      seconds(segment->parts[i]->cmaf.duration_us),
                      (unsigned long long)segment->number, i,
                      segment->parts[i]->cmaf.is_independent ? ",INDEPENDENT=YES" : "");
}

static void write_segment(struct writer *out, const struct window_segment *segment,
                          const struct window_segment *before, bool has_parts)
{
    if (segment->is_discontinuous)
        writer_text(out, "#EXT-X-DISCONTINUITY\n");
    if (!before || before->generation != segment->generation)
        writer_printf(out, "#EXT-X-MAP:URI=\"init-%u.mp4\"\n", segment->generation);
    if (segment->wall_us)
        write_date(out, segment->wall_us);
    if (segment->is_gap)
        writer_text(out, "#EXT-X-GAP\n");
    if (has_parts)
        write_parts(out, segment);
    if (segment->is_complete)
        writer_printf(out, "#EXTINF:%.5f,\nseg-%llu.mp4\n", seconds(segment->duration_us),
                      (unsigned long long)segment->number);
}

static void write_preload_hint(struct writer *out, const struct window_segment *newest)
{
    uint64_t segment = newest->is_complete ? newest->number + 1 : newest->number;
    unsigned part = newest->is_complete ? 0 : newest->part_count;

    writer_printf(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-%llu-%u.mp4\"\n",
                  (unsigned long long)segment, part);
}

static void write_discontinuities(struct writer *out, const struct window *window, unsigned first)
{
    uint64_t discontinuities = window->discontinuities;

    for (unsigned i = 0; i < first; i++)
        discontinuities += window->segments[i].is_discontinuous;
    if (discontinuities)
        writer_printf(out, "#EXT-X-DISCONTINUITY-SEQUENCE:%llu\n",
                      (unsigned long long)discontinuities);
}

static void write_head(struct writer *out, const struct window *window, unsigned first)
{
    double part = seconds(window->part_target_us);
    long long target = target_s(window);

    writer_printf(out, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:%lld\n", target);
    writer_printf(out,
                  "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=%.3f,HOLD-BACK=%lld,"
                  "CAN-SKIP-UNTIL=%lld\n",
                  HOLD_BACK_PARTS * part, HOLD_BACK_TARGETS * target, SKIP_TARGETS * target);
    writer_printf(out, "#EXT-X-PART-INF:PART-TARGET=%.3f\n#EXT-X-MEDIA-SEQUENCE:%llu\n", part,
                  (unsigned long long)window->segments[first].number);
    write_discontinuities(out, window, first);
}

/* How many of the shown segments lie farther from the end than CAN-SKIP-UNTIL. */
static unsigned count_skippable(const struct window *window, unsigned first)
{
    int64_t behind_us = 0, until_us = SKIP_TARGETS * target_s(window) * 1000000;
    unsigned i = window->count;

    while (i > first && behind_us <= until_us)
        behind_us += window->segments[--i].duration_us;
    return i - first;
}

void playlist_write_media(struct writer *out, const struct window *window, bool is_delta)
{
    unsigned first, skipped;

    if (!window->count)
        return;
    first = first_shown(window);
    skipped = is_delta ? count_skippable(window, first) : 0;
    write_head(out, window, first);
    if (skipped)
        writer_printf(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%u\n", skipped);
    for (unsigned i = first + skipped; i < window->count; i++)
        write_segment(out, &window->segments[i], i > first ? &window->segments[i - 1] : NULL,
                      i + PARTS_SHOWN_SEGMENTS >= window->count);
    write_preload_hint(out, &window->segments[window->count - 1]);
}

static void write_ts_segment(struct writer *out, const struct window_segment *segment,
                             const struct window_segment *before)
{
    bool is_other = before && before->generation != segment->generation;

    if (segment->is_discontinuous || is_other)
        writer_text(out, "#EXT-X-DISCONTINUITY\n");
    if (segment->wall_us)
        write_date(out, segment->wall_us);
    if (segment->is_gap)
        writer_text(out, "#EXT-X-GAP\n");
    writer_printf(out, "#EXTINF:%.5f,\nseg-%llu.ts\n", seconds(segment->duration_us),
                  (unsigned long long)segment->number);
}

void playlist_write_ts(struct writer *out, const struct window *window)
{
    unsigned first;

    if (!window->count)
        return;
    first = first_shown(window);
    writer_printf(out, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%lld\n",
                  (long long)target_s(window));
    writer_printf(out, "#EXT-X-MEDIA-SEQUENCE:%llu\n",
                  (unsigned long long)window->segments[first].number);
    write_discontinuities(out, window, first);
    for (unsigned i = first; i < window->count; i++)
        write_ts_segment(out, &window->segments[i], i > first ? &window->segments[i - 1] : NULL);
}

/* The codec's name in a CODECS list (RFC 6381); false where CMAF does not carry it. */
static bool codec_string(const struct track *track, char *out, size_t room)
{
    switch (track->codec) {
    case CODEC_H264:
        return track->config && h264_codec_string(out, room, track->config) == 0;
    case CODEC_H265:
        return track->config && h265_codec_string(out, room, track->config) == 0;
    case CODEC_AAC:
        return track->config &&
               aac_codec_string(out, room, track->config->bytes, track->config->len) == 0;
    case CODEC_OPUS:
        snprintf(out, room, "Opus");
        return true;
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_MP3:
    case CODEC_L16:
    case CODEC_LAST:
        return false;
    }
    return false;
}

static void write_codecs(struct writer *out, const struct tracks *tracks)
{
    char name[64];
    bool is_first = true;

    for (unsigned i = 0; i < tracks->count; i++) {
        if (!codec_string(&tracks->track[i], name, sizeof(name)))
            continue;
        writer_printf(out, "%s%s", is_first ? ",CODECS=\"" : ",", name);
        is_first = false;
    }
    if (!is_first)
        writer_text(out, "\"");
}

void playlist_write_multivariant(struct writer *out, const struct tracks *tracks,
                                 const struct window *window, const char *uri)
{
    int video = tracks_find_video(tracks);
    const struct track *track = video >= 0 ? &tracks->track[video] : NULL;
    uint64_t peak = window->peak_bps ? window->peak_bps : GUESSED_BPS, average = peak;

    if (window->bytes_us > 0)
        average = window->bytes * 8 * 1000000 / (uint64_t)window->bytes_us;
    writer_text(out, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    writer_printf(out, "#EXT-X-STREAM-INF:BANDWIDTH=%llu,AVERAGE-BANDWIDTH=%llu",
                  (unsigned long long)peak, (unsigned long long)average);
    write_codecs(out, tracks);
    if (track && track->width)
        writer_printf(out, ",RESOLUTION=%ux%u", track->width, track->height);
    if (track && track->frame_rate_mhz)
        writer_printf(out, ",FRAME-RATE=%.3f", track->frame_rate_mhz / 1000.);
    writer_printf(out, "\n%s\n", uri);
}
