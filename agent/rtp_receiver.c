#include "agent/rtp_receiver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 128, /* packets that wait for an earlier one; a power of two */
    JUMP = 3000,  /* farther than this is a new beginning, not a loss (RFC 3550 A.1) */
    MISORDER = 100
};

struct waiting {
    uint8_t *bytes; /* owned; NULL: an empty place */
    size_t len;
};

struct rtp_receiver {
    struct depacketiser *depacketiser; /* owned */
    uint8_t payload_type;
    bool is_unordered, has_begun, is_after_loss;
    uint32_t ssrc, clock_rate;
    uint16_t next; /* the sequence number that is due */
    uint32_t cycles;
    unsigned waiting_count;
    struct waiting window[WINDOW];
    struct rtp_receiver_counters counters;

    /* RFC 3550 section 6.4.1, appendix A.8 */
    uint32_t jitter, transit;
    uint64_t reported_lost, reported_packets;
    uint32_t last_sr;
    int64_t last_sr_us;
};

int rtp_receiver_open(struct rtp_receiver **out, const struct rtp_receiver_config *config)
{
    struct rtp_receiver *receiver = calloc(1, sizeof(*receiver));
    int err;

    if (!receiver)
        return -ENOMEM;
    receiver->payload_type = config->format.payload_type;
    receiver->clock_rate = config->format.clock_rate;
    receiver->is_unordered = config->is_unordered;
    err = depacketiser_open(&receiver->depacketiser, &config->format, config->sink);
    if (err < 0) {
        free(receiver);
        return err;
    }
    *out = receiver;
    return 0;
}

static void forget_waiting(struct rtp_receiver *receiver)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        free(receiver->window[i].bytes);
        receiver->window[i].bytes = NULL;
    }
    receiver->waiting_count = 0;
}

void rtp_receiver_close(struct rtp_receiver *receiver)
{
    if (!receiver)
        return;
    forget_waiting(receiver);
    depacketiser_close(receiver->depacketiser);
    free(receiver);
}

void rtp_receiver_set_unordered(struct rtp_receiver *receiver, bool is_unordered)
{
    receiver->is_unordered = is_unordered;
}

static void deliver(struct rtp_receiver *receiver, const struct rtp_packet *packet)
{
    if (packet->seq == 0xffff)
        receiver->cycles++;
    receiver->next = (uint16_t)(packet->seq + 1);
    if (depacketiser_push(receiver->depacketiser, packet, receiver->is_after_loss) < 0)
        receiver->counters.malformed++;
    receiver->is_after_loss = false;
}

static void begin(struct rtp_receiver *receiver, const struct rtp_packet *packet)
{
    forget_waiting(receiver);
    receiver->is_after_loss = receiver->has_begun;
    receiver->has_begun = true;
    receiver->ssrc = packet->ssrc;
    receiver->next = packet->seq;
}

/* Those that are next in line now. */
static void deliver_waiting(struct rtp_receiver *receiver)
{
    struct rtp_packet packet;

    while (receiver->waiting_count) {
        struct waiting *place = &receiver->window[receiver->next & (WINDOW - 1)];
        uint8_t *bytes = place->bytes;

        if (!bytes)
            return;
        place->bytes = NULL;
        receiver->waiting_count--;
        if (rtp_parse(&packet, bytes, place->len) == 0)
            deliver(receiver, &packet);
        free(bytes);
    }
}

/* Gives up on what is due, up to the first packet that waits. */
static void skip_lost(struct rtp_receiver *receiver)
{
    while (receiver->waiting_count && !receiver->window[receiver->next & (WINDOW - 1)].bytes) {
        if (receiver->next == 0xffff)
            receiver->cycles++;
        receiver->next++;
        receiver->counters.lost++;
        receiver->is_after_loss = true;
    }
    deliver_waiting(receiver);
}

