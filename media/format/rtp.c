#include "media/format/rtp.h"

#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"

enum { RTCP_SR = 200, RTCP_RR = 201, RTCP_SDES = 202, RTCP_BYE = 203 };
enum { SDES_CNAME = 1, REPORT_BLOCK_BYTES = 24, SENDER_INFO_BYTES = 24 /* with the SSRC */ };

/* Seconds from 1900, where NTP counts from, to 1970. */
static const int64_t ntp_epoch = 2208988800;

int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_of(bytes, len);
    uint8_t first = reader_u8(&reader);
    uint8_t second = reader_u8(&reader);
    size_t padding;

    out->seq = reader_u16(&reader);
    out->timestamp = reader_u32(&reader);
    out->ssrc = reader_u32(&reader);
    out->marker = second >> 7;
    out->payload_type = second & 0x7f;
    reader_take(&reader, (size_t)(first & 0x0f) * 4);
    if (first & 0x10) {
        reader_u16(&reader);
        reader_take(&reader, (size_t)reader_u16(&reader) * 4);
    }
    if (!reader_is_ok(&reader) || first >> 6 != 2)
        return -ERR_PROTOCOL;
    out->payload = reader.at;
    out->payload_len = reader_left(&reader);
    if (!(first & 0x20))
        return 0;
    padding = out->payload_len ? bytes[len - 1] : 0;
    if (!padding || padding > out->payload_len)
        return -ERR_PROTOCOL;
    out->payload_len -= padding;
    return 0;
}

void rtp_write_header(const struct rtp_packet *packet, uint8_t out[RTP_HEADER_BYTES])
{
    out[0] = 2 << 6;
    out[1] = (uint8_t)((packet->marker ? 0x80 : 0) | (packet->payload_type & 0x7f));
    bytes_put_u16(out + 2, packet->seq);
    bytes_put_u32(out + 4, packet->timestamp);
    bytes_put_u32(out + 8, packet->ssrc);
}

static void parse_sender(struct rtcp_report *out, struct reader *body)
{
    uint32_t ssrc = reader_u32(body);
    uint64_t ntp = reader_u64(body);

    if (!reader_is_ok(body) || out->has_sender)
        return;
    out->has_sender = true;
    out->ssrc = ssrc;
    out->ntp = ntp;
    out->rtp_time = reader_u32(body);
    out->packet_count = reader_u32(body);
    out->octet_count = reader_u32(body);
}

/* One packet of a compound; what we don't read is skipped. */
static int parse_one(struct rtcp_report *out, uint8_t type, uint8_t count, struct reader body)
{
    size_t reason;

    switch (type) {
    case RTCP_SR:
        if (reader_left(&body) < (size_t)SENDER_INFO_BYTES + (size_t)count * REPORT_BLOCK_BYTES)
            return -ERR_PROTOCOL;
        parse_sender(out, &body);
        return reader_is_ok(&body) ? 0 : -ERR_PROTOCOL;
    case RTCP_RR:
        return reader_left(&body) < 4 + (size_t)count * REPORT_BLOCK_BYTES ? -ERR_PROTOCOL : 0;
    case RTCP_BYE:
        reader_take(&body, (size_t)count * 4);
        reason = reader_is_done(&body) ? 0 : reader_u8(&body);
        reader_take(&body, reason);
        out->has_bye = reader_is_ok(&body);
        return reader_is_ok(&body) ? 0 : -ERR_PROTOCOL;
    default:
        return 0;
    }
}

/* Takes the padding that the last packet of a compound may have off its body. */
static int strip_padding(struct reader *body, bool is_last)
{
    size_t left = reader_left(body);
    size_t padding;

    if (!is_last || !left)
        return -ERR_PROTOCOL;
    padding = body->end[-1];
    if (!padding || padding > left || padding % 4)
        return -ERR_PROTOCOL;
    body->end -= padding;
    return 0;
}

