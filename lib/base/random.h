/* base/random.h: randomness from the kernel, good for keys. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills bytes; the process ends if the kernel has no randomness (it always has). */
void random_bytes(void *bytes, size_t len);
uint64_t random_u64(void);

/* Evenly in [0, below); 0 when below is 0. */
uint64_t random_below(uint64_t below);
