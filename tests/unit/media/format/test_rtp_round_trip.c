/* What packager_rtp makes, the depacketiser takes apart again: the same access units, for every
 * codec, also where packets are lost. */
#include "units.h"

#include <stdlib.h>

#include "media/aac.h"
#include "media/format/rtp_packager.h"
#include "media/jpeg.h"
#include "media/packager.h"

#define SPS264                                                                                     \
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,      \
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60
#define PPS264 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0

static const uint8_t config_264[] = {0, 0, 0, 26, SPS264, 0, 0, 0, 6, PPS264};
static const uint8_t config_265[] = {
    0,    0,    0,    24,   0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03,
    0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3f, 0x95, 0x98, 0x09, 0,    0,
    0,    42,   0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
    0x00, 0x00, 0x03, 0x00, 0x3f, 0xa0, 0x05, 0x02, 0x01, 0x69, 0x65, 0x95, 0x9a, 0x49, 0x32,
    0xbc, 0x05, 0xa0, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x03, 0x03, 0x21, 0,
    0,    0,    7,    0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40};

/* A packager that feeds a depacketiser through a lossy wire. */
struct rig {
    struct packager_sink sink;
    struct packager *packager;
    struct tracks *tracks;
    struct units units;
    unsigned lose_every, sent; /* 0: none */
    bool is_after_loss, frame_lost;
    unsigned packets; /* of the last frame */
    uint16_t seq;
    bool has_seq;
    uint32_t rtp_time;
    size_t longest, shortest_but_last;
};

static struct rig rig;

static void check_framing(const struct packet *packet, unsigned i)
{
    const struct rtp_span *span = &packet->span[i];
    const uint8_t *framing = packet->buf->bytes + span->offset - 4;
    size_t expected = i ? packet->span[i - 1].offset + packet->span[i - 1].len + 4u : 4u;

    assert_int_equal(span->offset, expected);
    assert_true(span->offset + span->len <= packet->buf->len);
    assert_int_equal(framing[0], '$');
    assert_int_equal(framing[1], 2 * packet->track);
    assert_int_equal(framing[2] << 8 | framing[3], span->len);
    if (i + 1 == packet->span_count)
        assert_int_equal(span->offset + span->len, packet->buf->len);
}

static void deliver(const struct rtp_packet *packet)
{
    rig.sent++;
    if (rig.lose_every && rig.sent % rig.lose_every == 0) {
        rig.is_after_loss = rig.frame_lost = true;
        return;
    }
    assert_int_equal(depacketiser_push(rig.units.depacketiser, packet, rig.is_after_loss), 0);
    rig.is_after_loss = false;
}

static void on_packet(struct packager_sink *sink, struct packet *packet)
{
    (void)sink;
    assert_int_equal(packet->kind, PACKET_RTP);
    assert_true(packet->span_count > 0);
    rig.packets = packet->span_count;
    rig.rtp_time = packet->rtp_time;
    rig.longest = 0;
    rig.shortest_but_last = SIZE_MAX;
    for (unsigned i = 0; i < packet->span_count; i++) {
        struct rtp_packet rtp;
        size_t len = packet->span[i].len;

        check_framing(packet, i);
        assert_true(len <= RTP_SEND_MAX_BYTES);
        assert_int_equal(rtp_parse(&rtp, packet->buf->bytes + packet->span[i].offset, len), 0);
        assert_int_equal(rtp.payload_type, rtp_payload_type(packet->track));
        if (rig.has_seq)
            assert_int_equal(rtp.seq, (uint16_t)(rig.seq + 1));
        rig.has_seq = true;
        rig.seq = rtp.seq;
        if (len > rig.longest)
            rig.longest = len;
        if (i + 1 < packet->span_count && len < rig.shortest_but_last)
            rig.shortest_but_last = len;
        deliver(&rtp);
    }
}

