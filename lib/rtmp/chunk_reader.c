#include "rtmp/chunk_reader.h"

#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "rtmp/chunk.h"

enum { TIME_EXTENDED = 0xffffff, CHUNK_BYTES_MAX = 0xffffff };

/* A chunk's header as it stands on the wire. */
struct chunk_head {
    unsigned format;
    uint32_t id;
    bool is_extended;
    uint32_t time_ms;
    size_t len;
    uint8_t type;
    uint32_t stream_id;
};

void rtmp_chunk_reader_init(struct rtmp_chunk_reader *reader)
{
    memset(reader, 0, sizeof(*reader));
    reader->chunk_bytes = RTMP_CHUNK_FIRST;
}

void rtmp_chunk_reader_fini(struct rtmp_chunk_reader *reader)
{
    for (unsigned i = 0; i < reader->lane_count; i++)
        writer_fini(&reader->lane[i].part);
}

static struct rtmp_lane *lane_find(struct rtmp_chunk_reader *reader, uint32_t id)
{
    for (unsigned i = 0; i < reader->lane_count; i++)
        if (reader->lane[i].id == id)
            return &reader->lane[i];
    return NULL;
}

static struct rtmp_lane *lane_add(struct rtmp_chunk_reader *reader, uint32_t id)
{
    struct rtmp_lane *lane;

    if (reader->lane_count == RTMP_CHUNK_STREAMS_MAX)
        return NULL;
    lane = &reader->lane[reader->lane_count++];
    *lane = (struct rtmp_lane){.id = id};
    writer_init(&lane->part, RTMP_INPUT_MAX);
    return lane;
}

static void lane_drop(struct rtmp_chunk_reader *reader, struct rtmp_lane *lane)
{
    reader->kept_bytes -= lane->part.len;
    writer_fini(&lane->part);
    writer_init(&lane->part, RTMP_INPUT_MAX);
}

static uint32_t read_id(struct reader *in, uint8_t first)
{
    uint32_t id = first & 0x3f;

    if (id == 0)
        return 64u + reader_u8(in);
    if (id == 1) {
        id = 64u + reader_u8(in);
        return id + ((uint32_t)reader_u8(in) << 8);
    }
    return id;
}

/* Type 3 repeats the extended field of the message that it continues. */
static void read_time(struct reader *in, struct chunk_head *head, const struct rtmp_lane *lane)
{
    if (head->format < 3)
        head->is_extended = head->time_ms == TIME_EXTENDED;
    else
        head->is_extended = lane && lane->is_extended;
    if (head->is_extended)
        head->time_ms = reader_u32(in);
}

/* Length of the header, or 0: more of it has to come. */
static size_t read_head(struct rtmp_chunk_reader *reader, const uint8_t *bytes, size_t len,
                        struct chunk_head *out)
{
    struct reader in = reader_of(bytes, len);
    uint8_t first = reader_u8(&in);

    *out = (struct chunk_head){.format = first >> 6};
    out->id = read_id(&in, first);
    if (out->format < 3)
        out->time_ms = (uint32_t)reader_uint(&in, 3);
    if (out->format < 2) {
        out->len = (size_t)reader_uint(&in, 3);
        out->type = reader_u8(&in);
    }
    if (out->format == 0) {
        const uint8_t *id = reader_take(&in, 4);

        out->stream_id = id ? __builtin_bswap32(bytes_u32(id)) : 0;
    }
    read_time(&in, out, lane_find(reader, out->id));
    return reader_is_ok(&in) ? len - reader_left(&in) : 0;
}

/* Types 1 and 2 count from the message before; so does a type 3 that begins one. */
static void lane_begin(struct rtmp_lane *lane, const struct chunk_head *head)
{
    if (head->format < 3)
        lane->is_extended = head->is_extended;
    if (head->format < 2) {
        lane->len = head->len;
        lane->type = head->type;
    }
    if (head->format == 0) {
        lane->stream_id = head->stream_id;
        lane->time_ms = head->time_ms;
        lane->delta_ms = 0;
        return;
    }
    if (head->format < 3)
        lane->delta_ms = head->time_ms;
    lane->time_ms += lane->delta_ms;
}

