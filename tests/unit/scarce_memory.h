/* unit/scarce_memory.h: memory that runs out when told, for tests/unit/.../test_memory.c.
 *
 * malloc and its kin are wrapped by the linker (tests/unit/sources.mk). One run has memory for n
 * allocations, fails the next one, and has plenty again: whoever wanted it must do without.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);

static long memory_left = -1; /* allocations that succeed; negative: all */

static int is_refused(void)
{
    return memory_left >= 0 && memory_left-- == 0;
}

void *__wrap_malloc(size_t len)
{
    return is_refused() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return is_refused() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return is_refused() ? NULL : __real_realloc(old, len);
}

/* Memory for so many allocations from now on; negative: as many as it likes. */
static inline void memory_is_for(long allocations)
{
    memory_left = allocations;
}

/* As much as ever again; whether the one allocation that fails was reached. */
static inline bool memory_ran_out(long allocations)
{
    bool has_failed = allocations >= 0 && memory_left < 0;

    memory_left = -1;
    return has_failed;
}

/* run with plenty (-1), then with none, one, two … allocations until it needs no more. It calls
 * memory_is_for before what is tried, and returns memory_ran_out. The sanitizer finds the leaks. */
static inline void fail_each(bool (*run)(long allocations), long at_least)
{
    long allocations = 0;

    assert_false(run(-1));
    while (run(allocations))
        allocations++;
    assert_true(allocations >= at_least);
}
