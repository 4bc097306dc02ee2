#include <stddef.h>
#include <stdint.h>

#include "media/format/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rtp_packet packet;
    volatile uint8_t sink = 0;

    if (rtp_parse(&packet, bytes, len))
        return 0;
    for (size_t i = 0; i < packet.payload_len; i++)
        sink ^= packet.payload[i];
    return 0;
}
