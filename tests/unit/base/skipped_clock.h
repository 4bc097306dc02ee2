/* The machine's clocks, and what a test has skipped of them: libc's clock_gettime is replaced, for
 * our code and libev's. Skip, then let the loop turn: what is due by then happens. Include it in
 * one file of a program. */
#pragma once

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t skipped_us;

int clock_gettime(clockid_t id, struct timespec *out)
{
    long result = syscall(SYS_clock_gettime, id, out);
    int64_t us = out->tv_nsec / 1000 + skipped_us;

    out->tv_sec += us / 1000000;
    out->tv_nsec = us % 1000000 * 1000 + out->tv_nsec % 1000;
    return (int)result;
}
