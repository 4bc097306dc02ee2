/* AAC, MP3 and L16 to Opus: what is heard, when it is heard, and what garbage costs. */
#include "tone.h"

struct ear {
    struct to_opus_sink sink;
    struct to_opus *converter;
    struct tone_heard heard;
};

static int on_opus(struct to_opus_sink *sink, struct frame *opus)
{
    struct ear *ear = (struct ear *)(void *)sink;

    assert_int_equal(opus->wall_us, 1700000000000000 + opus->pts_us);
    tone_hear(&ear->heard, opus);
    return 0;
}

static void ear_open(struct ear *ear, const struct tone *tone)
{
    *ear = (struct ear){.sink.push = on_opus};
    tone_heard_init(&ear->heard);
    assert_int_equal(to_opus_open(&ear->converter, &tone->tracks->track[0], &ear->sink), 0);
}

static void ear_close(struct ear *ear)
{
    to_opus_close(ear->converter);
    tone_heard_fini(&ear->heard);
}

static void push_all(struct ear *ear, const struct tone *tone)
{
    for (unsigned i = 0; i < tone->count; i++)
        assert_int_equal(to_opus_push(ear->converter, tone->frames[i]), 0);
}

/* A second and a half with the tone from half a second on. */
static void assert_tone(const struct tone_heard *heard, unsigned frames_min)
{
    int end = heard->count - 4800;

    assert_true(heard->frame_count >= frames_min);
    assert_int_equal(heard->gap_count, 0);
    assert_in_range(tone_onset_us(heard), 490000, 510000);
    assert_true(tone_purity(heard, end - 24000, end) > 0.98);
    assert_true(tone_energy(heard, end - 24000, end) > 0.09);
    assert_true(tone_energy(heard, end - 24000, end) < 0.15); /* 0.125 is exact */
    assert_true(tone_energy(heard, 4800, 14400) < 0.0001);
}

