#include "agent-proto/lane.h"

#include <errno.h>
#include <string.h>

#include "agent-proto/message.h"
#include "agent-proto/tracks.h"
#include "base/reader.h"

enum { FLAGS = LANE_KEY | LANE_DISCARDABLE | LANE_BEGINS_SEGMENT };

/* No camera is older than this many microseconds (2^53): sums stay far from overflow. */
static const int64_t time_max_us = (int64_t)1 << 53;

static void put_uint(uint8_t *to, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> 8 * (len - 1 - i));
}

void lane_header_write(const struct lane_header *header, uint8_t out[LANE_HEADER])
{
    out[0] = header->type;
    out[1] = header->flags;
    out[2] = header->track;
    out[3] = 0;
    put_uint(out + 4, header->len, 4);
    put_uint(out + 8, (uint64_t)header->dts_us, 8);
    put_uint(out + 16, (uint32_t)header->pts_us, 4);
    put_uint(out + 20, (uint32_t)header->capture_us, 4);
}

/* What each type may have: the longest payload, and why a header is refused. */
static const char *header_fault(const struct lane_header *header)
{
    uint32_t number_len = header->flags & LANE_BEGINS_SEGMENT ? LANE_SEGMENT : 0;

    if (header->type != LANE_FRAME && (header->flags || header->track))
        return "flags on what is no frame";
    switch ((enum lane_type)header->type) {
    case LANE_TRACKS:
        return header->len > TRACKS_PACKED_MAX ? "tracks too long" : NULL;
    case LANE_DROPS:
        return header->len > LANE_DROPS_MAX ? "drops too long" : NULL;
    case LANE_END:
        return header->len ? "an end with a payload" : NULL;
    case LANE_FRAME:
        break;
    }
    if (header->type != LANE_FRAME)
        return "unknown type";
    if (header->flags & LANE_BEGINS_SEGMENT && !(header->flags & LANE_KEY))
        return "a segment that begins without a key frame";
    if (header->flags & LANE_BEGINS_SEGMENT && header->len <= LANE_SEGMENT)
        return "no room for the segment's number";
    if (header->len == 0)
        return "an empty frame";
    if (header->len > (uint32_t)FRAME_MAX_BYTES + number_len)
        return "frame too long";
    if (header->dts_us < -time_max_us || header->dts_us > time_max_us)
        return "time out of range";
    return NULL;
}

int lane_header_read(struct lane_header *out, const uint8_t in[LANE_HEADER], const char **reason)
{
    struct reader reader = reader_of(in, LANE_HEADER);
    uint8_t reserved;

    out->type = reader_u8(&reader);
    out->flags = reader_u8(&reader);
    out->track = reader_u8(&reader);
    reserved = reader_u8(&reader);
    out->len = reader_u32(&reader);
    out->dts_us = (int64_t)reader_u64(&reader);
    out->pts_us = (int32_t)reader_u32(&reader);
    out->capture_us = (int32_t)reader_u32(&reader);
    if (reserved || out->flags & ~FLAGS)
        *reason = "reserved bits are set";
    else
        *reason = header_fault(out);
    return *reason ? -ERR_PROTOCOL : 0;
}

static int32_t narrow(int64_t us)
{
    if (us > INT32_MAX)
        return INT32_MAX;
    return us <= INT32_MIN ? INT32_MIN + 1 : (int32_t)us;
}

size_t lane_frame_head(const struct frame *frame, int64_t wall_base_us,
                       uint8_t out[LANE_HEADER + LANE_SEGMENT])
{
    bool begins = frame->segment != SEGMENT_NONE;
    int64_t capture_us = frame->wall_us - (wall_base_us + frame->dts_us);
    bool is_known =
        frame->wall_us && wall_base_us && capture_us > INT32_MIN && capture_us <= INT32_MAX;
    struct lane_header header = {
        .type = LANE_FRAME,
        .flags = (uint8_t)((frame->is_key ? LANE_KEY : 0) |
                           (frame->is_discardable ? LANE_DISCARDABLE : 0) |
                           (begins ? LANE_BEGINS_SEGMENT : 0)),
        .track = frame->track,
        .len = (uint32_t)(frame->buf->len + (begins ? LANE_SEGMENT : 0)),
        .dts_us = frame->dts_us,
        .pts_us = narrow(frame->pts_us - frame->dts_us),
        .capture_us = is_known ? (int32_t)capture_us : INT32_MIN,
    };

    lane_header_write(&header, out);
    if (!begins)
        return LANE_HEADER;
    put_uint(out + LANE_HEADER, (uint64_t)frame->segment, LANE_SEGMENT);
    return LANE_HEADER + LANE_SEGMENT;
}