static void rig_open(enum codec codec, const void *config, size_t config_len, const char *fmtp)
{
    struct rtp_format format = {.encoding = codec_name(codec), .fmtp = fmtp, .clock_rate = 0};

    rig = (struct rig){.sink = {on_packet}};
    rig.tracks = tracks_new(1);
    assert_non_null(rig.tracks);
    rig.tracks->track[0].codec = codec;
    rig.tracks->track[0].clock_rate = codec == CODEC_L16 ? 44100 : 0;
    rig.tracks->track[0].channels = codec == CODEC_L16 ? 2 : 1;
    if (config)
        rig.tracks->track[0].config = buf_copy(config, config_len);
    format.clock_rate = rtp_clock_rate(&rig.tracks->track[0]);
    format.channels = rig.tracks->track[0].channels;
    assert_int_equal(units_try_open(&rig.units, format), 0);
    assert_int_equal(packager_rtp.open(&rig.packager, &rig.sink), 0);
    assert_int_equal(packager_rtp.set_tracks(rig.packager, rig.tracks), 0);
}

static void rig_close(void)
{
    packager_rtp.close(rig.packager);
    tracks_unref(rig.tracks);
    units_close(&rig.units);
}

static struct frame *frame_of(const void *bytes, size_t len, bool is_key, int64_t pts_us)
{
    struct frame *frame = frame_new(buf_copy(bytes, len));

    assert_non_null(frame);
    frame->is_key = is_key;
    frame->dts_us = frame->pts_us = pts_us;
    return frame;
}

/* A frame through the wire; it must come out the same, unless some of it was lost. */
static void send(const void *bytes, size_t len, bool is_key, int64_t pts_us)
{
    struct frame *frame = frame_of(bytes, len, is_key, pts_us);
    unsigned before = rig.units.count;

    rig.frame_lost = false;
    assert_int_equal(packager_rtp.push(rig.packager, frame), 0);
    frame_unref(frame);
    if (rig.frame_lost)
        return;
    assert_int_equal(rig.units.count, before + 1);
    assert_last(&rig.units, bytes, len);
    assert_int_equal(units_last(&rig.units)->timestamp, rig.rtp_time);
    assert_int_equal(units_last(&rig.units)->is_key, is_key);
}

/* A frame of NAL units of these lengths, of noise that holds no start code. */
static size_t make_nals(uint8_t *out, bool is_265, bool is_key, const size_t *lens, unsigned count)
{
    static const uint8_t headers[2][2][3] = {{{0x41, 0x9a, 1}, {0x65, 0x88, 1}},
                                             {{0x02, 0x01, 0xd0}, {0x26, 0x01, 0xaf}}};
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        out[at] = (uint8_t)(lens[i] >> 24);
        out[at + 1] = (uint8_t)(lens[i] >> 16);
        out[at + 2] = (uint8_t)(lens[i] >> 8);
        out[at + 3] = (uint8_t)lens[i];
        for (size_t j = 0; j < lens[i]; j++)
            out[at + 4 + j] = j < 3 ? headers[is_265][is_key][j] : (uint8_t)(j * 7 % 251 + 4);
        if (i && lens[i] > (is_265 ? 2 : 1)) /* later slices say that they are not the first */
            out[at + 4 + (is_265 ? 2 : 1)] &= 0x7f;
        at += 4 + lens[i];
    }
    return at;
}

static uint8_t frame_bytes[300000];

static void send_nal_frames(bool is_265)
{
    for (size_t len = 4; len < 6000; len = len < 1100 || len > 1300 ? len + 61 : len + 1) {
        const size_t lens[] = {len, 5, 40};
        bool is_key = len % 5 == 0;
        size_t total = make_nals(frame_bytes, is_265, is_key, lens, (unsigned)(len % 3 + 1));

        send(frame_bytes, total, is_key, (int64_t)len * 40000);
    }
}

static void every_size_of_nal_comes_through(void **state)
{
    for (unsigned is_265 = 0; is_265 < 2; is_265++) {
        rig_open(is_265 ? CODEC_H265 : CODEC_H264, is_265 ? config_265 : config_264,
                 is_265 ? sizeof(config_265) : sizeof(config_264), NULL);
        /* A first key frame, which brings the parameter sets. */
        send(frame_bytes, make_nals(frame_bytes, is_265, true, &(size_t){100}, 1), true, 0);
        assert_int_equal(rig.units.count, 1);
        assert_int_equal(rig.units.config_len, is_265 ? sizeof(config_265) : sizeof(config_264));
        assert_memory_equal(rig.units.config, is_265 ? config_265 : config_264,
                            rig.units.config_len);
        send_nal_frames(is_265);
        assert_true(rig.units.count > 200);
        rig_close();
    }
    (void)state;
}

