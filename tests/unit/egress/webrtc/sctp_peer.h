/* The other end of an association, made of bytes: as much of SCTP (RFC 9260) as makes one, and
 * whatever else a test wants to say. Shared by the unit test and the fuzz target. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "egress/webrtc/sctp.h"

enum { PEER_PORT = 5000, PEER_PACKET_MAX = 4096 };
enum { PEER_DATA = 0, PEER_INIT, PEER_INIT_ACK, PEER_SACK, PEER_ABORT = 6, PEER_COOKIE_ECHO = 10 };
enum { PEER_COOKIE_ACK = 11, PEER_RECONFIG = 130 };

struct sctp_peer {
    struct sctp *sctp; /* the end under test */
    uint32_t tag, acked, next_tsn;
    unsigned chunks[256]; /* what came, by kind */
    uint32_t ppid;        /* the last message's */
    uint16_t stream, len;
    uint8_t message[PEER_PACKET_MAX];
    uint16_t reset_streams; /* that the other end closed */
    bool is_mute;           /* answers nothing */
    bool is_open, is_over;
};

static inline uint8_t *peer_put(uint8_t *at, uint32_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    return at + len;
}

static inline uint32_t peer_get(const uint8_t *at, unsigned len)
{
    uint32_t value = 0;

    while (len--)
        value = value << 8 | *at++;
    return value;
}

static inline uint32_t peer_crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= i >= 8 && i < 12 ? 0 : bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* Chunks, whatever they are, in a packet that is right otherwise. */
static inline void peer_send(struct sctp_peer *peer, const uint8_t *chunks, size_t len)
{
    uint8_t packet[PEER_PACKET_MAX], *at = packet;
    uint32_t crc;

    len = len < sizeof(packet) - 12 ? len : sizeof(packet) - 12;
    at = peer_put(at, PEER_PORT, 2);
    at = peer_put(at, PEER_PORT, 2);
    at = peer_put(at, peer->tag, 4);
    at = peer_put(at, 0, 4);
    memcpy(at, chunks, len);
    crc = peer_crc32c(packet, len + 12);
    peer_put(packet + 8, __builtin_bswap32(crc), 4);
    sctp_input(peer->sctp, packet, len + 12);
}

struct peer_head {
    uint8_t flags; /* 3 for a whole message, 2 for its beginning, 0 for its midst, 1 for its end */
    uint16_t stream, seq;
    uint32_t ppid;
};

static inline void peer_send_data(struct sctp_peer *peer, struct peer_head head, const void *bytes,
                                  size_t len)
{
    uint8_t chunk[PEER_PACKET_MAX] = {PEER_DATA, head.flags}, *at = chunk + 2;

    at = peer_put(at, (uint32_t)len + 16, 2);
    at = peer_put(at, peer->next_tsn++, 4);
    at = peer_put(at, (uint32_t)head.stream << 16 | head.seq, 4);
    at = peer_put(at, head.ppid, 4);
    memcpy(at, bytes, len);
    peer_send(peer, chunk, (len + 16 + 3) / 4 * 4);
}

static inline void peer_answer_init(struct sctp_peer *peer, const uint8_t *chunk)
{
    uint8_t ack[36] = {PEER_INIT_ACK, 0, 0, 34}, *at = ack + 4;

    peer->tag = peer_get(chunk + 4, 4);
    peer->next_tsn = 1000;
    at = peer_put(at, 0x01020304, 4); /* our tag */
    at = peer_put(at, 1 << 16, 4);    /* window */
    at = peer_put(at, 0xffffffff, 4); /* as many streams as there can be, each way */
    at = peer_put(at, peer->next_tsn, 4);
    at = peer_put(at, 0x00070008, 4); /* cookie */
    at = peer_put(at, 0x12345678, 4);
    at = peer_put(at, 0x80080006, 4); /* extensions: we know how to close streams */
    peer_put(at, 0x82c00000, 4);
    peer_send(peer, ack, sizeof(ack));
}

static inline void peer_take_data(struct sctp_peer *peer, const uint8_t *chunk, uint16_t len)
{
    uint8_t sack[16] = {PEER_SACK, 0, 0, 16};

    peer->acked = peer_get(chunk + 4, 4);
    peer->stream = (uint16_t)peer_get(chunk + 8, 2);
    peer->ppid = peer_get(chunk + 12, 4);
    peer->len = (uint16_t)(len - 16);
    peer->len = peer->len < PEER_PACKET_MAX ? peer->len : PEER_PACKET_MAX;
    memcpy(peer->message, chunk + 16, peer->len);
    peer_put(sack + 4, peer->acked, 4);
    peer_put(sack + 8, 1 << 16, 4);
    if (!peer->is_mute)
        peer_send(peer, sack, sizeof(sack));
}

/* A request to reset outgoing streams (RFC 6525 section 4.1), done. */
static inline void peer_take_reset(struct sctp_peer *peer, const uint8_t *chunk, uint16_t len)
{
    uint8_t done[16] = {PEER_RECONFIG, 0, 0, 16, 0, 16, 0, 12, [15] = 1};

    memcpy(done + 8, chunk + 8, 4);
    for (uint16_t at = 20; at + 2 <= len; at = (uint16_t)(at + 2))
        peer->reset_streams |= (uint16_t)(1u << (peer_get(chunk + at, 2) & 15));
    peer_send(peer, done, sizeof(done));
}

/* usrsctp (0.9.5) does not pad an ERROR that repeats an odd chunk of ours: what it puts behind that
 * is no chunk. */
static inline bool peer_is_whole(uint8_t kind, uint16_t len)
{
    return kind == PEER_DATA ? len > 16 : kind != PEER_INIT || len >= 20;
}

static inline void peer_take_chunk(struct sctp_peer *peer, const uint8_t *chunk, uint16_t len)
{
    static const uint8_t cookie_ack[] = {PEER_COOKIE_ACK, 0, 0, 4};

    peer->chunks[chunk[0]]++;
    if (!peer_is_whole(chunk[0], len))
        return;
    if (chunk[0] == PEER_DATA)
        peer_take_data(peer, chunk, len);
    else if (chunk[0] == PEER_RECONFIG && len > 20 && peer_get(chunk + 4, 2) == 13)
        peer_take_reset(peer, chunk, len);
    else if (chunk[0] == PEER_INIT && !peer->is_mute)
        peer_answer_init(peer, chunk);
    else if (chunk[0] == PEER_COOKIE_ECHO && !peer->is_mute)
        peer_send(peer, cookie_ack, sizeof(cookie_ack));
}

static inline void peer_on_output(void *owner, const uint8_t *bytes, size_t len)
{
    for (size_t at = 12; at + 4 <= len;) {
        uint16_t chunk_len = (uint16_t)peer_get(bytes + at + 2, 2);

        if (chunk_len < 4 || chunk_len > len - at)
            return;
        peer_take_chunk(owner, bytes + at, chunk_len);
        at += (chunk_len + 3u) / 4 * 4;
    }
}
