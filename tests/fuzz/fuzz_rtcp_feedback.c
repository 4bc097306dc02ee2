#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "egress/webrtc/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void on_block(void *owner, const struct rtcp_block *block)
{
    (void)owner;
    if (block->lost < -0x800000 || block->lost > 0x7fffff ||
        rtcp_round_trip_us(block, (uint64_t)block->jitter << 16) < -1)
        abort();
}

static void on_nack(void *owner, uint32_t ssrc, uint16_t seq)
{
    unsigned *nacks = owner;

    (void)ssrc;
    (void)seq;
    if (++*nacks > RTCP_NACKS_MAX)
        abort();
}

static void on_arrival(void *owner, uint16_t seq, int64_t arrival_us)
{
    (void)owner;
    (void)seq;
    if (arrival_us < -1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct rtcp_reader reader = {
        .on_block = on_block, .on_nack = on_nack, .on_arrival = on_arrival};
    unsigned nacks = 0;

    (void)!rtcp_read(bytes, len, &reader, &nacks);
    return 0;
}
