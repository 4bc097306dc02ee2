/* rtmp/chunk_reader.h: messages out of chunks (Adobe's RTMP specification 1.0, section 5.3), of a
 * peer that only commands: what it may make us keep is small. Pure.
 *
 * Set Chunk Size and Abort are obeyed here, and come out as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"

enum {
    RTMP_CHUNK_STREAMS_MAX = 32,
    RTMP_INPUT_MAX = 64 * 1024 /* of a message, and of all that are not whole */
};

struct rtmp_message {
    uint8_t type;
    uint32_t stream_id, time_ms;
    const uint8_t *bytes; /* borrowed until the next call */
    size_t len;
};

/* What was said last on a chunk stream, and the part of its message that has come. */
struct rtmp_lane {
    uint32_t id;      /* 0: not in use; the first in use is 2 */
    bool is_extended; /* its time is in the extended field: continuations repeat it */
    uint8_t type;
    uint32_t stream_id, time_ms, delta_ms;
    size_t len; /* of the message */
    struct writer part;
};

struct rtmp_chunk_reader {
    struct rtmp_lane lane[RTMP_CHUNK_STREAMS_MAX];
    unsigned lane_count;
    size_t chunk_bytes, kept_bytes;
    struct rtmp_lane *current; /* whose chunk's payload is being read; NULL: a header is next */
    size_t left;               /* of that chunk */
    struct rtmp_lane *done;    /* whose message was given out, and goes with the next call */
};

void rtmp_chunk_reader_init(struct rtmp_chunk_reader *reader);
void rtmp_chunk_reader_fini(struct rtmp_chunk_reader *reader);

/* Reads up to the end of a message, or of the bytes. 1 with a message, 0 when there is none yet,
 * -ERR_PROTOCOL, -ERR_TOO_LONG, -ERR_TOO_MANY or -ENOMEM. *used is how many bytes it took: the
 * others are to be given again, with more behind them when it was 0. */
int rtmp_chunk_read(struct rtmp_chunk_reader *reader, const uint8_t *bytes, size_t len,
                    size_t *used, struct rtmp_message *out) MUST_CHECK;
