/* agent-proto/lane.h: what one camera's connection carries, to bytes and back. Pure.
 *
 * Agent: the preface "CVL1", a LaneHello behind its length; then frames. Server: a LaneAnswer
 * behind its length. A frame is a header of 24 bytes, big-endian, and its payload:
 *
 *     type u8, flags u8, track u8, 0 u8, length u32, dts_us i64, (pts - dts)_us i32, capture i32
 *
 * capture is wall_us - (the tracks' wall_base_us + dts_us), or INT32_MIN while unknown. A payload
 * whose frame begins a segment of the source's timeline starts with its number (8 bytes).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent-proto/culvert.pb-c.h"
#include "base/writer.h"
#include "media/frame.h"
#include "media/track.h"

enum {
    LANE_HEADER = 24,
    LANE_SEGMENT = 8,
    LANE_DROPS_MAX = 256, /* payload of LANE_DROPS */
    LANE_TICKET = 32,
    LANE_HEARTBEAT_US = 5000000, /* a LANE_DROPS at least so often */
    LANE_SILENCE_US = 15000000   /* a lane that is silent for so long is dead */
};

enum lane_type { LANE_TRACKS = 1, LANE_FRAME, LANE_DROPS, LANE_END };
enum { LANE_KEY = 1, LANE_DISCARDABLE = 2, LANE_BEGINS_SEGMENT = 4 };

struct lane_header {
    uint8_t type, flags, track;
    uint32_t len;
    int64_t dts_us;
    int32_t pts_us; /* after dts */
    int32_t capture_us;
};

void lane_header_write(const struct lane_header *header, uint8_t out[LANE_HEADER]);

/* 0, or -ERR_PROTOCOL, -ERR_TOO_LONG and a *reason for people. */
int lane_header_read(struct lane_header *out, const uint8_t in[LANE_HEADER], const char **reason);

/* A frame's header and, where it begins a segment, the number behind it; returns how many bytes
 * of out they take. wall_base_us is the tracks'. The frame's own bytes follow. */
size_t lane_frame_head(const struct frame *frame, int64_t wall_base_us,
                       uint8_t out[LANE_HEADER + LANE_SEGMENT]);

/* Whole frames of the other types, appended. */
int lane_write_tracks(struct writer *to, const struct tracks *tracks) MUST_CHECK;
int lane_write_drops(struct writer *to, const Culvert__LaneDrops *drops) MUST_CHECK;
int lane_write_end(struct writer *to) MUST_CHECK;

/* What a reader tells. A negative answer ends the lane with that error. */
struct lane_handler {
    /* Borrowed. Frames follow only after an answer of 0. */
    int (*on_hello)(void *owner, const Culvert__LaneHello *hello);
    int (*on_tracks)(void *owner, struct tracks *tracks);
    int (*on_frame)(void *owner, struct frame *frame);
    void (*on_drops)(void *owner, const Culvert__LaneDrops *drops);
    void (*on_end)(void *owner); /* in good order */
};

/* The receiving end of a lane, after the preface. Holds at most one frame. */
struct lane_reader {
    const struct lane_handler *handler;
    void *owner;           /* borrowed */
    struct tracks *tracks; /* owned reference: the newest */
    struct buf *payload;   /* owned: the frame that is coming in */
    size_t filled;         /* bytes of it that are there */
    struct lane_header header;
    int64_t segment; /* the number in front of the payload, while there is one */
    int64_t last_segment;
    int64_t last_dts_us[TRACKS_MAX];
    uint8_t head[LANE_HEADER + LANE_SEGMENT];
    size_t head_len;
    bool has_hello, has_head, is_ended;
    const char *reason;    /* after an error: for people and the log */
    uint64_t frames, late; /* late: dts went back, dropped */
};

void lane_reader_init(struct lane_reader *reader, const struct lane_handler *handler, void *owner);
void lane_reader_fini(struct lane_reader *reader);

/* Uses as much of the input as it can; returns that, or a negative error: the lane is over. */
ssize_t lane_reader_input(struct lane_reader *reader, const uint8_t *bytes, size_t len) MUST_CHECK;