/* Whose chunk it is: 0 and *out, or an error. A type 1 may come first, as librtmp's pings do. */
static int lane_for(struct rtmp_chunk_reader *reader, const struct chunk_head *head,
                    struct rtmp_lane **out)
{
    struct rtmp_lane *lane = lane_find(reader, head->id);

    if (!lane && head->format > 1)
        return -ERR_PROTOCOL;
    if (!lane)
        lane = lane_add(reader, head->id);
    if (!lane)
        return -ERR_TOO_MANY;
    /* In the middle of a message only its continuation may come. */
    if (lane->part.len > 0 && head->format < 3)
        return -ERR_PROTOCOL;
    if (lane->part.len == 0)
        lane_begin(lane, head);
    *out = lane;
    return lane->len > RTMP_INPUT_MAX ? -ERR_TOO_LONG : 0;
}

static int begin_chunk(struct rtmp_chunk_reader *reader, const uint8_t *bytes, size_t len,
                       size_t *used)
{
    struct rtmp_lane *lane = NULL;
    struct chunk_head head;
    size_t left;
    int err;

    *used = read_head(reader, bytes, len, &head);
    if (*used == 0)
        return 0;
    err = lane_for(reader, &head, &lane);
    if (err < 0)
        return err;
    left = lane->len - lane->part.len;
    reader->current = lane;
    reader->left = left < reader->chunk_bytes ? left : reader->chunk_bytes;
    return 0;
}

static int set_chunk_size(struct rtmp_chunk_reader *reader, const struct rtmp_message *message)
{
    uint32_t size = message->len >= 4 ? bytes_u32(message->bytes) : 0;

    if (size == 0 || size > INT32_MAX)
        return -ERR_PROTOCOL;
    reader->chunk_bytes = size < CHUNK_BYTES_MAX ? size : CHUNK_BYTES_MAX;
    return 0;
}

static void abort_message(struct rtmp_chunk_reader *reader, const struct rtmp_message *message)
{
    struct rtmp_lane *lane =
        message->len >= 4 ? lane_find(reader, bytes_u32(message->bytes)) : NULL;

    if (lane && lane != reader->done)
        lane_drop(reader, lane);
}

static int give_out(struct rtmp_chunk_reader *reader, struct rtmp_lane *lane,
                    struct rtmp_message *out)
{
    *out = (struct rtmp_message){.type = lane->type,
                                 .stream_id = lane->stream_id,
                                 .time_ms = lane->time_ms,
                                 .bytes = lane->part.bytes,
                                 .len = lane->part.len};
    reader->done = lane;
    if (out->type == RTMP_SET_CHUNK_SIZE && set_chunk_size(reader, out) < 0)
        return -ERR_PROTOCOL;
    if (out->type == RTMP_ABORT)
        abort_message(reader, out);
    return 1;
}

/* What comes of the current chunk. 1 when its message is whole. */
static int read_payload(struct rtmp_chunk_reader *reader, const uint8_t *bytes, size_t len,
                        size_t *used)
{
    struct rtmp_lane *lane = reader->current;
    size_t part = len < reader->left ? len : reader->left;

    if (part > RTMP_INPUT_MAX - reader->kept_bytes)
        return -ERR_TOO_LONG;
    writer_put(&lane->part, bytes, part);
    if (lane->part.err)
        return lane->part.err;
    reader->kept_bytes += part;
    reader->left -= part;
    *used = part;
    if (reader->left > 0)
        return 0;
    reader->current = NULL;
    return lane->part.len == lane->len;
}

int rtmp_chunk_read(struct rtmp_chunk_reader *reader, const uint8_t *bytes, size_t len,
                    size_t *used, struct rtmp_message *out)
{
    *used = 0;
    if (reader->done)
        lane_drop(reader, reader->done);
    reader->done = NULL;
    while (*used < len || reader->current) {
        struct rtmp_lane *lane = reader->current;
        size_t part = 0;
        int result;

        if (!lane)
            result = begin_chunk(reader, bytes + *used, len - *used, &part);
        else
            result = read_payload(reader, bytes + *used, len - *used, &part);
        *used += part;
        if (result < 0)
            return result;
        if (result > 0)
            return give_out(reader, lane, out);
        if (part == 0)
            break;
    }
    return 0;
}