static void a_loss_costs_no_more_than_the_frames_it_hit(void **state)
{
    for (unsigned is_265 = 0; is_265 < 2; is_265++) {
        unsigned hit = 0, sent = 0;

        rig_open(is_265 ? CODEC_H265 : CODEC_H264, is_265 ? config_265 : config_264,
                 is_265 ? sizeof(config_265) : sizeof(config_264), NULL);
        send(frame_bytes, make_nals(frame_bytes, is_265, true, &(size_t){100}, 1), true, 0);
        rig.lose_every = 23;
        for (size_t i = 0; i < 1000; i++) {
            const size_t lens[] = {3000 + i * 13 % 4000, 700};

            sent++;
            send(frame_bytes, make_nals(frame_bytes, is_265, i % 50 == 0, lens, 2), i % 50 == 0,
                 (int64_t)(i + 1) * 40000);
            hit += rig.frame_lost;
        }
        assert_in_range(hit, 100, 500);
        /* A key frame that lost its parameter sets alone is whole: they are known. */
        assert_in_range(rig.units.count, sent + 1 - hit, sent + 1 - hit + 20);
        rig_close();
    }
    (void)state;
}

static void fragments_are_of_equal_size(void **state)
{
    (void)state;
    rig_open(CODEC_H264, config_264, sizeof(config_264), NULL);
    send(frame_bytes, make_nals(frame_bytes, false, true, &(size_t){100}, 1), true, 0);
    for (size_t len = 1200; len < 60000; len += 997) {
        size_t total = make_nals(frame_bytes, false, false, &len, 1);
        struct frame *frame = frame_of(frame_bytes, total, false, 0);

        assert_int_equal(packager_rtp.push(rig.packager, frame), 0);
        frame_unref(frame);
        assert_int_equal(rig.packets, (len - 1 + 1185) / 1186);
        assert_int_equal(rig.longest, rig.shortest_but_last);
    }
    rig_close();
}

static void small_nals_share_a_packet(void **state)
{
    size_t total;

    (void)state;
    rig_open(CODEC_H264, config_264, sizeof(config_264), NULL);
    total = make_nals(frame_bytes, false, true, (const size_t[]){60, 50, 40}, 3);
    send(frame_bytes, total, true, 0);
    assert_int_equal(rig.packets, 1);
    assert_int_equal(rig.units.count, 1);
    rig_close();
}

static void a_frame_whose_lengths_lie_is_refused_and_costs_no_number(void **state)
{
    static const uint8_t lies[][9] = {
        {0, 0, 0, 9, 0x65, 0x88}, {0xff, 0xff, 0xff, 0xff, 0x65}, {0}};

    (void)state;
    rig_open(CODEC_H264, config_264, sizeof(config_264), NULL);
    for (size_t i = 0; i < 3; i++) {
        struct frame *frame = frame_of(lies[i], i == 2 ? 4 : 9, true, 0);

        assert_int_equal(packager_rtp.push(rig.packager, frame), -ERR_PROTOCOL);
        frame_unref(frame);
        send(frame_bytes, make_nals(frame_bytes, false, true, &(size_t){100}, 1), true, 0);
    }
    rig_close();
}

static void numbers_go_on_over_a_change_of_tracks(void **state)
{
    struct tracks *changed = tracks_new(1);

    (void)state;
    assert_non_null(changed);
    changed->track[0].codec = CODEC_H264;
    rig_open(CODEC_H264, config_264, sizeof(config_264), NULL);
    send(frame_bytes, make_nals(frame_bytes, false, true, &(size_t){100}, 1), true, 0);
    assert_int_equal(packager_rtp.set_tracks(rig.packager, changed), 0);
    tracks_unref(changed);
    send(frame_bytes, make_nals(frame_bytes, false, true, &(size_t){100}, 1), true, 40000);
    assert_int_equal(rig.units.count, 2);
    rig_close();
}

static void timestamps_do_not_drift_over_a_year(void **state)
{
    uint32_t first;
    const int64_t year_us = INT64_C(365) * 86400 * 1000000;

    (void)state;
    rig_open(CODEC_AAC, (const uint8_t[]){0x12, 0x10}, 2,
             "sizelength=13;indexlength=3;"
             "indexdeltalength=3;config=1210");
    rig.tracks->track[0].clock_rate = 44100;
    send("aaaa", 4, true, 0);
    first = rig.rtp_time;
    for (int64_t frame = 1; frame < 100000; frame += 97) {
        send("aaaa", 4, true, year_us + frame * 1024 * 1000000 / 44100);
        assert_int_equal(rig.rtp_time - first,
                         (uint32_t)(INT64_C(365) * 86400 * 44100 + frame * 1024));
    }
    send("aaaa", 4, true, -1000000);
    assert_int_equal(rig.rtp_time - first, (uint32_t)-44100);
    rig_close();
}