int rtcp_parse(struct rtcp_report *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_of(bytes, len);
    int err = len ? 0 : -ERR_PROTOCOL;

    *out = (struct rtcp_report){0};
    while (!err && !reader_is_done(&reader)) {
        uint8_t first = reader_u8(&reader);
        uint8_t type = reader_u8(&reader);
        uint16_t words = reader_u16(&reader);
        struct reader body = reader_sub(&reader, (size_t)words * 4);

        if (!reader_is_ok(&reader) || first >> 6 != 2)
            return -ERR_PROTOCOL;
        if (first & 0x20)
            err = strip_padding(&body, reader_is_done(&reader));
        if (!err)
            err = parse_one(out, type, first & 0x1f, body);
    }
    return err;
}

static void write_sdes(struct writer *writer, uint32_t ssrc, const char *cname)
{
    size_t len = cname ? strnlen(cname, 255) : 0;
    size_t chunk = 4 + 2 + len + 1; /* with the null item that ends the list */
    size_t padded = (chunk + 3) / 4 * 4;

    writer_uint(writer, 2 << 6 | 1, 1);
    writer_uint(writer, RTCP_SDES, 1);
    writer_uint(writer, padded / 4, 2);
    writer_uint(writer, ssrc, 4);
    writer_uint(writer, SDES_CNAME, 1);
    writer_uint(writer, len, 1);
    writer_put(writer, cname, len);
    for (size_t i = chunk; i <= padded; i++)
        writer_uint(writer, 0, 1);
}

static void write_rtcp_header(struct writer *writer, uint8_t type, unsigned count, size_t words)
{
    writer_uint(writer, 2u << 6 | count, 1);
    writer_uint(writer, type, 1);
    writer_uint(writer, words, 2);
}

void rtcp_write_sender_report(struct writer *writer, const struct rtcp_sender *sender)
{
    write_rtcp_header(writer, RTCP_SR, 0, 6);
    writer_uint(writer, sender->ssrc, 4);
    writer_uint(writer, ntp_of_wall_us(sender->wall_us), 8);
    writer_uint(writer, sender->rtp_time, 4);
    writer_uint(writer, sender->packet_count, 4);
    writer_uint(writer, sender->octet_count, 4);
    write_sdes(writer, sender->ssrc, sender->cname);
}

void rtcp_write_receiver_report(struct writer *writer, const struct rtcp_receiver *receiver)
{
    /* The count of lost packets is a signed number of 24 bits. */
    uint32_t lost = receiver->lost > 0x7fffff ? 0x7fffff : receiver->lost;

    write_rtcp_header(writer, RTCP_RR, 1, 7);
    writer_uint(writer, receiver->ssrc, 4);
    writer_uint(writer, receiver->media_ssrc, 4);
    writer_uint(writer, receiver->fraction_lost, 1);
    writer_uint(writer, lost, 3);
    writer_uint(writer, receiver->highest_seq, 4);
    writer_uint(writer, receiver->jitter, 4);
    writer_uint(writer, receiver->last_sr, 4);
    writer_uint(writer, receiver->since_sr, 4);
    write_sdes(writer, receiver->ssrc, receiver->cname);
}

void rtcp_write_bye(struct writer *writer, uint32_t ssrc)
{
    /* A compound begins with a report, if an empty one (RFC 3550 section 6.1). */
    write_rtcp_header(writer, RTCP_RR, 0, 1);
    writer_uint(writer, ssrc, 4);
    write_rtcp_header(writer, RTCP_BYE, 1, 1);
    writer_uint(writer, ssrc, 4);
}

uint64_t ntp_of_wall_us(int64_t wall_us)
{
    uint64_t seconds, micros;

    if (wall_us < 0)
        wall_us = 0;
    seconds = (uint64_t)(wall_us / 1000000 + ntp_epoch);
    micros = (uint64_t)(wall_us % 1000000);
    /* Rounded up, so that the way back gives the same microsecond. */
    return seconds << 32 | ((micros << 32) + 999999) / 1000000;
}

int64_t wall_us_of_ntp(uint64_t ntp)
{
    int64_t seconds = (int64_t)(ntp >> 32);
    uint64_t fraction = ntp & 0xffffffff;

    /* Numbers without the top bit count from 2036, when the 32 bits begin again. */
    if (seconds < 0x80000000)
        seconds += 0x100000000;
    return (seconds - ntp_epoch) * 1000000 + (int64_t)(fraction * 1000000 >> 32);
}