/* A frame without times, its payload to be appended. */
static void write_head(struct writer *to, enum lane_type type, size_t len)
{
    struct lane_header header = {.type = (uint8_t)type, .len = (uint32_t)len};
    uint8_t bytes[LANE_HEADER];

    lane_header_write(&header, bytes);
    writer_put(to, bytes, sizeof(bytes));
}

int lane_write_tracks(struct writer *to, const struct tracks *tracks)
{
    struct writer packed;
    int err;

    writer_init(&packed, TRACKS_PACKED_MAX);
    err = tracks_pack(&packed, tracks);
    if (err == 0) {
        write_head(to, LANE_TRACKS, packed.len);
        writer_put(to, packed.bytes, packed.len);
        err = to->err;
    }
    writer_fini(&packed);
    return err;
}

int lane_write_drops(struct writer *to, const Culvert__LaneDrops *drops)
{
    uint8_t packed[LANE_DROPS_MAX];
    size_t len = culvert__lane_drops__get_packed_size(drops);

    if (len > sizeof(packed))
        return -ERR_TOO_LONG;
    culvert__lane_drops__pack(drops, packed);
    write_head(to, LANE_DROPS, len);
    writer_put(to, packed, len);
    return to->err;
}

int lane_write_end(struct writer *to)
{
    write_head(to, LANE_END, 0);
    return to->err;
}

void lane_reader_init(struct lane_reader *reader, const struct lane_handler *handler, void *owner)
{
    *reader = (struct lane_reader){.handler = handler, .owner = owner, .last_segment = -1};
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        reader->last_dts_us[i] = INT64_MIN;
}

void lane_reader_fini(struct lane_reader *reader)
{
    tracks_unref(reader->tracks);
    buf_unref(reader->payload);
    reader->tracks = NULL;
    reader->payload = NULL;
}

static int fail(struct lane_reader *reader, int err, const char *reason)
{
    reader->reason = reason;
    return err;
}

static ssize_t read_hello(struct lane_reader *reader, const uint8_t *bytes, size_t len)
{
    struct message_bytes packed;
    ssize_t used = message_next(&packed, bytes, len, MESSAGE_MAX_HELLO);
    ProtobufCMessage *message;
    int err;

    if (used < 0)
        return fail(reader, (int)used, "a hello that is too long or empty");
    if (used == 0)
        return 0;
    message = message_unpack(&culvert__lane_hello__descriptor, packed);
    if (!message)
        return fail(reader, -ERR_PROTOCOL, "a malformed hello");
    err = reader->handler->on_hello(reader->owner, (const Culvert__LaneHello *)(void *)message);
    message_free(message);
    reader->has_hello = err == 0;
    return err < 0 ? err : used;
}

/* H.264 and H.265 are units behind their lengths: what comes after may rely on it. */
static bool has_whole_units(enum codec codec, const struct buf *buf)
{
    struct reader units = reader_of(buf->bytes, buf->len);

    if (codec != CODEC_H264 && codec != CODEC_H265)
        return true;
    while (!reader_is_done(&units)) {
        size_t len = reader_u32(&units);

        if (len == 0 || !reader_take(&units, len))
            return false;
    }
    return reader_is_ok(&units);
}

static int frame_fault(struct lane_reader *reader)
{
    const struct lane_header *header = &reader->header;

    if (!reader->tracks || header->track >= reader->tracks->count)
        return fail(reader, -ERR_PROTOCOL, "a frame of a track that was not announced");
    if (header->flags & LANE_BEGINS_SEGMENT &&
        (reader->segment <= reader->last_segment || reader->segment > time_max_us))
        return fail(reader, -ERR_PROTOCOL, "segment numbers that don't go up");
    if (!has_whole_units(reader->tracks->track[header->track].codec, reader->payload))
        return fail(reader, -ERR_PROTOCOL, "a frame with broken unit lengths");
    return 0;
}

static int take_frame(struct lane_reader *reader)
{
    const struct lane_header *header = &reader->header;
    struct buf *payload = reader->payload;
    struct frame *frame;
    int err = frame_fault(reader);

    if (err < 0)
        return err;
    if (header->dts_us < reader->last_dts_us[header->track]) {
        reader->late++;
        return 0;
    }
    reader->payload = NULL;
    frame = frame_new(payload);
    if (!frame)
        return fail(reader, -ENOMEM, "out of memory");
    frame->track = header->track;
    frame->is_key = header->flags & LANE_KEY;
    frame->is_discardable = header->flags & LANE_DISCARDABLE;
    frame->dts_us = header->dts_us;
    frame->pts_us = header->dts_us + header->pts_us;
    frame->segment = header->flags & LANE_BEGINS_SEGMENT ? reader->segment : SEGMENT_NONE;
    if (header->capture_us != INT32_MIN && reader->tracks->wall_base_us)
        frame->wall_us = reader->tracks->wall_base_us + header->dts_us + header->capture_us;
    if (frame->segment != SEGMENT_NONE)
        reader->last_segment = frame->segment;
    reader->last_dts_us[header->track] = header->dts_us;
    reader->frames++;
    err = reader->handler->on_frame(reader->owner, frame);
    frame_unref(frame);
    return err;
}

