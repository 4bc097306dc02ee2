/* A depacketiser with a sink that keeps what it is told, for the tests of this folder. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/format/depacketiser.h"

enum { UNITS_MAX = 64 };

struct units {
    struct depacketiser_sink sink;
    struct depacketiser *depacketiser;
    struct access_unit unit[UNITS_MAX]; /* with a reference to each buf; the last ones */
    unsigned count, track_count;
    struct track track; /* without its config, */
    uint8_t config[PARAMETER_SETS_MAX_BYTES];
    size_t config_len;
    unsigned units_at_track; /* units before the last track was told */
    uint16_t seq;
    uint32_t timestamp;
};

static void units_on_track(struct depacketiser_sink *sink, const struct track *track)
{
    struct units *units = (struct units *)(void *)sink;

    units->track = *track;
    units->track.config = NULL;
    units->config_len = track->config ? track->config->len : 0;
    assert_true(units->config_len <= sizeof(units->config));
    if (track->config)
        memcpy(units->config, track->config->bytes, units->config_len);
    units->units_at_track = units->count;
    units->track_count++;
}

static void units_on_unit(struct depacketiser_sink *sink, const struct access_unit *unit)
{
    struct units *units = (struct units *)(void *)sink;
    struct access_unit *kept = &units->unit[units->count++ % UNITS_MAX];

    assert_true(units->track_count > 0);
    assert_true(unit->buf->len > 0);
    buf_unref(kept->buf);
    *kept = *unit;
    buf_ref(kept->buf);
}

static inline int units_try_open(struct units *units, struct rtp_format format)
{
    *units = (struct units){.sink = {units_on_track, units_on_unit}, .timestamp = 1000};
    return depacketiser_open(&units->depacketiser, &format, &units->sink);
}

static inline void units_open(struct units *units, const char *encoding, const char *fmtp)
{
    struct rtp_format format = {.payload_type = 96, .encoding = encoding, .fmtp = fmtp};

    assert_int_equal(units_try_open(units, format), 0);
}

static inline void units_close(struct units *units)
{
    for (unsigned i = 0; i < UNITS_MAX; i++)
        buf_unref(units->unit[i].buf);
    depacketiser_close(units->depacketiser);
}

enum { PLAIN = 0, MARKER = 1, AFTER_LOSS = 2, NEXT = 4 /* timestamp: 3600 on */ };

/* A packet with a payload that is exactly as long as it says. */
static inline int units_push(struct units *units, const void *bytes, size_t len, int flags)
{
    struct buf *payload = buf_copy(bytes, len);
    struct rtp_packet packet = {.payload_len = len, .marker = flags & MARKER};
    int err;

    assert_non_null(payload);
    units->timestamp += flags & NEXT ? 3600 : 0;
    packet.payload = payload->bytes;
    packet.timestamp = units->timestamp;
    packet.seq = units->seq++;
    err = depacketiser_push(units->depacketiser, &packet, flags & AFTER_LOSS);
    buf_unref(payload);
    return err;
}

#define PUSH(units, flags, ...)                                                                    \
    units_push(units, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), flags)

static inline const struct access_unit *units_last(const struct units *units)
{
    assert_true(units->count > 0);
    return &units->unit[(units->count - 1) % UNITS_MAX];
}

static inline void assert_last(const struct units *units, const void *bytes, size_t len)
{
    const struct buf *buf = units_last(units)->buf;

    assert_int_equal(buf->len, len);
    assert_memory_equal(buf->bytes, bytes, len);
}

#define ASSERT_LAST(units, ...)                                                                    \
    assert_last(units, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
