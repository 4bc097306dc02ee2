#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"

enum { COUNT = 1000 };

struct item {
    char key[16];
    struct map_node node;
    int visits;
};

static struct item items[COUNT];

static void fill(struct map *map)
{
    assert_int_equal(map_init(map), 0);
    memset(items, 0, sizeof(items));
    for (int i = 0; i < COUNT; i++) {
        snprintf(items[i].key, sizeof(items[i].key), "key-%d", i);
        map_insert(map, &items[i].node, items[i].key);
    }
}

static void every_key_finds_its_node_and_no_other(void **state)
{
    struct map map;

    (void)state;
    fill(&map);
    assert_int_equal(map.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(map_find(&map, items[i].key), &items[i].node);
    assert_null(map_find(&map, "key-1000"));
    assert_null(map_find(&map, "key-"));
    assert_null(map_find(&map, ""));
    map_fini(&map);
}

static void a_removed_one_is_gone_and_the_others_stay(void **state)
{
    struct map map;

    (void)state;
    fill(&map);
    for (int i = 0; i < COUNT; i += 2)
        map_remove(&map, &items[i].node);
    map_remove(&map, &items[0].node);
    assert_int_equal(map.count, COUNT / 2);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(map_find(&map, items[i].key), i % 2 ? &items[i].node : NULL);
    map_fini(&map);
}

static void a_walk_meets_each_once_and_may_remove(void **state)
{
    struct map_node *node, *after;
    struct map map;
    int met = 0;

    (void)state;
    fill(&map);
    for (node = map_next(&map, NULL); node; node = after, met++) {
        after = map_next(&map, node);
        map_entry(node, struct item, node)->visits++;
        map_remove(&map, node);
    }
    assert_int_equal(met, COUNT);
    assert_int_equal(map.count, 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(items[i].visits, 1);
    assert_null(map_next(&map, NULL));
    map_fini(&map);
}

static void chains_stay_short(void **state)
{
    struct map map;
    size_t longest = 0;

    (void)state;
    fill(&map);
    for (size_t i = 0; i < map.room; i++) {
        size_t len = 0;

        for (struct map_node *node = map.chains[i]; node; node = node->next)
            len++;
        if (len > longest)
            longest = len;
    }
    assert_true(longest < 16);
    map_fini(&map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_finds_its_node_and_no_other),
        cmocka_unit_test(a_removed_one_is_gone_and_the_others_stay),
        cmocka_unit_test(a_walk_meets_each_once_and_may_remove),
        cmocka_unit_test(chains_stay_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
