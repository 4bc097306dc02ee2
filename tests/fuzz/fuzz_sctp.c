#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/loop.h"
#include "unit/egress/webrtc/sctp_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void on_any(void *owner)
{
    (void)owner;
}

/* Packets into an open association: a byte of length (of four bytes each), then that many bytes of
 * chunks, which get a right header; 0 lets a second pass. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct sctp_handler handler = {peer_on_output, on_any, on_any};
    static struct loop *loop;
    struct sctp_peer peer = {0};

    if (!loop && (sctp_start() || loop_new(&loop, 0)))
        abort();
    if (sctp_open(&peer.sctp, loop, PEER_PORT, &handler, &peer))
        abort();
    peer_send_data(&peer, (struct peer_head){3, 1, 0, 50}, "\2", 1);
    while (len > 0) {
        size_t piece = (size_t)bytes[0] * 4 < len - 1 ? (size_t)bytes[0] * 4 : len - 1;

        if (piece > 0)
            peer_send(&peer, bytes + 1, piece);
        else
            sctp_tick(1000);
        loop_drain(loop);
        bytes += piece + 1;
        len -= piece + 1;
    }
    (void)!sctp_send_text(peer.sctp, "hello", 5);
    sctp_close(peer.sctp);
    sctp_tick(1000);
    loop_drain(loop);
    return 0;
}
