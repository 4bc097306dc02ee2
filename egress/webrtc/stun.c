#include "egress/webrtc/stun.h"

#include <netinet/in.h>
#include <string.h>

#include "base/reader.h"
#include "crypto/digest.h"

enum {
    COOKIE_AT = 4,
    TRANSACTION_AT = 8,
    ATTRIBUTE_HEADER_BYTES = 4,
    CRC_BYTES = 4,
    INTEGRITY_WHOLE_BYTES = ATTRIBUTE_HEADER_BYTES + SHA1_BYTES,
    FINGERPRINT_WHOLE_BYTES = ATTRIBUTE_HEADER_BYTES + CRC_BYTES,
    REASON_MAX = 20,
    ANY_LENGTH = -1
};

/* RFC 8489 section 18.3, RFC 8445 section 16.1. */
/* What a check has besides its header and its user name: that one's head and padding, PRIORITY,
 * ICE-CONTROLLED, MESSAGE-INTEGRITY and FINGERPRINT. */
enum { CHECK_FIXED_BYTES = 7 + 8 + 12 + 24 + 8 };

enum attribute_type {
    MAPPED_ADDRESS = 0x0001,
    USERNAME = 0x0006,
    MESSAGE_INTEGRITY = 0x0008,
    ERROR_CODE = 0x0009,
    UNKNOWN_ATTRIBUTES = 0x000a,
    REALM = 0x0014,
    NONCE = 0x0015,
    XOR_MAPPED_ADDRESS = 0x0020,
    PRIORITY = 0x0024,
    USE_CANDIDATE = 0x0025,
    FIRST_OPTIONAL = 0x8000, /* from here on, what is not known may be skipped */
    FINGERPRINT = 0x8028,
    ICE_CONTROLLED = 0x8029,
    ICE_CONTROLLING = 0x802a
};

static const uint32_t magic_cookie = 0x2112a442, fingerprint_mask = 0x5354554e;

struct attribute {
    uint16_t type;
    size_t offset; /* of its header in the message */
    const uint8_t *value;
    size_t len;
};

/* CRC-32 (ISO 3309), four bits a step: a table of 16 is enough for messages this short. */
static uint32_t crc32_of(const uint8_t *bytes, size_t len)
{
    static const uint32_t steps[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return ~crc;
}

/* As if the message were so long: the sums are made over a header that counts their own attribute,
 * and nothing after it. */
static void set_length(uint8_t *bytes, size_t len)
{
    size_t counted = len - STUN_HEADER_BYTES;

    bytes[2] = (uint8_t)(counted >> 8);
    bytes[3] = (uint8_t)counted;
}

bool stun_is(const uint8_t *bytes, size_t len)
{
    static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42};

    return len >= STUN_HEADER_BYTES && bytes[0] <= 3 &&
           !memcmp(bytes + COOKIE_AT, cookie, sizeof(cookie));
}

static void take_username(struct stun_message *out, const struct attribute *attribute)
{
    out->username = (const char *)attribute->value;
    out->username_len = attribute->len;
}

static void take_integrity(struct stun_message *out, const struct attribute *attribute)
{
    out->integrity_offset = attribute->offset;
}

static void take_priority(struct stun_message *out, const struct attribute *attribute)
{
    struct reader reader = reader_of(attribute->value, attribute->len);

    out->priority = reader_u32(&reader);
}

static void take_use_candidate(struct stun_message *out, const struct attribute *attribute)
{
    (void)attribute;
    out->use_candidate = true;
}

static void take_role(struct stun_message *out, const struct attribute *attribute)
{
    struct reader reader = reader_of(attribute->value, attribute->len);

    out->tie_breaker = reader_u64(&reader);
    if (attribute->type == ICE_CONTROLLING)
        out->is_controlling = true;
    else
        out->is_controlled = true;
}

/* What we know; a row without take is of no use to us, but no reason to refuse the message. */
static const struct rule {
    uint16_t type;
    int len;
    void (*take)(struct stun_message *out, const struct attribute *attribute);
} rules[] = {
    {USERNAME, ANY_LENGTH, take_username},
    {MESSAGE_INTEGRITY, SHA1_BYTES, take_integrity},
    {PRIORITY, 4, take_priority},
    {USE_CANDIDATE, 0, take_use_candidate},
    {ICE_CONTROLLED, 8, take_role},
    {ICE_CONTROLLING, 8, take_role},
    {MAPPED_ADDRESS, ANY_LENGTH, NULL},
    {ERROR_CODE, ANY_LENGTH, NULL},
    {UNKNOWN_ATTRIBUTES, ANY_LENGTH, NULL},
    {REALM, ANY_LENGTH, NULL},
    {NONCE, ANY_LENGTH, NULL},
    {XOR_MAPPED_ADDRESS, ANY_LENGTH, NULL},
};

enum { RULE_COUNT = sizeof(rules) / sizeof(*rules) };

static const struct rule *find_rule(uint16_t type)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (rules[i].type == type)
            return &rules[i];
    return NULL;
}

