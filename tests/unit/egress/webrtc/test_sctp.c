/* The data channel: against itself, against a viewer made of bytes, and hostile.md X1, X2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/loop.h"
#include "unit/egress/webrtc/sctp_peer.h"

static struct loop *loop;

static void on_open(void *owner)
{
    ((struct sctp_peer *)owner)->is_open = true;
}

static void on_over(void *owner)
{
    ((struct sctp_peer *)owner)->is_over = true;
}

static const struct sctp_handler handler = {peer_on_output, on_open, on_over};

static struct sctp_peer *peer_new(void)
{
    struct sctp_peer *peer = calloc(1, sizeof(*peer));

    assert_non_null(peer);
    assert_int_equal(sctp_open(&peer->sctp, loop, PEER_PORT, &handler, peer), 0);
    return peer;
}

static void peer_free(struct sctp_peer *peer)
{
    sctp_close(peer->sctp);
    loop_drain(loop);
    free(peer);
}

static void pass(unsigned ms)
{
    for (; ms >= 100; ms -= 100) {
        sctp_tick(100);
        loop_drain(loop);
    }
}

/* With our channel acknowledged. */
static struct sctp_peer *peer_new_open(void)
{
    struct sctp_peer *peer = peer_new();

    assert_int_equal(peer->chunks[PEER_DATA], 1);
    assert_int_equal(peer->ppid, 50);
    assert_int_equal(peer->stream, 15);
    assert_int_equal(peer->len, 19);
    assert_memory_equal(peer->message, "\3\0\1\0\0\0\0\0\0\7\0\0culvert", 19);
    assert_false(peer->is_open);
    peer_send_data(peer, (struct peer_head){3, 15, 0, 50}, "\2", 1);
    assert_true(peer->is_open);
    return peer;
}

static void a_viewer_gets_our_channel_and_text(void **state)
{
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    assert_int_equal(sctp_send_text(peer->sctp, "hello", 5), 0);
    assert_int_equal(peer->ppid, 51);
    assert_int_equal(peer->stream, 15);
    assert_int_equal(peer->len, 5);
    assert_memory_equal(peer->message, "hello", 5);
    assert_int_equal(sctp_send_text(peer->sctp, NULL, 0), 0);
    assert_int_equal(peer->ppid, 56);
    assert_false(peer->is_over);
    peer_free(peer);
}

/* ---- two of us ----------------------------------------------------------------------------------
 */

static struct pair {
    struct sctp *ends[2];
    bool is_open[2];
    unsigned packets;
    uint8_t last[2048];
    size_t last_len;
} pair;

static void pair_on_output(void *owner, const uint8_t *bytes, size_t len)
{
    unsigned to = owner == &pair.ends[0] ? 1 : 0;

    pair.packets++;
    assert_true(len <= 1200);
    if (to == 1)
        memcpy(pair.last, bytes, pair.last_len = len);
    if (pair.ends[to])
        sctp_input(pair.ends[to], bytes, len);
}

static void pair_on_open(void *owner)
{
    pair.is_open[owner == &pair.ends[1]] = true;
}

static void pair_on_over(void *owner)
{
    fail_msg("end %d is over", owner == &pair.ends[1]);
}

static void two_ends_open_their_channels_and_talk(void **state)
{
    static const struct sctp_handler ends = {pair_on_output, pair_on_open, pair_on_over};
    char text[60 * 1000];
    unsigned before;

    (void)state;
    memset(&pair, 0, sizeof(pair));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sctp_open(&pair.ends[i], loop, 5000, &ends, &pair.ends[i]), 0);
    pass(3000);
    assert_true(pair.is_open[0] && pair.is_open[1]);
    before = pair.packets;
    assert_int_equal(sctp_send_text(pair.ends[0], "hello", 5), 0);
    assert_int_equal(pair.packets, before + 1); /* in one packet, at once */
    assert_memory_equal(pair.last + 28, "hello", 5);
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < 20; i++) { /* all of it is taken, and thrown away */
        assert_int_equal(sctp_send_text(pair.ends[i % 2], text, sizeof(text)), 0);
        pass(1000);
    }
    sctp_close(pair.ends[0]);
    pair.ends[0] = NULL;
    sctp_close(pair.ends[1]);
    pass(500);
}

