/* The agent protocol while each allocation in turn fails: an end with a reason, never worse. */
#include "unit/scarce_memory.h"

#include <string.h>

#include "agent-proto/control.h"
#include "agent-proto/lane.h"
#include "agent-proto/message.h"
#include "agent-proto/tracks.h"

static struct tracks *make_tracks(void)
{
    static const uint8_t config[] = {0, 0, 0, 3, 0x67, 1, 2};
    struct tracks *tracks = tracks_new(1);

    assert_non_null(tracks);
    tracks->track[0].codec = CODEC_H264;
    tracks->track[0].clock_rate = 90000;
    tracks->track[0].config = buf_copy(config, sizeof(config));
    return tracks;
}

/* ---- messages ---- */

static void pack_cameras(struct writer *packed)
{
    Culvert__Envelope envelope;
    Culvert__Cameras cameras;
    Culvert__Camera camera, *rows[] = {&camera, &camera, &camera};
    uint8_t sealed[] = {1, 2, 3};
    char id[] = "cam_1";

    culvert__envelope__init(&envelope);
    culvert__cameras__init(&cameras);
    culvert__camera__init(&camera);
    camera.id = camera.slug = camera.name = id;
    camera.sealed = (ProtobufCBinaryData){sizeof(sealed), sealed};
    cameras.n_cameras = 3;
    cameras.cameras = rows;
    envelope.body_case = CULVERT__ENVELOPE__BODY_CAMERAS;
    envelope.cameras = &cameras;
    (void)!message_pack(packed, &envelope.base, MESSAGE_MAX_TO_AGENT);
}

static bool pass_message(long allocations)
{
    struct message_bytes bytes;
    ProtobufCMessage *message = NULL;
    struct writer packed;
    bool has_failed;

    writer_init(&packed, MESSAGE_MAX_TO_AGENT);
    memory_is_for(allocations);
    pack_cameras(&packed);
    if (!packed.err && message_next(&bytes, packed.bytes, packed.len, MESSAGE_MAX_TO_AGENT) > 0)
        message = message_unpack(&culvert__envelope__descriptor, bytes);
    has_failed = memory_ran_out(allocations);
    assert_true(has_failed == (message == NULL));
    if (message)
        assert_string_equal(((Culvert__Envelope *)(void *)message)->cameras->cameras[2]->id,
                            "cam_1");
    message_free(message);
    writer_fini(&packed);
    return has_failed;
}

static void a_message_is_whole_or_none(void **state)
{
    (void)state;
    fail_each(pass_message, 10);
}

/* ---- control ---- */

static int on_write(void *owner, const void *bytes, size_t len)
{
    struct writer *out = owner;

    writer_put(out, bytes, len);
    return out->err;
}

static int on_message(void *owner, const Culvert__Envelope *message)
{
    (void)owner;
    (void)message;
    return 0;
}

/* An agent hears the list of its cameras; what comes of it is an answer or an end. */
static bool hear(long allocations)
{
    static const struct control_handler handler = {.write = on_write, .on_message = on_message};
    struct writer packed, out;
    struct control control;
    bool has_failed;
    ssize_t used;

    writer_init(&packed, MESSAGE_MAX_TO_AGENT);
    writer_init(&out, MESSAGE_MAX_TO_AGENT);
    pack_cameras(&packed);
    assert_int_equal(control_init(&control, CONTROL_AGENT, &handler, &out), 0);
    memory_is_for(allocations);
    if (control_start(&control, 1000000) == 0) {
        control_enter(&control, CONTROL_READY, 1000000);
        used = control_input(&control, packed.bytes, packed.len, 2000000);
        has_failed = memory_ran_out(allocations);
        assert_true(has_failed || used == (ssize_t)packed.len);
    } else {
        has_failed = memory_ran_out(allocations);
        assert_true(has_failed);
    }
    writer_fini(&packed);
    writer_fini(&out);
    return has_failed;
}

static void a_control_connection_goes_on_or_ends(void **state)
{
    (void)state;
    fail_each(hear, 10);
}

