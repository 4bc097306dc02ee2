/* rtmp/chunk.h: messages in chunks, written (Adobe's RTMP specification 1.0, section 5.3). */
#pragma once

#include <stdint.h>

#include "base/writer.h"

/* The least numbers of their kinds that a chunk's header can say in one byte. Players expect
 * control messages on 2, and take any other number for any other message. */
enum rtmp_chunk_stream {
    RTMP_CHUNKS_CONTROL = 2,
    RTMP_CHUNKS_COMMAND = 3,
    RTMP_CHUNKS_AUDIO = 4,
    RTMP_CHUNKS_DATA = 5,
    RTMP_CHUNKS_VIDEO = 6
};

enum rtmp_message_type {
    RTMP_SET_CHUNK_SIZE = 1,
    RTMP_ABORT = 2,
    RTMP_ACKNOWLEDGEMENT = 3,
    RTMP_USER_CONTROL = 4,
    RTMP_WINDOW_SIZE = 5,
    RTMP_PEER_BANDWIDTH = 6,
    RTMP_AUDIO = 8,
    RTMP_VIDEO = 9,
    RTMP_DATA_AMF3 = 15,
    RTMP_COMMAND_AMF3 = 17,
    RTMP_DATA = 18,
    RTMP_COMMAND = 20,
    RTMP_AGGREGATE = 22
};

/* What we send in. Before we say so, a peer expects RTMP_CHUNK_FIRST bytes. The largest size that
 * servers and players are known to take: nearly every frame is then one chunk, in one piece. */
enum { RTMP_CHUNK_FIRST = 128, RTMP_CHUNK_BYTES = 65536, RTMP_MESSAGE_MAX = 0xffffff };

struct rtmp_head {
    uint8_t chunk_stream; /* 2 to 63 */
    uint8_t type;
    uint32_t message_stream; /* 0 but for media and what is said about it */
    uint32_t time_ms;        /* absolute */
    size_t len;              /* of the message, at most RTMP_MESSAGE_MAX */
};

/* A message on its way into a writer. Its header is whole (type 0), so that it means the same to
 * all peers whatever they were sent before. */
struct rtmp_chunker {
    struct writer *out; /* borrowed */
    struct rtmp_head head;
    size_t chunk_bytes, left; /* of the current chunk */
};

/* Then rtmp_put for all of head->len bytes, in as many pieces as it likes. */
void rtmp_begin(struct rtmp_chunker *chunker, struct writer *out, const struct rtmp_head *head,
                size_t chunk_bytes);
void rtmp_put(struct rtmp_chunker *chunker, const void *bytes, size_t len);
