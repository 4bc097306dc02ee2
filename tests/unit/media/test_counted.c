/* media/track.c, frame.c and packet.c: counted objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/frame.h"
#include "media/packet.h"
#include "media/track.h"

/* A count other than expected leaks or is used after it was freed: the sanitizer tells. */
static void objects_live_as_long_as_their_last_reference(void **state)
{
    struct tracks *tracks = tracks_new(2);
    struct buf *buf = buf_copy("abc", 3);
    struct frame *frame = frame_new(buf_ref(buf));
    struct packet *packet = packet_new(PACKET_RTP, buf, tracks, 3);

    (void)state;
    tracks->track[1].config = buf_copy("config", 6);
    assert_ptr_equal(tracks_ref(tracks), tracks);
    assert_ptr_equal(frame_ref(frame), frame);
    assert_ptr_equal(packet_ref(packet), packet);
    tracks_unref(tracks);
    tracks_unref(tracks);
    frame_unref(frame);
    packet_unref(packet);
    assert_memory_equal(frame->buf->bytes, "abc", 3);
    frame_unref(frame);
    assert_memory_equal(packet->buf->bytes, "abc", 3);
    assert_memory_equal(packet->tracks->track[1].config->bytes, "config", 6);
    packet_unref(packet);
}

static void new_objects_are_blank(void **state)
{
    struct frame *frame = frame_new(buf_copy("", 0));
    struct packet *packet = packet_new(PACKET_TS, buf_copy("", 0), NULL, 0);

    (void)state;
    assert_int_equal(frame->segment, SEGMENT_NONE);
    assert_false(frame->is_key);
    assert_int_equal(packet->kind, PACKET_TS);
    assert_int_equal(packet->span_count, 0);
    assert_null(packet->tracks);
    frame_unref(frame);
    packet_unref(packet);
}

static void null_and_too_many_are_refused(void **state)
{
    (void)state;
    assert_null(tracks_new(TRACKS_MAX + 1));
    assert_null(frame_new(NULL));
    assert_null(packet_new(PACKET_RTP, NULL, NULL, 1));
    assert_null(tracks_ref(NULL));
    assert_null(frame_ref(NULL));
    assert_null(packet_ref(NULL));
    tracks_unref(NULL);
    frame_unref(NULL);
    packet_unref(NULL);
}

static void tracks_are_found_by_what_they_carry(void **state)
{
    struct tracks *tracks = tracks_new(3);

    (void)state;
    assert_int_equal(tracks_find_video(tracks), -1);
    assert_int_equal(tracks_find_audio(tracks), -1);
    tracks->track[1].codec = CODEC_OPUS;
    tracks->track[2].codec = CODEC_MJPEG;
    assert_int_equal(tracks_find_audio(tracks), 1);
    assert_int_equal(tracks_find_video(tracks), 2);
    tracks_unref(tracks);
    for (int codec = CODEC_NONE + 1; codec < CODEC_LAST; codec++)
        assert_string_not_equal(codec_name((enum codec)codec), "none");
    assert_string_equal(codec_name(CODEC_LAST), "none");
    assert_false(codec_is_video(CODEC_LAST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_live_as_long_as_their_last_reference),
        cmocka_unit_test(new_objects_are_blank),
        cmocka_unit_test(null_and_too_many_are_refused),
        cmocka_unit_test(tracks_are_found_by_what_they_carry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
