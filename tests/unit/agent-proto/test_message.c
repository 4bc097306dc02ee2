/* Envelopes, tracks, versions and texts from the other end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent-proto/message.h"
#include "agent-proto/text.h"
#include "agent-proto/tracks.h"

static void the_first_bytes_tell_what_a_connection_is(void **state)
{
    static const uint8_t control[] = "CVC1", lane[] = "CVL1", other[] = "CVX1", http[] = "GET ";
    enum proto_kind kind;

    (void)state;
    assert_int_equal(proto_kind_of(control, 4, &kind), 0);
    assert_int_equal(kind, PROTO_CONTROL);
    assert_int_equal(proto_kind_of(lane, 4, &kind), 0);
    assert_int_equal(kind, PROTO_LANE);
    for (size_t len = 0; len < 4; len++) {
        assert_int_equal(proto_kind_of(control, len, &kind), -EAGAIN);
        assert_int_equal(proto_kind_of(lane, len, &kind), -EAGAIN);
    }
    assert_int_equal(proto_kind_of(other, 4, &kind), -ERR_PROTOCOL);
    assert_int_equal(proto_kind_of(other, 3, &kind), -ERR_PROTOCOL);
    assert_int_equal(proto_kind_of(http, 1, &kind), -ERR_PROTOCOL);
}

static void a_message_is_taken_only_when_it_is_whole(void **state)
{
    struct message_bytes packed;
    struct writer writer;
    Culvert__Ping ping;

    (void)state;
    culvert__ping__init(&ping);
    ping.sent_us = 123456789;
    writer_init(&writer, 64);
    assert_int_equal(message_pack(&writer, &ping.base, 64), 0);
    for (size_t len = 0; len < writer.len; len++)
        assert_int_equal(message_next(&packed, writer.bytes, len, 64), 0);
    assert_int_equal(message_next(&packed, writer.bytes, writer.len, 64), writer.len);
    assert_int_equal(packed.len, writer.len - MESSAGE_LENGTH);
    writer_fini(&writer);
}

static void a_length_of_nothing_or_past_the_limit_is_refused(void **state)
{
    static const uint8_t none[] = {0, 0, 0, 0}, most[] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t at[] = {0, 0, 0, 64}, past[] = {0, 0, 0, 65};
    struct message_bytes packed;

    (void)state;
    assert_int_equal(message_next(&packed, none, 4, 64), -ERR_PROTOCOL);
    assert_int_equal(message_next(&packed, most, 4, 64), -ERR_TOO_LONG);
    assert_int_equal(message_next(&packed, past, 4, 64), -ERR_TOO_LONG);
    assert_int_equal(message_next(&packed, at, 4, 64), 0);
}

static void a_message_that_is_large_in_memory_is_refused(void **state)
{
    static uint8_t bomb[MESSAGE_MAX_TO_AGENT];
    ProtobufCMessage *message;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(bomb); i += 2)
        bomb[i] = 0x0a; /* an empty Camera: two bytes here, a hundred in memory */
    message =
        message_unpack(&culvert__cameras__descriptor, (struct message_bytes){bomb, sizeof(bomb)});
    assert_null(message);
    message = message_unpack(&culvert__cameras__descriptor, (struct message_bytes){bomb, 2000});
    assert_non_null(message);
    message_free(message);
}

static void unknown_fields_are_skipped(void **state)
{
    /* sent_us = 5, then fields 100 (varint) and 101 (bytes) of a later version */
    static const uint8_t bytes[] = {0x08, 5, 0xa0, 0x06, 1, 0xaa, 0x06, 2, 'h', 'i'};
    const Culvert__Ping *ping;
    ProtobufCMessage *message =
        message_unpack(&culvert__ping__descriptor, (struct message_bytes){bytes, sizeof(bytes)});

    (void)state;
    assert_non_null(message);
    ping = (const Culvert__Ping *)(void *)message;
    assert_int_equal(ping->sent_us, 5);
    message_free(message);
}

static void versions_meet_or_not(void **state)
{
    Culvert__Versions versions;

    (void)state;
    culvert__versions__init(&versions);
    assert_int_equal(versions_choose(NULL), -ERR_VERSION);
    versions.lowest = 1;
    versions.highest = 1;
    assert_int_equal(versions_choose(&versions), 1);
    versions.highest = 9;
    assert_int_equal(versions_choose(&versions), 1);
    versions.lowest = 2;
    assert_int_equal(versions_choose(&versions), -ERR_VERSION);
    versions.lowest = 0;
    versions.highest = 0;
    assert_int_equal(versions_choose(&versions), -ERR_VERSION);
}