/* ---- the life of an association ----------------------------------------------------------------
 */

static void a_lost_beginning_is_sent_again(void **state)
{
    struct sctp_peer *peer = calloc(1, sizeof(*peer));

    (void)state;
    assert_non_null(peer);
    peer->is_mute = true;
    assert_int_equal(sctp_open(&peer->sctp, loop, PEER_PORT, &handler, peer), 0);
    assert_int_equal(peer->chunks[PEER_INIT], 1);
    pass(1500);
    assert_int_equal(peer->chunks[PEER_INIT], 2);
    peer->is_mute = false;
    pass(3000);
    assert_int_equal(peer->chunks[PEER_DATA], 1);
    peer_free(peer);
}

static void a_viewer_that_never_answers_is_given_up(void **state)
{
    struct sctp_peer *peer = calloc(1, sizeof(*peer));

    (void)state;
    assert_non_null(peer);
    peer->is_mute = true;
    assert_int_equal(sctp_open(&peer->sctp, loop, PEER_PORT, &handler, peer), 0);
    pass(60 * 1000);
    assert_in_range(peer->chunks[PEER_INIT], 5, 10);
    assert_true(peer->is_over);
    assert_int_equal(sctp_send_text(peer->sctp, "x", 1), -ERR_CLOSED);
    peer_free(peer);
}

static void a_viewers_abort_is_told_once(void **state)
{
    static const uint8_t abort_chunk[] = {PEER_ABORT, 0, 0, 4};
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    peer_send(peer, abort_chunk, sizeof(abort_chunk));
    assert_true(peer->is_over);
    peer->is_over = false;
    peer_send(peer, abort_chunk, sizeof(abort_chunk));
    assert_int_equal(sctp_send_text(peer->sctp, "x", 1), -ERR_CLOSED);
    pass(1000);
    assert_false(peer->is_over);
    peer_free(peer);
}

static void a_viewer_that_takes_nothing_costs_a_bounded_buffer(void **state)
{
    struct sctp_peer *peer = peer_new_open();
    static char text[64 * 1024 + 1];
    unsigned taken = 0;
    int err;

    (void)state;
    assert_int_equal(sctp_send_text(peer->sctp, text, sizeof(text)), -ERR_TOO_LONG);
    peer->is_mute = true;
    do
        err = sctp_send_text(peer->sctp, text, 1000);
    while (!err && taken++ < 1000);
    assert_int_equal(err, -EAGAIN);
    assert_in_range(taken, 40, 66);
    pass(120 * 1000);
    assert_true(peer->is_over);
    peer_free(peer);
}

static void close_on_open(void *owner)
{
    struct sctp_peer *peer = owner;

    sctp_close(peer->sctp);
    peer->is_open = true;
}

static void it_may_be_closed_from_its_own_callback(void **state)
{
    static const struct sctp_handler closing = {peer_on_output, close_on_open, on_over};
    struct sctp_peer *peer = calloc(1, sizeof(*peer));
    unsigned packets;

    (void)state;
    assert_non_null(peer);
    assert_int_equal(sctp_open(&peer->sctp, loop, PEER_PORT, &closing, peer), 0);
    packets = peer->chunks[PEER_ABORT];
    peer_send_data(peer, (struct peer_head){3, 15, 0, 50}, "\2", 1);
    assert_true(peer->is_open);
    memset(peer->chunks, 0, sizeof(peer->chunks));
    pass(5000);
    for (unsigned i = 0; i < 256; i++)
        packets += peer->chunks[i];
    assert_int_equal(packets, 0);
    assert_false(peer->is_over);
    free(peer);
    sctp_close(NULL);
}

static void *tick_elsewhere(void *unused)
{
    for (unsigned i = 0; i < 15; i++)
        sctp_tick(100);
    return unused;
}

