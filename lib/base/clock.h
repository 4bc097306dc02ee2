/* base/clock.h: the time. Code that must be testable takes the time as a parameter. */
#pragma once

#include <stdint.h>

/* Microseconds on the monotonic clock. */
int64_t clock_mono_us(void);

/* Microseconds since 1970-01-01 UTC, on the system's wall clock. */
int64_t clock_wall_us(void);
