/* STUN messages as a viewer would make them, right and wrong, for tests. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "net/addr.h"

enum { BUILT_MAX = 4096, TYPE_REQUEST = 0x0001, TYPE_INDICATION = 0x0011 };
enum {
    AT_USERNAME = 0x0006,
    AT_INTEGRITY = 0x0008,
    AT_PRIORITY = 0x0024,
    AT_USE_CANDIDATE = 0x0025,
    AT_FINGERPRINT = 0x8028,
    AT_CONTROLLED = 0x8029,
    AT_CONTROLLING = 0x802a
};

struct built {
    uint8_t bytes[BUILT_MAX];
    size_t len;
};

static inline void built_uint(struct built *built, uint64_t value, size_t len)
{
    for (size_t i = len; i > 0; i--)
        built->bytes[built->len++] = (uint8_t)(value >> 8 * (i - 1));
}

/* The length field, as if extra more bytes followed. */
static inline void built_set_length(struct built *built, size_t extra)
{
    size_t counted = built->len - 20 + extra;

    built->bytes[2] = (uint8_t)(counted >> 8);
    built->bytes[3] = (uint8_t)counted;
}

static inline struct built built_begin(uint16_t type)
{
    struct built built = {.len = 0};

    built_uint(&built, type, 2);
    built_uint(&built, 0, 2);
    built_uint(&built, 0x2112a442, 4);
    for (uint8_t i = 0; i < 12; i++)
        built_uint(&built, 0xb0u + i, 1);
    return built;
}

static inline void built_attribute(struct built *built, uint16_t type, const void *value,
                                   size_t len)
{
    built_uint(built, type, 2);
    built_uint(built, len, 2);
    if (len > 0)
        memcpy(built->bytes + built->len, value, len);
    built->len += len;
    while (built->len % 4 != 0)
        built_uint(built, 0x20, 1);
    built_set_length(built, 0);
}

static inline void built_number(struct built *built, uint16_t type, uint64_t value, size_t len)
{
    built_uint(built, type, 2);
    built_uint(built, len, 2);
    built_uint(built, value, len);
    built_set_length(built, 0);
}

static inline void built_integrity(struct built *built, const char *password)
{
    struct hmac_key key = {password, strlen(password)};
    uint8_t sum[SHA1_BYTES];

    built_set_length(built, 24);
    if (hmac_sha1_make(key, built->bytes, built->len, sum) < 0)
        abort();
    built_attribute(built, AT_INTEGRITY, sum, sizeof(sum));
}

/* Bit by bit, so that a mistake in the table of stun.c is seen. */
static inline uint32_t built_crc(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = (crc ^ (uint32_t)bytes[i / 8] >> i % 8) & 1;

        crc = crc >> 1 ^ (bit ? 0xedb88320 : 0);
    }
    return ~crc;
}

static inline void built_fingerprint(struct built *built)
{
    built_set_length(built, 8);
    built_number(built, AT_FINGERPRINT, built_crc(built->bytes, built->len) ^ 0x5354554e, 4);
}

static inline struct addr built_addr(const char *text)
{
    struct addr addr;

    if (addr_parse(&addr, text) < 0)
        abort();
    return addr;
}