static void hello_and_enrol_sign_different_bytes(void **state)
{
    struct proto_proof proof = {.nonce = {1}, .exporter = {2}}, other = {.nonce = {3}};
    uint8_t seal_key[65] = {4}, hello[PROTO_SIGNED_MAX], enrol[PROTO_SIGNED_MAX];
    uint8_t again[PROTO_SIGNED_MAX];

    (void)state;
    assert_int_equal(proof_bytes(&proof, NULL, hello), 79);
    assert_int_equal(proof_bytes(&proof, seal_key, enrol), 144);
    assert_memory_not_equal(hello, enrol, 15);
    assert_int_equal(proof_bytes(&other, NULL, again), 79);
    assert_memory_not_equal(hello, again, 79);
}

static struct tracks *make_tracks(void)
{
    static const uint8_t config[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x68};
    struct tracks *tracks = tracks_new(3);

    tracks->generation = 3;
    tracks->wall_base_us = 1700000000000000;
    tracks->track[0] = (struct track){.codec = CODEC_H265,
                                      .clock_rate = 90000,
                                      .width = 3840,
                                      .height = 2160,
                                      .frame_rate_mhz = 29970,
                                      .has_b_frames = true,
                                      .config = buf_copy(config, sizeof(config))};
    tracks->track[1] = (struct track){.codec = CODEC_L16, .clock_rate = 44100, .channels = 2};
    tracks->track[2] = (struct track){.codec = CODEC_OPUS, .clock_rate = 48000, .channels = 2};
    return tracks;
}

static void tracks_go_there_and_back(void **state)
{
    struct tracks *tracks = make_tracks(), *got;
    struct writer writer;

    (void)state;
    writer_init(&writer, TRACKS_PACKED_MAX);
    assert_int_equal(tracks_pack(&writer, tracks), 0);
    assert_int_equal(tracks_unpack(&got, writer.bytes, writer.len), 0);
    assert_int_equal(got->count, 3);
    assert_int_equal(got->generation, 3);
    assert_int_equal(got->wall_base_us, tracks->wall_base_us);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(got->track[i].codec, tracks->track[i].codec);
        assert_int_equal(got->track[i].clock_rate, tracks->track[i].clock_rate);
        assert_int_equal(got->track[i].channels, tracks->track[i].channels);
        assert_int_equal(got->track[i].width, tracks->track[i].width);
        assert_int_equal(got->track[i].frame_rate_mhz, tracks->track[i].frame_rate_mhz);
        assert_int_equal(got->track[i].has_b_frames, tracks->track[i].has_b_frames);
    }
    assert_memory_equal(got->track[0].config->bytes, tracks->track[0].config->bytes, 11);
    assert_null(got->track[1].config);
    tracks_unref(got);
    tracks_unref(tracks);
    writer_fini(&writer);
}

static void packed_tracks_cut_or_changed_anywhere_do_no_harm(void **state)
{
    struct tracks *tracks = make_tracks(), *got;
    struct writer writer;
    uint8_t changed[256];

    (void)state;
    writer_init(&writer, TRACKS_PACKED_MAX);
    assert_int_equal(tracks_pack(&writer, tracks), 0);
    for (size_t len = 0; len < writer.len; len++)
        if (tracks_unpack(&got, writer.bytes, len) == 0)
            tracks_unref(got); /* a cut between two fields is a shorter message */
    for (size_t i = 0; i < writer.len; i++) {
        memcpy(changed, writer.bytes, writer.len);
        changed[i] ^= 0xff;
        if (tracks_unpack(&got, changed, writer.len) == 0)
            tracks_unref(got);
    }
    tracks_unref(tracks);
    writer_fini(&writer);
}

/* What becomes of tracks whose first track was made worse. */
static int repack(void (*spoil)(struct track *track))
{
    struct tracks *tracks = make_tracks(), *got = NULL;
    struct writer writer;
    int err;

    spoil(&tracks->track[0]);
    writer_init(&writer, TRACKS_PACKED_MAX);
    err = tracks_pack(&writer, tracks);
    if (err == 0)
        err = tracks_unpack(&got, writer.bytes, writer.len);
    if (err == 0)
        tracks_unref(got);
    tracks_unref(tracks);
    writer_fini(&writer);
    return err;
}