static int take_attribute(struct stun_message *out, const struct attribute *attribute,
                          bool seen[RULE_COUNT])
{
    const struct rule *rule = find_rule(attribute->type);

    if (!rule) {
        if (attribute->type < FIRST_OPTIONAL && out->unknown_count < STUN_UNKNOWN_MAX)
            out->unknown[out->unknown_count++] = attribute->type;
        return 0;
    }
    if (rule->len != ANY_LENGTH && attribute->len != (size_t)rule->len)
        return -ERR_PROTOCOL;

    /* Only the first of a kind counts (RFC 8489 section 14). */
    if (rule->take && !seen[rule - rules])
        rule->take(out, attribute);
    seen[rule - rules] = true;
    return 0;
}

/* Over all that stands before it, which is the whole message, as nothing may follow. */
static int take_fingerprint(struct stun_message *out, const struct attribute *attribute,
                            const uint8_t *bytes)
{
    struct reader reader = reader_of(attribute->value, attribute->len);
    uint32_t want = crc32_of(bytes, attribute->offset) ^ fingerprint_mask;

    if (attribute->len != CRC_BYTES || reader_u32(&reader) != want)
        return -ERR_PROTOCOL;
    out->has_fingerprint = true;
    return 0;
}

static int read_attributes(struct stun_message *out, struct reader reader, const uint8_t *bytes)
{
    bool seen[RULE_COUNT] = {false};

    while (!reader_is_done(&reader)) {
        struct attribute attribute = {.offset = (size_t)(reader.at - bytes)};
        int err = 0;

        attribute.type = reader_u16(&reader);
        attribute.len = reader_u16(&reader);
        attribute.value = reader_take(&reader, attribute.len);
        reader_take(&reader, (4 - attribute.len % 4) % 4);
        if (!reader_is_ok(&reader) || out->has_fingerprint)
            return -ERR_PROTOCOL;
        if (attribute.type == FINGERPRINT)
            err = take_fingerprint(out, &attribute, bytes);
        else if (!out->integrity_offset)
            err = take_attribute(out, &attribute, seen);
        if (err < 0)
            return err;
    }
    return reader_is_ok(&reader) ? 0 : -ERR_PROTOCOL;
}

/* The type's 14 bits: the class's two at 8 and 4, the method's twelve around them. */
static bool read_type(struct stun_message *out, uint16_t type)
{
    enum { CLASS_BITS = 0x0110, BINDING = 0x0001 };

    out->class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1));
    return (type & ~CLASS_BITS) == BINDING;
}

int stun_parse(struct stun_message *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_of(bytes, len);

    *out = (struct stun_message){0};
    if (!stun_is(bytes, len) || len > STUN_MESSAGE_MAX)
        return -ERR_PROTOCOL;
    if (!read_type(out, reader_u16(&reader)) || reader_u16(&reader) != len - STUN_HEADER_BYTES)
        return -ERR_PROTOCOL;
    out->transaction = bytes + TRANSACTION_AT;
    reader_take(&reader, STUN_HEADER_BYTES - COOKIE_AT);
    return read_attributes(out, reader, bytes);
}

bool stun_is_authentic(const struct stun_message *message, const uint8_t *bytes,
                       const char *password)
{
    struct hmac_key key = {password, strlen(password)};
    uint8_t copy[STUN_MESSAGE_MAX], sum[SHA1_BYTES];
    size_t offset = message->integrity_offset;

    if (!offset)
        return false;

    memcpy(copy, bytes, offset);
    set_length(copy, offset + INTEGRITY_WHOLE_BYTES);
    return hmac_sha1_make(key, copy, offset, sum) == 0 &&
           secret_is_equal(sum, bytes + offset + ATTRIBUTE_HEADER_BYTES, sizeof(sum));
}

struct answer {
    uint8_t *bytes; /* STUN_REPLY_MAX of them, borrowed */
    size_t len;
};

/* The longest that is ever put: an error with every unknown attribute. */
_Static_assert(STUN_HEADER_BYTES + ATTRIBUTE_HEADER_BYTES + 4 + REASON_MAX +
                       ATTRIBUTE_HEADER_BYTES + 2 * STUN_UNKNOWN_MAX + INTEGRITY_WHOLE_BYTES +
                       FINGERPRINT_WHOLE_BYTES <=
                   STUN_REPLY_MAX,
               "an answer must fit");

static void put(struct answer *answer, uint64_t value, size_t len)
{
    for (size_t i = len; i > 0; i--)
        answer->bytes[answer->len++] = (uint8_t)(value >> 8 * (i - 1));
}

static void put_bytes(struct answer *answer, const void *bytes, size_t len)
{
    memcpy(answer->bytes + answer->len, bytes, len);
    answer->len += len;
}

static void pad(struct answer *answer)
{
    while (answer->len % 4 != 0)
        put(answer, 0, 1);
}

