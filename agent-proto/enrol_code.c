#include "agent-proto/enrol_code.h"

#include <stdbool.h>
#include <string.h>

#include "base/reader.h"

enum { CODE_VERSION = 1, FIXED = 1 + ENROL_SECRET + ENROL_PIN + 2, CRC = 4 };
enum { PACKED_MAX = FIXED + ENROL_HOST + CRC };

static const char prefix[] = "CULVERT-";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-32 (ISO 3309): it only tells a slip of the pen. */
static uint32_t crc_of(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* A name, an IPv4 or an IPv6 address, by its characters. */
static bool is_host(const char *host, size_t len)
{
    if (len == 0 || len >= ENROL_HOST)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = host[i];
        bool is_ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == ':' || c == '_' || c == '%';

        if (!is_ok)
            return false;
    }
    return true;
}

static size_t put_uint(uint8_t *to, uint32_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    return len;
}

/* Writes 8 characters for each 5 bytes; the last group is cut where its bits end. */
static void base32_write(const uint8_t *bytes, size_t len, char *out)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 5; count -= 5)
            *out++ = alphabet[bits >> (count - 5) & 31];
        bits &= 31;
    }
    if (count)
        *out++ = alphabet[bits << (5 - count) & 31];
    *out = '\0';
}

int enrol_code_make(const struct enrol_code *code, char *out, size_t room)
{
    size_t host_len = strnlen(code->host, ENROL_HOST), len = 0;
    uint8_t packed[PACKED_MAX];

    if (!is_host(code->host, host_len) || code->port == 0)
        return -ERR_PROTOCOL;
    packed[len++] = CODE_VERSION;
    memcpy(packed + len, code->secret, ENROL_SECRET);
    len += ENROL_SECRET;
    memcpy(packed + len, code->pin, ENROL_PIN);
    len += ENROL_PIN;
    len += put_uint(packed + len, code->port, 2);
    memcpy(packed + len, code->host, host_len);
    len += host_len;
    len += put_uint(packed + len, crc_of(packed, len), CRC);
    if (sizeof(prefix) + (len * 8 + 4) / 5 > room)
        return -ERR_TOO_LONG;
    memcpy(out, prefix, sizeof(prefix) - 1);
    base32_write(packed, len, out + sizeof(prefix) - 1);
    return 0;
}

/* The character's five bits, -1: to be passed over, -2: not base32. */
static int base32_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n' ? -1 : -2;
}

/* The number of bytes, or -ERR_PROTOCOL: other characters, too long, or bits left that are set. */
static int base32_read(uint8_t out[PACKED_MAX], const char *text)
{
    uint32_t bits = 0;
    unsigned count = 0;
    int len = 0;

    for (; *text; text++) {
        int value = base32_value(*text);

        if (value == -1)
            continue;
        if (value < 0)
            return -ERR_PROTOCOL;
        bits = (bits << 5 | (uint32_t)value) & 0xfff;
        count += 5;
        if (count < 8)
            continue;
        if (len == PACKED_MAX)
            return -ERR_PROTOCOL;
        count -= 8;
        out[len++] = (uint8_t)(bits >> count);
    }
    return count < 5 && (bits & ((1U << count) - 1)) == 0 ? len : -ERR_PROTOCOL;
}

static int code_read(struct enrol_code *out, struct reader reader)
{
    size_t host_len = reader_left(&reader) - FIXED;
    const uint8_t *secret, *pin, *host;

    if (reader_u8(&reader) != CODE_VERSION)
        return -ERR_VERSION;
    secret = reader_take(&reader, ENROL_SECRET);
    pin = reader_take(&reader, ENROL_PIN);
    out->port = reader_u16(&reader);
    host = reader_take(&reader, host_len);
    if (!secret || !pin || !host)
        return -ERR_PROTOCOL;
    memcpy(out->secret, secret, ENROL_SECRET);
    memcpy(out->pin, pin, ENROL_PIN);
    if (out->port == 0 || !is_host((const char *)host, host_len))
        return -ERR_PROTOCOL;
    memcpy(out->host, host, host_len);
    return 0;
}

int enrol_code_parse(struct enrol_code *out, const char *text)
{
    uint8_t packed[PACKED_MAX];
    struct reader crc;
    int len;

    *out = (struct enrol_code){.port = 0};
    text += strspn(text, " \t\r\n");
    for (const char *at = prefix; *at; at++, text++)
        if (*text != *at && *text != (*at | 0x20))
            return -ERR_PROTOCOL;
    len = base32_read(packed, text);
    if (len <= FIXED + CRC)
        return -ERR_PROTOCOL;
    crc = reader_of(packed + len - CRC, CRC);
    if (reader_u32(&crc) != crc_of(packed, (size_t)len - CRC))
        return -ERR_PROTOCOL;
    return code_read(out, reader_of(packed, (size_t)len - CRC));
}