static int take_tracks(struct lane_reader *reader)
{
    struct tracks *tracks;
    int err = tracks_unpack(&tracks, reader->payload->bytes, reader->payload->len);

    if (err < 0)
        return fail(reader, err, "malformed tracks");
    tracks_unref(reader->tracks);
    reader->tracks = tracks;
    return reader->handler->on_tracks(reader->owner, tracks);
}

static int take_drops(struct lane_reader *reader)
{
    ProtobufCMessage *message =
        message_unpack(&culvert__lane_drops__descriptor,
                       (struct message_bytes){reader->payload->bytes, reader->payload->len});

    if (!message)
        return fail(reader, -ERR_PROTOCOL, "malformed drops");
    reader->handler->on_drops(reader->owner, (const Culvert__LaneDrops *)(void *)message);
    message_free(message);
    return 0;
}

/* The frame is whole. */
static int take_payload(struct lane_reader *reader)
{
    int err = 0;

    switch ((enum lane_type)reader->header.type) {
    case LANE_TRACKS:
        err = take_tracks(reader);
        break;
    case LANE_FRAME:
        err = take_frame(reader);
        break;
    case LANE_DROPS:
        err = take_drops(reader);
        break;
    case LANE_END:
        reader->is_ended = true;
        reader->handler->on_end(reader->owner);
        break;
    }
    buf_unref(reader->payload);
    reader->payload = NULL;
    reader->filled = 0;
    reader->head_len = 0;
    reader->has_head = false;
    return err;
}

/* Fills the head up to want bytes; true when it is full. */
static bool fill_head(struct lane_reader *reader, struct reader *input, size_t want)
{
    size_t len = want - reader->head_len;
    const uint8_t *bytes;

    if (len > reader_left(input))
        len = reader_left(input);
    bytes = reader_take(input, len);
    if (bytes)
        memcpy(reader->head + reader->head_len, bytes, len);
    reader->head_len += len;
    return reader->head_len == want;
}

/* 1 when the head is whole and its payload has a place. */
static int read_head(struct lane_reader *reader, struct reader *input)
{
    bool begins = reader->head_len >= LANE_HEADER && reader->header.flags & LANE_BEGINS_SEGMENT;
    struct reader number;
    int err;

    if (reader->head_len < LANE_HEADER) {
        if (!fill_head(reader, input, LANE_HEADER))
            return 0;
        err = lane_header_read(&reader->header, reader->head, &reader->reason);
        if (err < 0)
            return err;
        begins = reader->header.flags & LANE_BEGINS_SEGMENT;
    }
    if (begins && !fill_head(reader, input, LANE_HEADER + LANE_SEGMENT))
        return 0;
    number = reader_of(reader->head + LANE_HEADER, LANE_SEGMENT);
    reader->segment = begins ? (int64_t)reader_u64(&number) : SEGMENT_NONE;
    reader->payload = buf_new(reader->header.len - (begins ? LANE_SEGMENT : 0));
    if (!reader->payload)
        return fail(reader, -ENOMEM, "out of memory");
    reader->filled = 0;
    reader->has_head = true;
    return 1;
}

static void fill_payload(struct lane_reader *reader, struct reader *input)
{
    size_t len = reader->payload->len - reader->filled;
    const uint8_t *bytes;

    if (len > reader_left(input))
        len = reader_left(input);
    bytes = reader_take(input, len);
    if (bytes)
        memcpy(reader->payload->bytes + reader->filled, bytes, len);
    reader->filled += len;
}

ssize_t lane_reader_input(struct lane_reader *reader, const uint8_t *bytes, size_t len)
{
    struct reader input = reader_of(bytes, len);
    int err = 0;

    if (!reader->has_hello) {
        ssize_t used = read_hello(reader, bytes, len);

        if (used <= 0)
            return used;
        (void)reader_take(&input, (size_t)used);
    }
    while (err >= 0) {
        if (reader->is_ended && reader_left(&input))
            return fail(reader, -ERR_PROTOCOL, "bytes after the end");
        if (!reader->has_head)
            err = read_head(reader, &input);
        if (err < 0 || !reader->has_head)
            break;
        fill_payload(reader, &input);
        if (reader->filled < reader->payload->len)
            break;
        err = take_payload(reader);
    }
    return err < 0 ? err : (ssize_t)(len - reader_left(&input));
}