static void audio_comes_through(enum codec codec, size_t from, size_t to, size_t step)
{
    const char *fmtp = codec == CODEC_AAC ? "mode=AAC-hbr;sizelength=13;indexlength=3;"
                                            "indexdeltalength=3;config=1190"
                                          : NULL;

    rig_open(codec, codec == CODEC_AAC ? (const uint8_t[]){0x11, 0x90} : NULL, 2, fmtp);
    for (size_t len = from; len <= to; len += step) {
        for (size_t i = 0; i < len; i++)
            frame_bytes[i] = (uint8_t)(i * 31 + 4);
        send(frame_bytes, len, true, (int64_t)len * 20000);
        assert_int_equal(rig.units.count, (len - from) / step + 1);
    }
    rig_close();
}

static void aac_of_every_size_comes_through(void **state)
{
    (void)state;
    audio_comes_through(CODEC_AAC, 1, 8191, 7);
}

static void opus_and_pcm_come_through(void **state)
{
    (void)state;
    audio_comes_through(CODEC_OPUS, 1, 1188, 13);
    audio_comes_through(CODEC_PCMU, 1, 1188, 13);
    audio_comes_through(CODEC_PCMA, 1, 1188, 13);
    audio_comes_through(CODEC_L16, 4, 1188, 4);
}

static void long_pcm_is_cut_between_samples(void **state)
{
    struct frame *frame;

    (void)state;
    rig_open(CODEC_L16, NULL, 0, NULL);
    frame = frame_of(frame_bytes, 6000, true, 0);
    assert_int_equal(packager_rtp.push(rig.packager, frame), 0);
    frame_unref(frame);
    assert_int_equal(rig.units.count, 6);
    assert_int_equal(rig.units.unit[1].timestamp - rig.units.unit[0].timestamp, 297);
    assert_int_equal(rig.units.unit[5].duration, (6000 - 5 * 1188) / 4);
    frame = frame_of(frame_bytes, 6001, true, 0);
    assert_int_equal(packager_rtp.push(rig.packager, frame), -ERR_PROTOCOL);
    frame_unref(frame);
    rig_close();
}

static void mp3_comes_through(void **state)
{
    /* MPEG-1 layer III at 44.1 kHz: 320 kbit/s in one packet, and of MPEG-2 */
    static const uint8_t headers[2][4] = {{0xff, 0xfb, 0xe0, 0x64}, {0xff, 0xf3, 0x80, 0x64}};
    static const size_t lens[2] = {1044, 208};

    (void)state;
    rig_open(CODEC_MP3, NULL, 0, NULL);
    for (unsigned i = 0; i < 10; i++) {
        memset(frame_bytes, 'm', 1100);
        memcpy(frame_bytes, headers[i % 2], 4);
        send(frame_bytes, lens[i % 2], true, (int64_t)i * 26122);
        assert_int_equal(rig.units.count, i + 1);
        assert_int_equal(units_last(&rig.units)->duration, i % 2 ? 2351 : 2351);
    }
    rig_close();
}

/* A JPEG file with a scan of len bytes: noise without FF. */
static size_t make_jpeg(uint8_t type, uint16_t restart_interval, size_t len)
{
    uint8_t tables[2 * JPEG_TABLE_BYTES];
    struct jpeg_headers headers = {.type = type,
                                   .width = 640,
                                   .height = 360,
                                   .restart_interval = restart_interval,
                                   .quantisers = tables,
                                   .quantiser_count = 2};
    struct writer writer;
    size_t at;

    jpeg_make_tables(tables, 60);
    writer_init(&writer, sizeof(frame_bytes));
    jpeg_write_headers(&writer, &headers);
    assert_int_equal(writer.err, 0);
    memcpy(frame_bytes, writer.bytes, writer.len);
    at = writer.len;
    writer_fini(&writer);
    for (size_t i = 0; i < len; i++)
        frame_bytes[at++] = (uint8_t)(i * 11 % 255);
    frame_bytes[at++] = 0xff;
    frame_bytes[at++] = 0xd9;
    return at;
}