static void put_attribute_header(struct answer *answer, enum attribute_type type, size_t len)
{
    put(answer, type, 2);
    put(answer, len, 2);
}

static struct answer begin_as(uint8_t *out, unsigned type, const uint8_t *transaction)
{
    struct answer answer = {.bytes = out};

    put(&answer, type, 2);
    put(&answer, 0, 2);
    put(&answer, magic_cookie, 4);
    put_bytes(&answer, transaction, STUN_TRANSACTION);
    return answer;
}

static struct answer begin(uint8_t *out, enum stun_class class, const struct stun_message *request)
{
    return begin_as(out, class == STUN_SUCCESS ? 0x0101 : 0x0111, request->transaction);
}

/* MESSAGE-INTEGRITY, where there is a password, and FINGERPRINT. The whole length, or 0. */
static size_t seal(struct answer *answer, const char *password)
{
    uint8_t *bytes = answer->bytes;
    uint32_t crc;

    if (password) {
        struct hmac_key key = {password, strlen(password)};
        uint8_t sum[SHA1_BYTES];

        set_length(bytes, answer->len + INTEGRITY_WHOLE_BYTES);
        if (hmac_sha1_make(key, bytes, answer->len, sum) < 0)
            return 0;
        put_attribute_header(answer, MESSAGE_INTEGRITY, sizeof(sum));
        put_bytes(answer, sum, sizeof(sum));
    }
    set_length(bytes, answer->len + FINGERPRINT_WHOLE_BYTES);
    crc = crc32_of(bytes, answer->len);
    put_attribute_header(answer, FINGERPRINT, CRC_BYTES);
    put(answer, crc ^ fingerprint_mask, CRC_BYTES);
    return answer->len;
}

/* The port and host are XORed with the header from the cookie on, so that no middlebox that
 * rewrites addresses finds them (RFC 8489 section 14.2). False for other families. */
static bool put_mapped(struct answer *answer, const struct addr *mapped)
{
    struct addr plain = addr_unmapped(mapped);
    const void *storage = &plain.storage;
    bool is_v6 = plain.storage.ss_family == AF_INET6;
    const uint8_t *mask = answer->bytes + COOKIE_AT, *host;
    size_t len = is_v6 ? 16 : 4;

    if (!is_v6 && plain.storage.ss_family != AF_INET)
        return false;
    host = is_v6 ? ((const struct sockaddr_in6 *)storage)->sin6_addr.s6_addr
                 : (const uint8_t *)&((const struct sockaddr_in *)storage)->sin_addr;
    put_attribute_header(answer, XOR_MAPPED_ADDRESS, 4 + len);
    put(answer, is_v6 ? 2 : 1, 2);
    put(answer, addr_port(&plain) ^ magic_cookie >> 16, 2);
    for (size_t i = 0; i < len; i++)
        put(answer, host[i] ^ mask[i], 1);
    return true;
}

size_t stun_write_success(uint8_t out[STUN_REPLY_MAX], const struct stun_message *request,
                          const struct addr *mapped, const char *password)
{
    struct answer answer = begin(out, STUN_SUCCESS, request);

    return put_mapped(&answer, mapped) ? seal(&answer, password) : 0;
}

static const char *reason_of(unsigned code)
{
    static const struct {
        unsigned code;
        const char reason[REASON_MAX];
    } reasons[] = {{400, "Bad Request"}, {420, "Unknown Attribute"}, {487, "Role Conflict"}};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return NULL;
}

size_t stun_write_error(uint8_t out[STUN_REPLY_MAX], const struct stun_message *request,
                        unsigned code, const char *password)
{
    struct answer answer = begin(out, STUN_ERROR, request);
    const char *reason = reason_of(code);

    if (!reason)
        return 0;
    put_attribute_header(&answer, ERROR_CODE, 4 + strlen(reason));
    put(&answer, code / 100, 3);
    put(&answer, code % 100, 1);
    put_bytes(&answer, reason, strlen(reason));
    pad(&answer);
    if (code == 420) {
        put_attribute_header(&answer, UNKNOWN_ATTRIBUTES, 2 * (size_t)request->unknown_count);
        for (unsigned i = 0; i < request->unknown_count; i++)
            put(&answer, request->unknown[i], 2);
        pad(&answer);
    }
    return seal(&answer, password);
}

size_t stun_write_check(uint8_t out[STUN_REPLY_MAX], const struct stun_check *check)
{
    struct answer answer = begin_as(out, 0x0001, check->transaction);
    size_t len = strlen(check->username);

    if (answer.len + CHECK_FIXED_BYTES + len > STUN_REPLY_MAX)
        return 0;
    put_attribute_header(&answer, USERNAME, len);
    put_bytes(&answer, check->username, len);
    pad(&answer);
    put_attribute_header(&answer, PRIORITY, 4);
    put(&answer, check->priority, 4);
    put_attribute_header(&answer, ICE_CONTROLLED, 8);
    put(&answer, check->tie_breaker, 8);
    return seal(&answer, check->password);
}
