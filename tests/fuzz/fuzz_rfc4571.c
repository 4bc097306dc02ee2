/* A TCP stream of framed packets: whole, and cut into pieces, it must hold the same. */
#include <stdlib.h>

#include "egress/webrtc/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct heard {
    size_t count, payload;
    uint32_t sum;
    ssize_t err;
};

/* As a connection offers its input: step more bytes at a time, after what was not taken yet. */
static struct heard listen_to(const uint8_t *bytes, size_t len, size_t step)
{
    struct heard heard = {.count = 0};
    size_t used = 0;

    for (size_t end = 0; end < len && heard.err == 0;) {
        struct framed packet;
        ssize_t taken;

        end = len - end < step ? len : end + step;
        while ((taken = framing_next(&packet, bytes + used, end - used)) > 0) {
            if (packet.len > FRAMING_PACKET_MAX || packet.bytes + packet.len > bytes + end)
                abort();
            used += (size_t)taken;
            heard.count++;
            heard.payload += packet.len;
            for (size_t i = 0; i < packet.len; i++)
                heard.sum = heard.sum * 31 + packet.bytes[i];
        }
        heard.err = taken;
    }
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct heard whole, pieces;

    if (len < 2)
        return 0;
    whole = listen_to(bytes + 1, len - 1, len);
    pieces = listen_to(bytes + 1, len - 1, bytes[0] ? bytes[0] : 1);
    if (whole.count != pieces.count || whole.payload != pieces.payload || whole.sum != pieces.sum ||
        whole.err != pieces.err)
        abort();
    return 0;
}