/* ---- lanes ---- */

struct seen {
    int tracks, frames, ends;
};

static int on_hello(void *owner, const Culvert__LaneHello *hello)
{
    (void)owner;
    (void)hello;
    return 0;
}

static int on_tracks(void *owner, struct tracks *tracks)
{
    assert_int_equal(tracks->track[0].codec, CODEC_H264);
    ((struct seen *)owner)->tracks++;
    return 0;
}

static int on_frame(void *owner, struct frame *frame)
{
    assert_int_equal(frame->buf->len, 8);
    ((struct seen *)owner)->frames++;
    return 0;
}

static void on_drops(void *owner, const Culvert__LaneDrops *drops)
{
    (void)owner;
    (void)drops;
}

static void on_end(void *owner)
{
    ((struct seen *)owner)->ends++;
}

static void write_hello(struct writer *out)
{
    Culvert__LaneHello hello;
    char id[] = "cam_1", agent[] = "agt_1";

    culvert__lane_hello__init(&hello);
    hello.camera_id = id;
    hello.agent_id = agent;
    (void)!message_pack(out, &hello.base, MESSAGE_MAX_HELLO);
}

static void write_frame(struct writer *out, const struct tracks *tracks)
{
    static const uint8_t unit[] = {0, 0, 0, 4, 0x65, 1, 2, 3};
    uint8_t head[LANE_HEADER + LANE_SEGMENT];
    struct buf *buf = buf_copy(unit, sizeof(unit));
    struct frame *frame = buf ? frame_new(buf) : NULL;

    if (!frame) {
        out->err = -1;
        return;
    }
    frame->is_key = true;
    frame->segment = 7;
    writer_put(out, head, lane_frame_head(frame, tracks->wall_base_us, head));
    writer_put(out, unit, sizeof(unit));
    frame_unref(frame);
}

static bool pass_lane(long allocations)
{
    static const struct lane_handler handler = {on_hello, on_tracks, on_frame, on_drops, on_end};
    struct tracks *tracks = make_tracks();
    struct lane_reader reader;
    struct seen seen = {0, 0, 0};
    struct writer out;
    ssize_t used = -1;
    bool has_failed;

    writer_init(&out, 64 * 1024);
    lane_reader_init(&reader, &handler, &seen);
    memory_is_for(allocations);
    write_hello(&out);
    if (!out.err && lane_write_tracks(&out, tracks) == 0) {
        write_frame(&out, tracks);
        if (!out.err && lane_write_end(&out) == 0)
            used = lane_reader_input(&reader, out.bytes, out.len);
    }
    has_failed = memory_ran_out(allocations);
    assert_true(has_failed == (used < 0));
    assert_true(has_failed || (seen.tracks == 1 && seen.frames == 1 && seen.ends == 1));
    lane_reader_fini(&reader);
    writer_fini(&out);
    tracks_unref(tracks);
    return has_failed;
}

static void a_lane_is_whole_or_ends(void **state)
{
    (void)state;
    fail_each(pass_lane, 10);
}

static bool pass_tracks(long allocations)
{
    struct tracks *tracks = make_tracks(), *copy = NULL;
    struct writer packed;
    bool has_failed;
    int err;

    writer_init(&packed, TRACKS_PACKED_MAX);
    memory_is_for(allocations);
    err = tracks_pack(&packed, tracks);
    if (!err)
        err = tracks_unpack(&copy, packed.bytes, packed.len);
    has_failed = memory_ran_out(allocations);
    assert_true(has_failed == (err != 0));
    if (!err)
        assert_int_equal(copy->track[0].config->len, 7);
    if (!err)
        tracks_unref(copy);
    writer_fini(&packed);
    tracks_unref(tracks);
    return has_failed;
}

static void tracks_are_whole_or_none(void **state)
{
    (void)state;
    fail_each(pass_tracks, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_whole_or_none),
        cmocka_unit_test(a_control_connection_goes_on_or_ends),
        cmocka_unit_test(a_lane_is_whole_or_ends),
        cmocka_unit_test(tracks_are_whole_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