static void what_timers_want_on_another_thread_waits_for_the_loop(void **state)
{
    struct sctp_peer *peer = calloc(1, sizeof(*peer));
    struct sctp *closed;
    pthread_t thread;

    (void)state;
    assert_non_null(peer);
    peer->is_mute = true;
    assert_int_equal(sctp_open(&closed, loop, PEER_PORT, &handler, peer), 0);
    assert_int_equal(sctp_open(&peer->sctp, loop, PEER_PORT, &handler, peer), 0);
    peer->chunks[PEER_INIT] = 0;
    assert_int_equal(pthread_create(&thread, NULL, tick_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(peer->chunks[PEER_INIT], 0);
    sctp_close(closed); /* with a packet on its way */
    loop_drain(loop);
    assert_int_equal(peer->chunks[PEER_INIT], 1);
    peer_free(peer);
}

static void *tick_all_the_while(void *is_done)
{
    while (!*(atomic_bool *)is_done)
        sctp_tick(100);
    return NULL;
}

/* For ThreadSanitizer and ASan: associations come and go while their timers run elsewhere. */
static void associations_come_and_go_under_foreign_timers(void **state)
{
    atomic_bool is_done = false;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, tick_all_the_while, &is_done), 0);
    for (unsigned i = 0; i < 300; i++) {
        struct sctp_peer *peer = peer_new();

        peer->is_mute = i % 3 == 0;
        peer_send_data(peer, (struct peer_head){3, 15, 0, 50}, "\2", 1);
        (void)!sctp_send_text(peer->sctp, "hello", 5);
        loop_drain(loop);
        peer_free(peer);
    }
    is_done = true;
    pthread_join(thread, NULL);
}

static size_t come_and_go(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        peer_free(peer_new_open());
    pass(60 * 1000);
    return mallinfo2().uordblks; /* 0 under ASan: there leaks tell */
}

static void closed_associations_leave_nothing(void **state)
{
    size_t before = come_and_go(100);

    (void)state;
    assert_true(come_and_go(1000) < before + 16 * 1024);
}

/* ---- the viewer's channels ----------------------------------------------------------------------
 */

/* A message on a stream's first turn. */
static void send_first(struct sctp_peer *peer, uint16_t stream, const void *bytes, size_t len)
{
    peer_send_data(peer, (struct peer_head){3, stream, 0, 50}, bytes, len);
}

static const uint8_t chat[] = {3, 0, 0,   0,   0,   0,   0,   0,   0,  4,
                               0, 3, 'c', 'h', 'a', 't', 'r', 'a', 'w'};

static void eight_channels_are_taken_and_no_more(void **state)
{
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    for (uint16_t stream = 0; stream < 16; stream = (uint16_t)(stream + 2)) {
        peer->ppid = 0;
        send_first(peer, stream, chat, sizeof(chat));
        assert_int_equal(peer->ppid, 50);
        assert_int_equal(peer->stream, stream);
        assert_memory_equal(peer->message, "\2", 1);
    }
    peer->ppid = 0;
    send_first(peer, 3, chat, sizeof(chat));
    assert_int_equal(peer->ppid, 0);
    assert_int_equal(peer->reset_streams, 1 << 3);
    assert_int_equal(sctp_send_text(peer->sctp, "still here", 10), 0);
    assert_int_equal(peer->ppid, 51);
    peer_free(peer);
}

/* The viewer resets its outgoing stream (RFC 6525 section 4.1). */
static void viewer_closes(struct sctp_peer *peer, uint16_t stream, uint32_t request)
{
    uint8_t chunk[24] = {PEER_RECONFIG, 0, 0, 22, 0, 13, 0, 18}, *at = chunk + 8;

    at = peer_put(at, 999 + request, 4);
    at = peer_put(at, 0, 4);
    at = peer_put(at, peer->next_tsn - 1, 4);
    peer_put(at, stream, 2);
    peer_send(peer, chunk, sizeof(chunk));
}

