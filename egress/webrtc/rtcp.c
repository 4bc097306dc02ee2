#include "egress/webrtc/rtcp.h"

#include "base/reader.h"

enum {
    VERSION = 2,
    SENDER_INFO_BYTES = 20,
    TWCC_PACKETS_MAX = 8192,
    TWCC_RUN_MAX = 0x1fff,
    TWCC_REFERENCE_US = 64000,
    TWCC_DELTA_US = 250,
    REMB_MANTISSA_BITS = 18,
    ANY = -1
};

/* A reader's owner, and how much of its patience this compound packet has used. */
struct telling {
    const struct rtcp_reader *to;
    void *owner;
    unsigned nack_count;
};

static void read_blocks(struct telling *telling, struct reader *body, unsigned count)
{
    while (count-- && reader_is_ok(body)) {
        struct reader bytes = reader_sub(body, 24);
        struct rtcp_block block;

        block.ssrc = reader_u32(&bytes);
        block.fraction_lost = reader_u8(&bytes);
        block.lost = (int32_t)reader_uint(&bytes, 3);
        block.highest_seq = reader_u32(&bytes);
        block.jitter = reader_u32(&bytes);
        block.last_report = reader_u32(&bytes);
        block.delay = reader_u32(&bytes);
        if (block.lost & 0x800000) /* 24 bits with a sign: duplicates count as below none */
            block.lost -= 0x1000000;
        if (reader_is_ok(body) && telling->to->on_block)
            telling->to->on_block(telling->owner, &block);
    }
}

static void read_sender_report(struct telling *telling, struct reader *body, unsigned count)
{
    (void)reader_u32(body);
    (void)reader_take(body, SENDER_INFO_BYTES);
    read_blocks(telling, body, count);
}

static void read_receiver_report(struct telling *telling, struct reader *body, unsigned count)
{
    (void)reader_u32(body);
    read_blocks(telling, body, count);
}

static void read_bye(struct telling *telling, struct reader *body, unsigned count)
{
    (void)reader_take(body, (size_t)count * 4);
    if (!reader_is_done(body))
        (void)reader_take(body, reader_u8(body)); /* the reason */
    if (reader_is_ok(body) && count > 0 && telling->to->on_bye)
        telling->to->on_bye(telling->owner);
}

static void tell_nack(struct telling *telling, uint32_t ssrc, uint16_t seq)
{
    if (telling->nack_count++ < RTCP_NACKS_MAX && telling->to->on_nack)
        telling->to->on_nack(telling->owner, ssrc, seq);
}

static void read_nack(struct telling *telling, struct reader *body, unsigned format)
{
    uint32_t ssrc;

    (void)format;
    (void)reader_u32(body);
    ssrc = reader_u32(body);
    while (!reader_is_done(body) && telling->nack_count < RTCP_NACKS_MAX) {
        uint16_t seq = reader_u16(body), following = reader_u16(body);

        if (!reader_is_ok(body))
            return;
        tell_nack(telling, ssrc, seq);
        for (unsigned i = 0; i < 16; i++)
            if (following >> i & 1)
                tell_nack(telling, ssrc, (uint16_t)(seq + i + 1));
    }
}

static void read_pli(struct telling *telling, struct reader *body, unsigned format)
{
    uint32_t ssrc;

    (void)format;
    (void)reader_u32(body);
    ssrc = reader_u32(body);
    if (reader_is_ok(body) && telling->to->on_key_wish)
        telling->to->on_key_wish(telling->owner, ssrc);
}

static void read_fir(struct telling *telling, struct reader *body, unsigned format)
{
    (void)format;
    (void)reader_u64(body); /* the sender, and a media source that FIR leaves at 0 */
    while (!reader_is_done(body)) {
        uint32_t ssrc = reader_u32(body);

        (void)reader_u32(body); /* the request's number */
        if (reader_is_ok(body) && telling->to->on_key_wish)
            telling->to->on_key_wish(telling->owner, ssrc);
    }
}

/* Application-layer feedback: we know REMB, and take no offence at others. */
static void read_remb(struct telling *telling, struct reader *body, unsigned format)
{
    uint64_t bps;
    uint32_t word;
    unsigned exponent;

    (void)format;
    (void)reader_u64(body);
    if (reader_is_done(body) || reader_u32(body) != 0x52454d42 /* "REMB" */)
        return;
    word = reader_u32(body); /* 8 bits count of sources, 6 bits exponent, 18 bits mantissa */
    (void)reader_take(body, (size_t)(word >> 24) * 4);
    exponent = word >> REMB_MANTISSA_BITS & 0x3f;
    bps = word & ((1u << REMB_MANTISSA_BITS) - 1);
    bps = exponent > 64 - REMB_MANTISSA_BITS && bps ? UINT64_MAX : bps << exponent;
    if (reader_is_ok(body) && telling->to->on_remb)
        telling->to->on_remb(telling->owner, bps);
}

/* ---- transport-wide feedback: chunks of two-bit symbols, then a delta for each that arrived -- */

static bool is_vector(uint16_t chunk)
{
    return chunk >> 15;
}

static bool has_wide_symbols(uint16_t chunk)
{
    return chunk >> 14 & 1;
}

/* How many packets a chunk speaks of, at most left. */
static unsigned chunk_count(uint16_t chunk, unsigned left)
{
    unsigned count = chunk & TWCC_RUN_MAX;

    if (is_vector(chunk))
        count = has_wide_symbols(chunk) ? 7 : 14;
    return count < left ? count : left;
}

