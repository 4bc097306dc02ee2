#include "rtmp/chunk.h"

enum { TIME_EXTENDED = 0xffffff, CHUNK_CONTINUES = 3 << 6 };

/* Message stream ids alone are little-endian. */
static void put_stream_id(struct writer *out, uint32_t id)
{
    for (unsigned i = 0; i < 4; i++)
        writer_uint(out, id >> 8 * i & 0xff, 1);
}

static void put_extended_time(struct rtmp_chunker *chunker)
{
    if (chunker->head.time_ms >= TIME_EXTENDED)
        writer_uint(chunker->out, chunker->head.time_ms, 4);
}

void rtmp_begin(struct rtmp_chunker *chunker, struct writer *out, const struct rtmp_head *head,
                size_t chunk_bytes)
{
    uint32_t time_ms = head->time_ms < TIME_EXTENDED ? head->time_ms : TIME_EXTENDED;

    *chunker = (struct rtmp_chunker){
        .out = out, .head = *head, .chunk_bytes = chunk_bytes, .left = chunk_bytes};
    writer_uint(out, head->chunk_stream, 1);
    writer_uint(out, time_ms, 3);
    writer_uint(out, head->len, 3);
    writer_uint(out, head->type, 1);
    put_stream_id(out, head->message_stream);
    put_extended_time(chunker);
}

void rtmp_put(struct rtmp_chunker *chunker, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        size_t part;

        if (chunker->left == 0) {
            writer_uint(chunker->out, CHUNK_CONTINUES | chunker->head.chunk_stream, 1);
            put_extended_time(chunker);
            chunker->left = chunker->chunk_bytes;
        }
        part = len < chunker->left ? len : chunker->left;
        writer_put(chunker->out, at, part);
        at += part;
        len -= part;
        chunker->left -= part;
    }
}
