#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/out_queue.h"

static void push(struct out_queue *queue, const char *text)
{
    struct buf *buf = buf_copy(text, strlen(text));

    assert_non_null(buf);
    assert_int_equal(out_queue_push(queue, buf, 0, buf->len), 0);
    buf_unref(buf);
}

static void pieces_come_out_in_order_across_the_rings_end(void **state)
{
    struct out_queue queue = {.pieces = NULL};
    uint8_t got[4096];
    size_t from = 0, to = 0;

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        char text[3] = {(char)('a' + to % 26), (char)('a' + (to + 1) % 26)};

        push(&queue, text);
        to += 2;
        if (round % 3 == 0)
            continue;
        got[0] = 0;
        assert_int_equal(out_queue_copy(&queue, got, 1), 1);
        assert_int_equal(got[0], 'a' + from % 26);
        out_queue_consume(&queue, 1);
        from++;
        assert_int_equal(queue.bytes, to - from);
    }
    assert_int_equal(out_queue_copy(&queue, got, sizeof(got)), to - from);
    for (size_t i = from; i < to; i++)
        assert_int_equal(got[i - from], 'a' + i % 26);
    out_queue_consume(&queue, to - from);
    assert_null(queue.pieces); /* empty: no memory */
}

static void gathered_pieces_are_the_same_bytes_without_a_copy(void **state)
{
    struct buf *buf = buf_copy("0123456789", 10);
    struct out_queue queue = {.pieces = NULL};
    struct iovec pieces[4];
    size_t len;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(out_queue_push(&queue, buf, i, 2), 0);
    assert_int_equal(buf->refs, 10);
    assert_int_equal(out_queue_gather(&queue, pieces, 4), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(pieces[i].iov_base, buf->bytes + i);
        assert_int_equal(pieces[i].iov_len, 2);
    }
    out_queue_consume(&queue, 3);
    assert_ptr_equal(out_queue_front(&queue, &len), buf->bytes + 2);
    assert_int_equal(len, 1);
    assert_int_equal(buf->refs, 9);
    out_queue_fini(&queue);
    assert_int_equal(buf->refs, 1);
    assert_null(out_queue_front(&queue, &len));
    assert_int_equal(len, 0);
    out_queue_consume(&queue, 5); /* more than there is */
    assert_true(out_queue_cost(&queue) == 0);
    buf_unref(buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_out_in_order_across_the_rings_end),
        cmocka_unit_test(gathered_pieces_are_the_same_bytes_without_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