/* 0: did not arrive; 1 and 2: did, and that many bytes of delta follow; 3: reserved. */
static unsigned chunk_symbol(uint16_t chunk, unsigned at)
{
    unsigned bits = chunk;

    if (!is_vector(chunk))
        return bits >> 13 & 3;
    return has_wide_symbols(chunk) ? bits >> (12 - 2 * at) & 3 : bits >> (13 - at) & 1;
}

/* Reads the chunks of count packets; returns the bytes of delta that they promise. */
static size_t measure_chunks(struct reader *chunks, unsigned count)
{
    size_t bytes = 0;

    while (count > 0 && reader_is_ok(chunks)) {
        uint16_t chunk = reader_u16(chunks);
        unsigned told = chunk_count(chunk, count);

        for (unsigned i = 0; i < told; i++) {
            if (chunk_symbol(chunk, i) == 3)
                chunks->failed = true;
            bytes += chunk_symbol(chunk, i);
        }
        count -= told;
    }
    return bytes;
}

struct feedback {
    struct reader chunks, deltas; /* as long as count needs: measure_chunks looked */
    uint16_t seq;
    unsigned count;
    int64_t arrival_us;
};

static int64_t next_arrival(struct feedback *feedback, unsigned symbol)
{
    if (symbol == 0)
        return -1;
    feedback->arrival_us += symbol == 1
                                ? (int64_t)reader_u8(&feedback->deltas) * TWCC_DELTA_US
                                : (int64_t)(int16_t)reader_u16(&feedback->deltas) * TWCC_DELTA_US;
    return feedback->arrival_us;
}

static void tell_arrivals(struct telling *telling, struct feedback *feedback)
{
    while (feedback->count > 0) {
        uint16_t chunk = reader_u16(&feedback->chunks);
        unsigned told = chunk_count(chunk, feedback->count);

        for (unsigned i = 0; i < told; i++)
            telling->to->on_arrival(telling->owner, feedback->seq++,
                                    next_arrival(feedback, chunk_symbol(chunk, i)));
        feedback->count -= told;
    }
}

/* All of it is measured before any is told, so that half a message moves no estimate. */
static void read_transport_feedback(struct telling *telling, struct reader *body, unsigned format)
{
    struct feedback feedback;
    size_t delta_bytes;
    uint32_t reference;

    (void)format;
    (void)reader_u64(body);
    feedback.seq = reader_u16(body);
    feedback.count = reader_u16(body);
    reference = (uint32_t)reader_uint(body, 3);
    (void)reader_u8(body); /* the message's own number */
    feedback.chunks = *body;
    delta_bytes = measure_chunks(body, feedback.count);
    if (feedback.count > TWCC_PACKETS_MAX || reader_left(body) < delta_bytes)
        body->failed = true;
    if (!reader_is_ok(body))
        return;
    feedback.deltas = *body;
    /* One whole turn of the 24 bits is added: no sum of deltas makes an arrival negative. */
    feedback.arrival_us = (int64_t)(reference | 1u << 24) * TWCC_REFERENCE_US;
    if (telling->to->on_arrival)
        tell_arrivals(telling, &feedback);
    if (telling->to->on_feedback_end)
        telling->to->on_feedback_end(telling->owner);
}

/* ---- compound packets ------------------------------------------------------------------------ */

/* What is in no row (SDES, APP, XR, RPSI, …) is passed over. */
static const struct kind {
    int type, format; /* format: also the count of blocks or sources */
    void (*read)(struct telling *telling, struct reader *body, unsigned format);
} kinds[] = {
    {200, ANY, read_sender_report},
    {201, ANY, read_receiver_report},
    {203, ANY, read_bye},
    {205, 1, read_nack},
    {206, 1, read_pli},
    {206, 4, read_fir},
    {205, 15, read_transport_feedback},
    {206, 15, read_remb},
};

static const struct kind *kind_find(unsigned type, unsigned format)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].type == (int)type &&
            (kinds[i].format == ANY || kinds[i].format == (int)format))
            return &kinds[i];
    return NULL;
}

/* Takes off the padding, whose last byte counts it (RFC 3550 section 6.4.1). */
static void strip_padding(struct reader *body)
{
    size_t left = reader_left(body), padding = left ? body->end[-1] : 0;

    if (padding == 0 || padding % 4 || padding > left)
        body->failed = true;
    else
        body->end -= padding;
}

/* The first part of a compound packet; any kind may come first, or alone (RFC 5506). */
static bool read_part(struct telling *telling, struct reader *packet)
{
    uint8_t first = reader_u8(packet), type = reader_u8(packet);
    struct reader body = reader_sub(packet, (size_t)reader_u16(packet) * 4);
    const struct kind *kind = kind_find(type, first & 0x1f);

    if (first >> 6 != VERSION)
        return false;
    if (reader_is_ok(&body) && first & 0x20)
        strip_padding(&body);
    if (kind && reader_is_ok(&body))
        kind->read(telling, &body, first & 0x1f);
    return reader_is_ok(&body);
}

int rtcp_read(const uint8_t *bytes, size_t len, const struct rtcp_reader *reader, void *owner)
{
    struct telling telling = {.to = reader, .owner = owner};
    struct reader packet = reader_of(bytes, len);

    do
        if (!read_part(&telling, &packet))
            return -ERR_PROTOCOL;
    while (!reader_is_done(&packet));
    return 0;
}

int64_t rtcp_round_trip_us(const struct rtcp_block *block, uint64_t ntp_now)
{
    enum { SECOND = 65536, ROUNDING = SECOND / 100, PLAUSIBLE = 60 * SECOND };
    int32_t trip = (int32_t)((uint32_t)(ntp_now >> 16) - block->last_report - block->delay);

    if (block->last_report == 0 || trip < -ROUNDING || trip > PLAUSIBLE)
        return -1;
    return trip > 0 ? (int64_t)trip * 1000000 / SECOND : 0;
}