static void keep_waiting(struct rtp_receiver *receiver, const struct rtp_packet *packet,
                         const uint8_t *bytes, size_t len)
{
    struct waiting *place = &receiver->window[packet->seq & (WINDOW - 1)];

    if (place->bytes)
        return; /* a duplicate */
    place->bytes = malloc(len ? len : 1);
    if (!place->bytes)
        return; /* lost, as UDP loses */
    memcpy(place->bytes, bytes, len);
    place->len = len;
    receiver->waiting_count++;
    receiver->counters.reordered++;
    if (receiver->waiting_count > WINDOW / 2)
        skip_lost(receiver);
}

static void note_jitter(struct rtp_receiver *receiver, const struct rtp_packet *packet,
                        int64_t arrival_us)
{
    uint32_t arrival = (uint32_t)(arrival_us / 1000 * receiver->clock_rate / 1000);
    uint32_t transit = arrival - packet->timestamp;
    int32_t step = (int32_t)(transit - receiver->transit);

    receiver->transit = transit;
    if (receiver->counters.packets > 1)
        receiver->jitter +=
            (uint32_t)((int64_t)(step < 0 ? -(int64_t)step : step) - (receiver->jitter >> 4)) >> 4;
}

void rtp_receiver_push(struct rtp_receiver *receiver, const uint8_t *bytes, size_t len,
                       int64_t arrival_us)
{
    struct rtp_packet packet;
    int16_t ahead;

    if (rtp_parse(&packet, bytes, len) < 0 || packet.payload_type != receiver->payload_type)
        return;
    receiver->counters.packets++;
    note_jitter(receiver, &packet, arrival_us);
    if (!receiver->has_begun || packet.ssrc != receiver->ssrc)
        begin(receiver, &packet);
    ahead = (int16_t)(packet.seq - receiver->next);
    if (ahead < -MISORDER || ahead > JUMP) {
        begin(receiver, &packet);
        ahead = 0;
    }
    if (ahead < 0)
        return; /* too late, or a duplicate */
    if (ahead > 0 && receiver->is_unordered && ahead < WINDOW) {
        keep_waiting(receiver, &packet, bytes, len);
        return;
    }
    if (ahead > 0) {
        receiver->counters.lost += (uint64_t)ahead;
        receiver->is_after_loss = true;
        forget_waiting(receiver);
    }
    deliver(receiver, &packet);
    deliver_waiting(receiver);
}

void rtp_receiver_heard(struct rtp_receiver *receiver, const struct rtcp_report *report,
                        int64_t arrival_us)
{
    receiver->last_sr = (uint32_t)(report->ntp >> 16);
    receiver->last_sr_us = arrival_us;
}

bool rtp_receiver_report(struct rtp_receiver *receiver, struct rtcp_receiver *out, int64_t now_us)
{
    const struct rtp_receiver_counters *counters = &receiver->counters;
    uint64_t lost = counters->lost - receiver->reported_lost;
    uint64_t expected = counters->packets - receiver->reported_packets + lost;

    if (!receiver->has_begun)
        return false;
    *out = (struct rtcp_receiver){.ssrc = receiver->ssrc ^ 0x43554c56,
                                  .media_ssrc = receiver->ssrc,
                                  .highest_seq =
                                      receiver->cycles << 16 | (uint16_t)(receiver->next - 1),
                                  .jitter = receiver->jitter,
                                  .last_sr = receiver->last_sr,
                                  .lost = (uint32_t)(counters->lost & 0x7fffff),
                                  .cname = "culvert-agent"};
    if (expected)
        out->fraction_lost = (uint8_t)(lost * 255 / expected);
    if (receiver->last_sr)
        out->since_sr = (uint32_t)((now_us - receiver->last_sr_us) * 65536 / 1000000);
    receiver->reported_lost = counters->lost;
    receiver->reported_packets = counters->packets;
    return true;
}

struct rtp_receiver_counters rtp_receiver_counters(const struct rtp_receiver *receiver)
{
    return receiver->counters;
}