static void jpeg_files_come_through(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        unsigned count = 0;

        rig_open(CODEC_MJPEG, NULL, 0, NULL);
        for (size_t len = 1; len < 20000; len += 331) {
            send(frame_bytes, make_jpeg(kind & 1, kind & 2 ? 40 : 0, len), true,
                 (int64_t)len * 40000);
            assert_int_equal(rig.units.count, ++count);
        }
        assert_int_equal(rig.units.track.width, 640);
        assert_int_equal(rig.units.track.height, 360);
        rig_close();
    }
}

static void a_jpeg_with_a_loss_is_dropped_and_the_next_is_whole(void **state)
{
    unsigned hit = 0;

    (void)state;
    rig_open(CODEC_MJPEG, NULL, 0, NULL);
    rig.lose_every = 37;
    for (size_t i = 0; i < 300; i++) {
        send(frame_bytes, make_jpeg(1, 0, 9000 + i), true, (int64_t)i * 40000);
        hit += rig.frame_lost;
    }
    assert_true(hit > 50);
    assert_int_equal(rig.units.count, 300 - hit);
    rig_close();
}

static void tracks_that_rtp_cannot_carry_are_refused(void **state)
{
    struct tracks *tracks = tracks_new(2);
    struct packager *packager;
    struct frame *frame = frame_of("x", 1, true, 0);

    (void)state;
    assert_non_null(tracks);
    assert_int_equal(packager_rtp.open(&packager, &rig.sink), 0);
    assert_int_equal(packager_rtp.push(packager, frame), -ERR_NOT_FOUND);
    assert_int_equal(packager_rtp.set_tracks(packager, tracks), -ERR_UNSUPPORTED);
    assert_int_equal(packager_rtp.push(packager, frame), -ERR_UNSUPPORTED);
    frame->track = 2;
    assert_int_equal(packager_rtp.push(packager, frame), -ERR_NOT_FOUND);
    frame_unref(frame);
    packager_rtp.close(packager);
    packager_rtp.close(NULL);
    tracks_unref(tracks);
}

static void clock_rates_are_those_of_rtp(void **state)
{
    struct tracks *tracks = tracks_new(1);
    struct track *track;

    (void)state;
    assert_non_null(tracks);
    track = &tracks->track[0];
    *track = (struct track){.codec = CODEC_AAC, .clock_rate = 90000};
    assert_int_equal(rtp_clock_rate(track), 90000);
    track->config = buf_copy((const uint8_t[]){0x12, 0x10}, 2);
    assert_int_equal(rtp_clock_rate(track), 44100);
    track->clock_rate = 48000;
    assert_int_equal(rtp_clock_rate(track), 48000);
    track->codec = CODEC_H264;
    assert_int_equal(rtp_clock_rate(track), 90000);
    track->codec = CODEC_OPUS;
    assert_int_equal(rtp_clock_rate(track), 48000);
    track->codec = CODEC_PCMA;
    track->clock_rate = 0;
    assert_int_equal(rtp_clock_rate(track), 8000);
    tracks_unref(tracks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_of_nal_comes_through),
        cmocka_unit_test(a_loss_costs_no_more_than_the_frames_it_hit),
        cmocka_unit_test(fragments_are_of_equal_size),
        cmocka_unit_test(small_nals_share_a_packet),
        cmocka_unit_test(a_frame_whose_lengths_lie_is_refused_and_costs_no_number),
        cmocka_unit_test(numbers_go_on_over_a_change_of_tracks),
        cmocka_unit_test(timestamps_do_not_drift_over_a_year),
        cmocka_unit_test(aac_of_every_size_comes_through),
        cmocka_unit_test(opus_and_pcm_come_through),
        cmocka_unit_test(long_pcm_is_cut_between_samples),
        cmocka_unit_test(mp3_comes_through),
        cmocka_unit_test(jpeg_files_come_through),
        cmocka_unit_test(a_jpeg_with_a_loss_is_dropped_and_the_next_is_whole),
        cmocka_unit_test(tracks_that_rtp_cannot_carry_are_refused),
        cmocka_unit_test(clock_rates_are_those_of_rtp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
