/* packager_opus within a stream, on a real loop with the transcoder's real thread. */
#include "../audio/tone.h"

#include "base/list.h"
#include "media/format/rtp.h"
#include "media/format/rtp_packager.h"
#include "media/hub.h"
#include "media/stream.h"

static const struct feed_kind kinds[] = {{&packager_opus, {512 * 1024, 2000000}, 0},
                                         {.packager = NULL}};

/* A camera with video as track 0 and audio as track 1, and one viewer of its Opus. */
struct scene {
    struct loop *loop;
    struct hub *hub;
    struct hub *hubs[1];
    struct stream *stream;
    struct tone tone;
    struct tracks *tracks;
    struct cursor cursor;
    struct tone_heard heard;
    struct loop_task start;
    struct loop_timer timer;
    unsigned pushed, wanted, rounds;
    struct rtp_packet last;
};

static void check_packet(struct scene *scene, const struct packet *packet)
{
    const struct rtp_span *span = &packet->span[0];
    const uint8_t *framing = packet->buf->bytes;
    struct rtp_packet rtp;

    assert_int_equal(packet->kind, PACKET_RTP_OPUS);
    assert_int_equal(packet->track, 1);
    assert_true(packet->is_key);
    assert_int_equal(packet->wall_us, 1700000000000000 + packet->pts_us);
    assert_int_equal(packet->span_count, 1);
    assert_int_equal(span->offset, 4);
    assert_int_equal(span->len + 4, packet->buf->len);
    assert_int_equal(framing[0], '$');
    assert_int_equal(framing[1], 2);
    assert_int_equal(framing[2] << 8 | framing[3], span->len);
    assert_int_equal(rtp_parse(&rtp, packet->buf->bytes + 4, span->len), 0);
    assert_int_equal(rtp.payload_type, rtp_payload_type(1));
    assert_int_equal(rtp.timestamp, packet->rtp_time);
    if (scene->heard.frame_count) {
        assert_int_equal(rtp.seq, (uint16_t)(scene->last.seq + 1));
        assert_int_equal(rtp.ssrc, scene->last.ssrc);
        assert_int_equal(rtp.timestamp, scene->last.timestamp + 960);
    }
    scene->last = rtp;
    tone_hear_bytes(&scene->heard, rtp.payload, rtp.payload_len, packet->pts_us);
}

static void on_ready(struct cursor *cursor)
{
    struct scene *scene = list_entry(cursor, struct scene, cursor);
    struct packet *packet;

    while ((packet = cursor_next(cursor))) {
        if (!scene->wanted)
            continue;
        check_packet(scene, packet);
        if (scene->heard.frame_count == scene->wanted)
            loop_stop(scene->loop);
    }
}

static struct view *view_of(struct scene *scene)
{
    return hub_find(scene->hub, "door");
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    assert_int_equal(loop_new(&scene->loop, 0), 0);
    assert_int_equal(hub_new(&scene->hub, scene->loop, kinds), 0);
    scene->hubs[0] = scene->hub;
    hub_join(scene->hubs, 1);
    assert_non_null(hub_add(scene->hub, "door"));
    tone_heard_init(&scene->heard);
    tone_aac(&scene->tone, 48000, 3000000, 500000);
    scene->tracks = tracks_new(2);
    assert_non_null(scene->tracks);
    scene->tracks->track[0].codec = CODEC_H264;
    scene->tracks->track[1] = scene->tone.tracks->track[0];
    buf_ref(scene->tracks->track[1].config);
    for (unsigned i = 0; i < scene->tone.count; i++)
        scene->tone.frames[i]->track = 1;
    scene->cursor.on_ready = on_ready;
    assert_int_equal(stream_open(&scene->stream, scene->hub, "door"), 0);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    cursor_detach(&scene->cursor);
    stream_close(scene->stream);
    loop_drain(scene->loop);
    hub_free(scene->hub);
    loop_free(scene->loop);
    tone_heard_fini(&scene->heard);
    tone_fini(&scene->tone);
    tracks_unref(scene->tracks);
    free(scene);
    return 0;
}

static void run(struct scene *scene, void (*start)(struct loop_task *task))
{
    scene->start.run = start;
    loop_post(scene->loop, &scene->start);
    loop_run(scene->loop);
}

