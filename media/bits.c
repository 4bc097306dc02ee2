#include "media/bits.h"

struct bits bits_of(const uint8_t *bytes, size_t len)
{
    return (struct bits){.at = bytes, .end = bytes + len, .left = 8};
}

struct bits bits_of_nal(const uint8_t *bytes, size_t len)
{
    struct bits bits = bits_of(bytes, len);

    bits.is_nal = true;
    return bits;
}

static void next_byte(struct bits *bits)
{
    bits->zeros = *bits->at ? 0 : bits->zeros + 1;
    bits->at++;
    bits->left = 8;
    if (bits->is_nal && bits->zeros >= 2 && bits->at < bits->end && *bits->at == 3) {
        bits->at++;
        bits->zeros = 0;
    }
}

uint32_t bits_read(struct bits *bits, unsigned count)
{
    uint32_t value = 0;

    while (count) {
        unsigned take = count < bits->left ? count : bits->left;

        if (bits->failed || bits->at >= bits->end) {
            bits->failed = true;
            return 0;
        }
        bits->left -= take;
        value = value << take | ((uint32_t)*bits->at >> bits->left & ((1u << take) - 1));
        count -= take;
        if (!bits->left)
            next_byte(bits);
    }
    return value;
}

void bits_skip(struct bits *bits, size_t count)
{
    for (; count > 32 && !bits->failed; count -= 32)
        bits_read(bits, 32);
    bits_read(bits, count > 32 ? 32 : (unsigned)count);
}

uint32_t bits_ue(struct bits *bits)
{
    unsigned zeros = 0;
    uint32_t rest;

    while (!bits->failed && !bits_flag(bits))
        zeros++;
    if (bits->failed || zeros > 31) {
        bits->failed = true;
        return 0;
    }
    rest = bits_read(bits, zeros);
    return bits->failed ? 0 : (1u << zeros) - 1 + rest;
}

int32_t bits_se(struct bits *bits)
{
    uint32_t code = bits_ue(bits);

    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}

uint32_t bits_ue_max(struct bits *bits, uint32_t max)
{
    uint32_t value = bits_ue(bits);

    if (value <= max)
        return value;
    bits->failed = true;
    return 0;
}

size_t bits_left(const struct bits *bits)
{
    if (bits->failed || bits->at >= bits->end)
        return 0;
    return (size_t)(bits->end - bits->at - 1) * 8 + bits->left;
}
