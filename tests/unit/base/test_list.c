#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int number;
    struct list link;
};

static struct item items[5];

static void fill(struct list *list)
{
    list_init(list);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_append(list, &items[i].link);
    }
}

static int sum(struct list *list)
{
    int digits = 0;

    list_for_each (link, after, list)
        digits = digits * 10 + list_entry(link, struct item, link)->number + 1;
    return digits;
}

static void members_keep_their_order(void **state)
{
    struct list list;

    (void)state;
    fill(&list);
    assert_int_equal(sum(&list), 12345);
    list_remove(&items[2].link);
    assert_int_equal(sum(&list), 1245);
    list_append(&list, &items[2].link);
    assert_int_equal(sum(&list), 12453);
}

static void a_link_may_be_removed_twice(void **state)
{
    struct list list;

    (void)state;
    fill(&list);
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    assert_true(list_is_empty(&items[0].link));
    assert_int_equal(sum(&list), 2345);
}

static void the_current_member_may_go_inside_a_walk(void **state)
{
    struct list list;

    (void)state;
    fill(&list);
    list_for_each (link, after, &list)
        if (list_entry(link, struct item, link)->number % 2 == 0)
            list_remove(link);
    assert_int_equal(sum(&list), 24);
}

static void a_list_moves_whole(void **state)
{
    struct list from, to;

    (void)state;
    fill(&from);
    list_move(&to, &from);
    assert_true(list_is_empty(&from));
    assert_int_equal(sum(&to), 12345);
    list_move(&to, &from);
    assert_true(list_is_empty(&to));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(a_link_may_be_removed_twice),
        cmocka_unit_test(the_current_member_may_go_inside_a_walk),
        cmocka_unit_test(a_list_moves_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
