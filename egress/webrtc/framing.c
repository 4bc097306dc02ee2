#include "egress/webrtc/framing.h"

ssize_t framing_next(struct framed *out, const uint8_t *bytes, size_t len)
{
    size_t packet_len;

    if (len < FRAMING_BYTES)
        return 0;
    packet_len = (size_t)bytes[0] << 8 | bytes[1];
    if (packet_len > FRAMING_PACKET_MAX)
        return -ERR_TOO_LONG;
    if (len - FRAMING_BYTES < packet_len)
        return 0;
    *out = (struct framed){bytes + FRAMING_BYTES, packet_len};
    return (ssize_t)(FRAMING_BYTES + packet_len);
}