static void no_clock(struct track *track)
{
    track->clock_rate = 0;
}

static void fast_clock(struct track *track)
{
    track->clock_rate = 1000001;
}

static void huge_picture(struct track *track)
{
    track->width = 16385;
}

static void broken_config(struct track *track)
{
    track->config->bytes[3] = 200;
}

static void long_config(struct track *track)
{
    buf_unref(track->config);
    track->config = buf_new(PARAMETER_SETS_MAX_BYTES + 1);
    memset(track->config->bytes, 0, track->config->len);
}

static void nothing_wrong(struct track *track)
{
    (void)track;
}

static void tracks_out_of_range_are_refused(void **state)
{
    struct tracks *got;

    (void)state;
    assert_int_equal(repack(nothing_wrong), 0);
    assert_int_equal(repack(no_clock), -ERR_PROTOCOL);
    assert_int_equal(repack(fast_clock), -ERR_PROTOCOL);
    assert_int_equal(repack(huge_picture), -ERR_PROTOCOL);
    assert_int_equal(repack(broken_config), -ERR_PROTOCOL);
    assert_int_equal(repack(long_config), -ERR_PROTOCOL);
    assert_int_equal(tracks_unpack(&got, "", 0), -ERR_PROTOCOL);
}

static void a_codec_of_a_later_version_keeps_its_place(void **state)
{
    /* tracks { codec "AV9" clock_rate 0 } tracks { codec "PCMU" clock_rate 8000 } */
    static const uint8_t bytes[] = {0x1a, 5, 0x0a, 3,   'A', 'V', '9',  0x1a, 9,
                                    0x0a, 4, 'P',  'C', 'M', 'U', 0x10, 0xc0, 0x3e};
    struct tracks *got;

    (void)state;
    assert_int_equal(tracks_unpack(&got, bytes, sizeof(bytes)), 0);
    assert_int_equal(got->count, 2);
    assert_int_equal(got->track[0].codec, CODEC_NONE);
    assert_int_equal(got->track[1].codec, CODEC_PCMU);
    assert_int_equal(got->track[1].clock_rate, 8000);
    tracks_unref(got);
}

static void texts_are_made_fit_to_be_shown(void **state)
{
    char out[16];

    (void)state;
    assert_string_equal(text_clean(out, sizeof(out), "plain"), "plain");
    assert_string_equal(text_clean(out, sizeof(out), "a\nb\x1b[c\x7f"), "a?b?[c?");
    assert_string_equal(text_clean(out, sizeof(out),
                                   "K\xc3\xbc"
                                   "che"),
                        "K\xc3\xbc"
                        "che");
    assert_string_equal(text_clean(out, sizeof(out), "\xff\xc3(\xc0\x80"), "??"
                                                                           "("
                                                                           "??");
    assert_string_equal(text_clean(out, sizeof(out), "\xed\xa0\x80"), "???"); /* surrogate */
    assert_string_equal(text_clean(out, sizeof(out),
                                   "\xe2\x80\xae"
                                   "x"),
                        "???x"); /* bidi */
    assert_string_equal(text_clean(out, sizeof(out), "\xf0\x9f\x8e\xa5"), "\xf0\x9f\x8e\xa5");
    assert_string_equal(text_clean(out, sizeof(out), "\xf0\x9f\x8e"), "???");
    assert_string_equal(text_clean(out, sizeof(out), NULL), "");
    assert_string_equal(text_clean(out, 4, "ab\xc3\xbc"), "ab"); /* cut between characters */
    assert_string_equal(text_clean(out, 1, "ab"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_bytes_tell_what_a_connection_is),
        cmocka_unit_test(a_message_is_taken_only_when_it_is_whole),
        cmocka_unit_test(a_length_of_nothing_or_past_the_limit_is_refused),
        cmocka_unit_test(a_message_that_is_large_in_memory_is_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(versions_meet_or_not),
        cmocka_unit_test(hello_and_enrol_sign_different_bytes),
        cmocka_unit_test(tracks_go_there_and_back),
        cmocka_unit_test(packed_tracks_cut_or_changed_anywhere_do_no_harm),
        cmocka_unit_test(tracks_out_of_range_are_refused),
        cmocka_unit_test(a_codec_of_a_later_version_keeps_its_place),
        cmocka_unit_test(texts_are_made_fit_to_be_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