static void a_channel_that_the_viewer_closes_is_closed_by_us(void **state)
{
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    send_first(peer, 2, chat, sizeof(chat));
    viewer_closes(peer, 2, 1);
    assert_int_equal(peer->reset_streams, 1 << 2);
    assert_int_equal(sctp_send_text(peer->sctp, "x", 1), 0);
    peer_free(peer);
    peer = peer_new_open();
    viewer_closes(peer, 0x3f00, 1); /* none of those there are */
    assert_int_equal(peer->reset_streams, 0);
    viewer_closes(peer, 15, 2); /* ours */
    assert_int_equal(peer->reset_streams, 1 << 15);
    assert_int_equal(sctp_send_text(peer->sctp, "x", 1), -ERR_CLOSED);
    assert_false(peer->is_over);
    peer_free(peer);
}

static void x2_an_open_that_lies_of_its_lengths_is_refused(void **state)
{
    uint8_t bytes[sizeof(chat)];

    (void)state;
    for (size_t len = 1; len <= sizeof(chat) + 2; len++) {
        struct sctp_peer *peer = peer_new_open();

        memcpy(bytes, chat, sizeof(chat));
        if (len > sizeof(chat)) /* the label's, then the protocol's */
            bytes[len == sizeof(chat) + 1 ? 8 : 11] = 0xff;
        peer->ppid = 0;
        send_first(peer, 2, bytes, len < sizeof(chat) ? len : sizeof(chat));
        assert_int_equal(peer->ppid, len == sizeof(chat) ? 50 : 0);
        assert_int_equal(peer->reset_streams, len == sizeof(chat) ? 0 : 1 << 2);
        peer_free(peer);
    }
}

static void x2_streams_beyond_those_agreed_are_not_taken(void **state)
{
    static const uint16_t streams[] = {16, 17, 255, 1023, 65534, 65535};
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    peer->ppid = 0;
    for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        send_first(peer, streams[i], chat, sizeof(chat));
    assert_int_equal(peer->ppid, 0);
    peer_free(peer);
}

static void what_is_no_dcep_is_thrown_away(void **state)
{
    static const uint32_t ppids[] = {0, 51, 53, 54, 56, 57, 0xffffffff};
    struct sctp_peer *peer = peer_new_open();

    (void)state;
    peer->ppid = 0;
    for (uint16_t i = 0; i < sizeof(ppids) / sizeof(ppids[0]); i++)
        peer_send_data(peer, (struct peer_head){3, 2, i, ppids[i]}, chat, sizeof(chat));
    send_first(peer, 4, "\7", 1); /* no kind of DCEP's */
    assert_int_equal(peer->ppid, 0);
    assert_int_equal(peer->reset_streams, 0);
    send_first(peer, 6, chat, sizeof(chat));
    assert_int_equal(peer->ppid, 50);
    peer_free(peer);
}

static void x2_a_message_that_never_ends_does_not_accumulate(void **state)
{
    static uint8_t piece[1000];
    struct sctp_peer *peer = peer_new_open();
    size_t before = 0;

    (void)state;
    memcpy(piece, chat, sizeof(chat));
    for (unsigned i = 0; i < 4000; i++) { /* 4 MB */
        peer_send_data(peer, (struct peer_head){i == 0 ? 2 : 0, 2, 0, 50}, piece, sizeof(piece));
        if (i % 10 == 9)
            pass(100);
        if (i == 200)
            before = mallinfo2().uordblks; /* 0 under ASan: there the window alone tells */
    }
    assert_true(mallinfo2().uordblks < before + 64 * 1024);
    peer_send_data(peer, (struct peer_head){1, 2, 0, 50}, piece, 4);
    peer->ppid = 0;
    send_first(peer, 4, chat, sizeof(chat)); /* only if all before was taken */
    assert_int_equal(peer->ppid, 50);
    assert_int_equal(peer->stream, 4);
    peer_free(peer);
}

/* ---- X1: chunks
 * ---------------------------------------------------------------------------------- */

/* clang-format off */
static const uint8_t chunk_kinds[] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 64, 128, 129, 130, 132, 192, 193, 194, 255
};
/* clang-format on */

