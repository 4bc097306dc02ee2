/* media/bits.h: a cursor over bits, most significant first, as codec headers are written.
 *
 * The error is sticky, as base/reader.h's: past the end every read gives zero. Over a NAL unit
 * the emulation prevention bytes (00 00 03) are skipped on the way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits {
    const uint8_t *at, *end;
    unsigned left;  /* bits of the current byte not yet read */
    unsigned zeros; /* zero bytes just passed */
    bool is_nal, failed;
};

struct bits bits_of(const uint8_t *bytes, size_t len);
struct bits bits_of_nal(const uint8_t *bytes, size_t len);

/* The next count bits, 0 to 32. */
uint32_t bits_read(struct bits *bits, unsigned count);
static inline bool bits_flag(struct bits *bits)
{
    return bits_read(bits, 1) != 0;
}
void bits_skip(struct bits *bits, size_t count);

/* Exp-Golomb (H.264 section 9.1); a run of more than 31 zeros is an error. */
uint32_t bits_ue(struct bits *bits);
int32_t bits_se(struct bits *bits);

/* As bits_ue; a value above max is an error, and reads as 0. */
uint32_t bits_ue_max(struct bits *bits, uint32_t max);

/* How many whole bits are left, emulation prevention counted in. */
size_t bits_left(const struct bits *bits);
