#include "http/h2_guard.h"

enum { WINDOW_US = 10 * 1000 * 1000, CHEAP_LIMIT = 1000, EARNED_EACH = 4 };

void h2_guard_init(struct h2_guard *guard, unsigned bad_limit, int64_t now_us)
{
    *guard = (struct h2_guard){.window_start_us = now_us, .bad_limit = bad_limit};
}

static void roll(struct h2_guard *guard, int64_t now_us)
{
    if (now_us - guard->window_start_us < WINDOW_US)
        return;
    /* What was earned in the last window is still being acknowledged in this one. */
    guard->earned = guard->earned > guard->cheap ? guard->earned - guard->cheap : 0;
    guard->bad = 0;
    guard->cheap = 0;
    guard->window_start_us = now_us;
}

bool h2_guard_bad(struct h2_guard *guard, int64_t now_us)
{
    roll(guard, now_us);
    return ++guard->bad <= guard->bad_limit;
}

bool h2_guard_cheap(struct h2_guard *guard, int64_t now_us)
{
    roll(guard, now_us);
    return ++guard->cheap <= CHEAP_LIMIT + guard->earned;
}

void h2_guard_earn(struct h2_guard *guard)
{
    if (guard->earned < UINT32_MAX / 2)
        guard->earned += EARNED_EACH;
}
