#include "http/h2_guard.h"

#include <string.h>

enum { WINDOW_US = 10 * 1000 * 1000, CHEAP_LIMIT = 1000, EARNED_EACH = 4, PREFACE_BYTES = 24 };

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

void h2_walk_init(struct h2_walk *walk)
{
    *walk = (struct h2_walk){.preface_left = PREFACE_BYTES};
}

static size_t take(size_t *left, size_t len)
{
    size_t taken = *left < len ? *left : len;

    *left -= taken;
    return taken;
}

size_t h2_walk_next(struct h2_walk *walk, const uint8_t *bytes, size_t len,
                    struct h2_frame_head *head, bool *has_head)
{
    const uint8_t *at = walk->head;
    size_t used = sizeof(walk->head) - walk->head_len;

    *has_head = false;
    if (walk->preface_left)
        return take(&walk->preface_left, len);
    if (walk->payload_left)
        return take(&walk->payload_left, len);
    if (used > len)
        used = len;
    memcpy(walk->head + walk->head_len, bytes, used);
    walk->head_len += used;
    if (walk->head_len < sizeof(walk->head))
        return used;
    walk->head_len = 0;
    walk->payload_left = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    head->type = at[3];
    head->flags = at[4];
    head->stream_id = (int32_t)((uint32_t)(at[5] & 0x7f) << 24 | (uint32_t)at[6] << 16 |
                                (uint32_t)at[7] << 8 | at[8]);
    *has_head = true;
    return used + take(&walk->payload_left, len - used);
}

void h2_resets_add(struct h2_resets *resets, int32_t stream_id)
{
    resets->ids[resets->next++ % (sizeof(resets->ids) / sizeof(resets->ids[0]))] = stream_id;
}

bool h2_resets_has(const struct h2_resets *resets, int32_t stream_id)
{
    for (size_t i = 0; i < sizeof(resets->ids) / sizeof(resets->ids[0]); i++)
        if (resets->ids[i] == stream_id)
            return true;
    return false;
}
