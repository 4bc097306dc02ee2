/* What is counted for each viewer, as /metrics shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "egress/srt/figures.h"

static char text[256 * 1024];

static const char *written(void)
{
    struct writer out;

    writer_init(&out, sizeof(text) - 1);
    figures_write(&out);
    assert_int_equal(out.err, 0);
    memcpy(text, out.bytes, out.len);
    text[out.len] = '\0';
    writer_fini(&out);
    return text;
}

static void a_viewer_is_shown_while_it_is_there(void **state)
{
    struct figures_place *place = figures_enter("00f0000000000001");
    static const struct figures figures = {
        .sent = 12, .retransmitted = 3, .dropped = 2, .rtt_us = 4567};

    (void)state;
    assert_non_null(place);
    assert_non_null(strstr(written(), "packets_total{viewer=\"00f0000000000001\"} 0\n"));
    figures_show(place, &figures);
    assert_non_null(strstr(written(), "packets_total{viewer=\"00f0000000000001\"} 12\n"));
    assert_non_null(strstr(text, "retransmitted_total{viewer=\"00f0000000000001\"} 3\n"));
    assert_non_null(strstr(text, "dropped_total{viewer=\"00f0000000000001\"} 2\n"));
    assert_non_null(strstr(text, "round_trip_us{viewer=\"00f0000000000001\"} 4567\n"));
    figures_leave(place);
    assert_null(strstr(written(), "viewer=\""));
}

static void beyond_its_places_nobody_is_shown_and_all_fit(void **state)
{
    static const struct figures largest = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    struct figures_place *taken[FIGURES_PLACES];

    (void)state;
    for (unsigned i = 0; i < FIGURES_PLACES; i++) {
        taken[i] = figures_enter("ffffffffffffffff");
        assert_non_null(taken[i]);
        figures_show(taken[i], &largest);
    }
    assert_null(figures_enter("0000000000000001"));
    figures_show(NULL, &largest);
    figures_leave(NULL);
    (void)written();
    for (unsigned i = 0; i < FIGURES_PLACES; i++)
        figures_leave(taken[i]);
    assert_null(figures_enter("0000000000000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_is_shown_while_it_is_there),
        cmocka_unit_test(beyond_its_places_nobody_is_shown_and_all_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