static void push_next(struct scene *scene)
{
    struct frame *video = tone_frame("\0\0\0\2\x41\x9a", 6, 0);

    if (scene->pushed < scene->tone.count)
        stream_push(scene->stream, scene->tone.frames[scene->pushed++]);
    stream_push(scene->stream, video);
    frame_unref(video);
}

static void on_frame_due(struct loop_timer *timer)
{
    struct scene *scene = list_entry(timer, struct scene, timer);

    push_next(scene);
    loop_timer_start(timer, 2000);
}

/* A second passes unseen, then the viewer comes: the packager is primed with that. */
static void start_watching(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);
    struct feed *feed;

    stream_set_tracks(scene->stream, scene->tracks);
    while (scene->tone.frames[scene->pushed]->pts_us < 1000000)
        push_next(scene);
    feed = view_feed_use(view_of(scene), PACKET_RTP_OPUS);
    assert_non_null(feed);
    cursor_attach(&scene->cursor, feed);
    loop_timer_init(&scene->timer, scene->loop, on_frame_due);
    loop_timer_start(&scene->timer, 0);
}

static void a_viewer_hears_what_the_camera_hears(void **state)
{
    struct scene *scene = *state;

    scene->wanted = 120;
    run(scene, start_watching);
    loop_timer_stop(&scene->timer);
    assert_int_equal(scene->heard.gap_count, 0);
    assert_in_range(tone_onset_us(&scene->heard), 490000, 510000);
    assert_true(tone_purity(&scene->heard, 60000, 108000) > 0.98);
    assert_true(llabs(scene->tone.frames[scene->pushed - 1]->pts_us - scene->heard.last_us) <
                200000);
}

static void start_without(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);
    struct tracks *plain = tracks_new(2);

    assert_non_null(plain);
    plain->track[0].codec = CODEC_OPUS;
    plain->track[1].codec = CODEC_PCMU;
    stream_set_tracks(scene->stream, plain);
    tracks_unref(plain);
    assert_non_null(view_feed_use(view_of(scene), PACKET_RTP_OPUS));
    push_next(scene);
    /* The camera's audio becomes AAC: the viewer that stayed hears it. */
    start_watching(task);
}

static void tracks_that_need_no_transcoding_are_refused_until_others_come(void **state)
{
    struct scene *scene = *state;
    struct packager *packager;
    struct tracks *plain = tracks_new(1);

    assert_int_equal(packager_opus.open(&packager, NULL), 0);
    plain->track[0].codec = CODEC_PCMA;
    assert_int_equal(packager_opus.set_tracks(packager, plain), -ERR_UNSUPPORTED);
    packager_opus.close(packager);
    packager_opus.close(NULL);
    tracks_unref(plain);
    scene->wanted = 20;
    run(scene, start_without);
    loop_timer_stop(&scene->timer);
}

/* Viewers come and go, and the stream ends, while the thread is at work. */
static void on_round(struct loop_timer *timer)
{
    struct scene *scene = list_entry(timer, struct scene, timer);
    struct feed *feed = view_feed_use(view_of(scene), PACKET_RTP_OPUS);

    assert_non_null(feed);
    cursor_attach(&scene->cursor, feed);
    for (unsigned i = 0; i < 3; i++)
        push_next(scene);
    cursor_detach(&scene->cursor);
    view_feed_leave(view_of(scene), PACKET_RTP_OPUS);
    if (scene->rounds % 2) {
        stream_close(scene->stream);
        assert_int_equal(stream_open(&scene->stream, scene->hub, "door"), 0);
        stream_set_tracks(scene->stream, scene->tracks);
    }
    scene->pushed = 0;
    if (++scene->rounds == 200)
        loop_stop(scene->loop);
    else
        loop_timer_start(timer, scene->rounds % 5 * 300);
}

static void start_rounds(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    stream_set_tracks(scene->stream, scene->tracks);
    loop_timer_init(&scene->timer, scene->loop, on_round);
    loop_timer_start(&scene->timer, 0);
}

static void what_comes_after_the_close_is_harmless(void **state)
{
    struct scene *scene = *state;

    run(scene, start_rounds);
    loop_timer_stop(&scene->timer);
    assert_int_equal(scene->rounds, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_viewer_hears_what_the_camera_hears),
        TEST(tracks_that_need_no_transcoding_are_refused_until_others_come),
        TEST(what_comes_after_the_close_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