/* Each kind with nonsense in it, cut at every four bytes, its length true or a lie. */
static void x1_nonsense_of_every_kind_harms_only_its_own(void **state)
{
    struct sctp_peer *other = peer_new_open();

    (void)state;
    for (unsigned i = 0; i < sizeof(chunk_kinds); i++)
        for (uint8_t len = 4; len <= 64; len = (uint8_t)(len + 4)) {
            struct sctp_peer *peer = peer_new_open();
            uint8_t bytes[64];

            for (uint8_t fill = 0; fill < 4; fill++) {
                static const uint8_t fills[] = {0, 0xff, 0x80, 4};

                memset(bytes, fills[fill], sizeof(bytes));
                bytes[0] = chunk_kinds[i];
                bytes[2] = fill == 1 ? 0xff : 0;
                bytes[3] = len;
                peer_send(peer, bytes, len);
            }
            peer_free(peer);
        }
    assert_int_equal(sctp_send_text(other->sctp, "still here", 10), 0);
    assert_memory_equal(other->message, "still here", 10);
    assert_false(other->is_over);
    peer_free(other);
    pass(1000);
}

static void x1_floods_end_in_nothing(void **state)
{
    static const uint8_t reconfig[24] = {130, 0, 0, 22, 0, 13, 0, 18, 0, 0, 3, 232};
    static const uint8_t forward[8] = {192, 0, 0, 8, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t cookie[12] = {10, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8};
    struct sctp_peer *peer = peer_new_open();
    uint32_t tsn = peer->next_tsn;

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        viewer_closes(peer, (uint16_t)(i % 16), i + 1);
        peer_send(peer, reconfig, sizeof(reconfig));
        peer_send(peer, forward, sizeof(forward));
        peer_send(peer, cookie, sizeof(cookie));
        peer->next_tsn = tsn + i * 7919; /* ahead, behind, again */
        peer_send_data(
            peer, (struct peer_head){(uint8_t)(i % 4), (uint16_t)(i % 16), (uint16_t)(i % 5), 50},
            chat, sizeof(chat));
        if (i % 50 == 0)
            pass(100);
    }
    peer_free(peer);
    pass(1000);
}

static void packets_of_no_association_are_nothing(void **state)
{
    struct sctp_peer *peer = peer_new_open();
    uint8_t bytes[64] = {0};

    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++)
        sctp_input(peer->sctp, bytes, len); /* a wrong sum */
    peer->tag ^= 1;
    send_first(peer, 2, chat, sizeof(chat));
    peer->tag ^= 1;
    assert_false(peer->is_over);
    assert_int_equal(sctp_send_text(peer->sctp, "x", 1), 0);
    peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_gets_our_channel_and_text),
        cmocka_unit_test(two_ends_open_their_channels_and_talk),
        cmocka_unit_test(a_lost_beginning_is_sent_again),
        cmocka_unit_test(a_viewer_that_never_answers_is_given_up),
        cmocka_unit_test(a_viewers_abort_is_told_once),
        cmocka_unit_test(a_viewer_that_takes_nothing_costs_a_bounded_buffer),
        cmocka_unit_test(it_may_be_closed_from_its_own_callback),
        cmocka_unit_test(what_timers_want_on_another_thread_waits_for_the_loop),
        cmocka_unit_test(associations_come_and_go_under_foreign_timers),
        cmocka_unit_test(closed_associations_leave_nothing),
        cmocka_unit_test(eight_channels_are_taken_and_no_more),
        cmocka_unit_test(a_channel_that_the_viewer_closes_is_closed_by_us),
        cmocka_unit_test(x2_an_open_that_lies_of_its_lengths_is_refused),
        cmocka_unit_test(x2_streams_beyond_those_agreed_are_not_taken),
        cmocka_unit_test(what_is_no_dcep_is_thrown_away),
        cmocka_unit_test(x2_a_message_that_never_ends_does_not_accumulate),
        cmocka_unit_test(x1_nonsense_of_every_kind_harms_only_its_own),
        cmocka_unit_test(x1_floods_end_in_nothing),
        cmocka_unit_test(packets_of_no_association_are_nothing),
    };
    int failed;

    if (sctp_start() || loop_new(&loop, 0))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    sctp_stop();
    loop_free(loop);
    return failed;
}