static void l16_is_heard_as_it_was(void **state)
{
    static const uint32_t rates[] = {8000, 16000, 44100, 48000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        for (uint8_t channels = 1; channels <= 2; channels++) {
            struct tone tone;
            struct ear ear;

            tone_l16(&tone, rates[i], channels, 1500000, 500000);
            ear_open(&ear, &tone);
            push_all(&ear, &tone);
            assert_tone(&ear.heard, 73);
            ear_close(&ear);
            tone_fini(&tone);
        }
}

static void aac_is_heard_as_it_was(void **state)
{
    static const int rates[] = {16000, 44100, 48000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct tone tone;
        struct ear ear;

        tone_aac(&tone, rates[i], 1500000, 500000);
        ear_open(&ear, &tone);
        push_all(&ear, &tone);
        assert_tone(&ear.heard, 70);
        ear_close(&ear);
        tone_fini(&tone);
    }
}

static void frames_of_garbage_cost_those_frames_only(void **state)
{
    static const uint8_t garbage[300] = {0xff, 0x13, 0x57, 0x9b, 0xdf, 0x02, 0x46, 0x8a};
    struct tone tone;
    struct ear ear;

    (void)state;
    tone_aac(&tone, 48000, 3000000, 0);
    ear_open(&ear, &tone);
    for (unsigned i = 0; i < tone.count; i++) {
        struct frame *torn = tone_frame(garbage, sizeof(garbage), tone.frames[i]->pts_us);

        if (i % 10 == 9)
            assert_true(to_opus_push(ear.converter, torn) < 0);
        else
            assert_int_equal(to_opus_push(ear.converter, tone.frames[i]), 0);
        frame_unref(torn);
    }
    /* Nine of ten are heard, and in time: what is missing was jumped over. */
    assert_in_range(ear.heard.frame_count, 130, 145);
    assert_in_range(tone.frames[tone.count - 1]->pts_us - ear.heard.last_us, 0, 60000);
    ear_close(&ear);
    tone_fini(&tone);
}

static void a_frame_cut_at_any_byte_is_survived(void **state)
{
    struct tone tone;
    struct ear ear;

    (void)state;
    tone_aac(&tone, 48000, 300000, 0);
    ear_open(&ear, &tone);
    for (size_t len = 0; len < tone.frames[8]->buf->len; len++) {
        struct frame *cut = tone_frame(tone.frames[8]->buf->bytes, len, (int64_t)len * 21333);

        (void)!to_opus_push(ear.converter, cut);
        frame_unref(cut);
    }
    ear_close(&ear);
    tone_fini(&tone);
}

static void a_gap_in_the_source_is_a_jump_and_the_rest_is_in_time(void **state)
{
    struct tone tone;
    struct ear ear;

    (void)state;
    tone_l16(&tone, 48000, 1, 3000000, 0);
    ear_open(&ear, &tone);
    for (unsigned i = 0; i < tone.count; i++)
        if (i < 100 || i >= 150)
            assert_int_equal(to_opus_push(ear.converter, tone.frames[i]), 0);
    assert_int_equal(ear.heard.gap_count, 1);
    assert_in_range(ear.heard.frame_count, 123, 125); /* the resampler keeps a little */
    assert_in_range(ear.heard.last_us, 2950000, 2980000);
    ear_close(&ear);
    tone_fini(&tone);
}

/* A camera's crystal is 2000 ppm fast: a minute would be 120 ms off. */
static void a_clock_that_drifts_is_followed_without_a_gap(void **state)
{
    struct tone tone;
    struct ear ear;
    int64_t at_us = 0;

    (void)state;
    tone_l16(&tone, 16000, 1, 1000000, 0);
    ear_open(&ear, &tone);
    avcodec_flush_buffers(ear.heard.decoder);
    for (unsigned i = 0; i < 6000; i++) {
        struct frame *frame = tone_frame(tone.frames[i % tone.count]->buf->bytes,
                                         tone.frames[i % tone.count]->buf->len, at_us);

        ear.heard.count = 0;
        assert_int_equal(to_opus_push(ear.converter, frame), 0);
        frame_unref(frame);
        at_us += 9980;
        if (i > 10)
            assert_in_range(at_us - ear.heard.last_us, 0, 60000);
    }
    assert_int_equal(ear.heard.gap_count, 0);
    ear_close(&ear);
    tone_fini(&tone);
}

static void a_clock_that_jumps_back_publishes_nothing_twice(void **state)
{
    struct tone tone;
    struct ear ear;

    (void)state;
    tone_l16(&tone, 48000, 1, 1000000, 0);
    ear_open(&ear, &tone);
    push_all(&ear, &tone);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(to_opus_push(ear.converter, tone.frames[i]), 0);
    assert_in_range(ear.heard.frame_count, 49, 50);
    ear_close(&ear);
    tone_fini(&tone);
}

static void what_is_too_long_or_without_a_sane_time_is_refused(void **state)
{
    static uint8_t zeros[128 * 1024];
    struct tone tone;
    struct ear ear;
    struct frame *frame;

    (void)state;
    tone_l16(&tone, 8000, 1, 100000, 0);
    ear_open(&ear, &tone);
    frame = tone_frame(zeros, sizeof(zeros), 0);
    assert_int_equal(to_opus_push(ear.converter, frame), -ERR_TOO_LONG);
    frame_unref(frame);
    frame = tone_frame(zeros, 2 * 8001, 0);
    assert_int_equal(to_opus_push(ear.converter, frame), -ERR_TOO_LONG);
    frame->pts_us = INT64_MAX;
    assert_int_equal(to_opus_push(ear.converter, frame), -ERR_PROTOCOL);
    frame->pts_us = INT64_MIN;
    assert_int_equal(to_opus_push(ear.converter, frame), -ERR_PROTOCOL);
    frame_unref(frame);
    frame = tone_frame(zeros, 0, 0);
    assert_int_equal(to_opus_push(ear.converter, frame), -ERR_PROTOCOL);
    frame_unref(frame);
    assert_int_equal(ear.heard.frame_count, 0);
    push_all(&ear, &tone);
    assert_in_range(ear.heard.frame_count, 4, 5);
    ear_close(&ear);
    tone_fini(&tone);
}

static void tracks_that_lie_are_refused(void **state)
{
    struct track track = {.codec = CODEC_L16};
    struct to_opus *converter;

    (void)state;
    assert_false(to_opus_can(&track)); /* no rate */
    track.clock_rate = 48000;
    assert_true(to_opus_can(&track));
    track.channels = 200;
    assert_false(to_opus_can(&track));
    track = (struct track){.codec = CODEC_AAC, .clock_rate = 48000, .channels = 2};
    assert_int_equal(to_opus_open(&converter, &track, NULL), -ERR_UNSUPPORTED);
    track.config = buf_copy("\x12", 1);
    if (to_opus_open(&converter, &track, NULL) == 0)
        to_opus_close(converter);
    buf_unref(track.config);
    track = (struct track){.codec = CODEC_OPUS, .clock_rate = 48000, .channels = 2};
    assert_false(to_opus_can(&track));
    track.codec = CODEC_PCMU;
    assert_false(to_opus_can(&track));
    track.codec = CODEC_MP3;
    assert_int_equal(to_opus_open(&converter, &track, NULL), 0);
    to_opus_close(converter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l16_is_heard_as_it_was),
        cmocka_unit_test(aac_is_heard_as_it_was),
        cmocka_unit_test(frames_of_garbage_cost_those_frames_only),
        cmocka_unit_test(a_frame_cut_at_any_byte_is_survived),
        cmocka_unit_test(a_gap_in_the_source_is_a_jump_and_the_rest_is_in_time),
        cmocka_unit_test(a_clock_that_drifts_is_followed_without_a_gap),
        cmocka_unit_test(a_clock_that_jumps_back_publishes_nothing_twice),
        cmocka_unit_test(what_is_too_long_or_without_a_sane_time_is_refused),
        cmocka_unit_test(tracks_that_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
