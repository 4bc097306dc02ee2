/* Packets to a depacketiser: the first byte picks the codec; then, each packet: two bytes of
 * length, one of flags (marker, after a loss, new timestamp), and the payload. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/reader.h"
#include "media/format/depacketiser.h"
#include "media/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void on_track(struct depacketiser_sink *sink, const struct track *track)
{
    (void)sink;
    if (track->codec == CODEC_NONE || !track->clock_rate)
        abort();
}

static void on_unit(struct depacketiser_sink *sink, const struct access_unit *unit)
{
    (void)sink;
    if (!unit->buf->len || unit->buf->len > FRAME_MAX_BYTES)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const encodings[] = {
        "H264", "H265", "JPEG", "MPEG4-GENERIC", "MP4A-LATM", "OPUS", "PCMU", "L16", "MPA"};
    struct depacketiser_sink sink = {on_track, on_unit};
    struct reader reader = reader_of(bytes, len);
    struct rtp_format format = {.encoding = encodings[reader_u8(&reader) % 9]};
    struct rtp_packet packet = {0};
    struct depacketiser *depacketiser;

    if (depacketiser_open(&depacketiser, &format, &sink))
        return 0;
    while (!reader_is_done(&reader)) {
        uint8_t flags;

        packet.payload_len = reader_u16(&reader);
        flags = reader_u8(&reader);
        if (packet.payload_len > reader_left(&reader))
            packet.payload_len = reader_left(&reader);
        packet.payload = reader_take(&reader, packet.payload_len);
        if (!packet.payload)
            break;
        packet.marker = flags & 1;
        packet.timestamp += flags & 4 ? 3600 : 0;
        if (depacketiser_push(depacketiser, &packet, flags & 2))
            packet.seq++;
    }
    depacketiser_close(depacketiser);
    return 0;
}
