#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"

static void a_copy_is_its_own(void **state)
{
    char text[] = "abc";
    struct buf *buf = buf_copy(text, 3);

    (void)state;
    text[0] = 'x';
    assert_int_equal(buf->len, 3);
    assert_memory_equal(buf->bytes, "abc", 3);
    buf_unref(buf);
}

static void an_empty_one_and_null_are_fine(void **state)
{
    struct buf *buf = buf_copy(NULL, 0);

    (void)state;
    assert_non_null(buf);
    assert_int_equal(buf->len, 0);
    buf_unref(buf);
    assert_null(buf_ref(NULL));
    buf_unref(NULL);
}

static void a_length_that_wraps_gives_null(void **state)
{
    (void)state;
    assert_null(buf_new(SIZE_MAX));
    assert_null(buf_new(SIZE_MAX - sizeof(struct buf) + 1));
}

static void *ref_and_unref(void *owner)
{
    for (int i = 0; i < 20000; i++)
        buf_unref(buf_ref(owner));
    buf_unref(owner);
    return NULL;
}

static void threads_may_share_one(void **state)
{
    struct buf *buf = buf_copy("shared", 6);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, buf_ref(buf)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(buf->refs, 1);
    buf_unref(buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(an_empty_one_and_null_are_fine),
        cmocka_unit_test(a_length_that_wraps_gives_null),
        cmocka_unit_test(threads_may_share_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
