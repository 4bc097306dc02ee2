/* egress/webrtc/framing.h: packets in a stream of bytes, each behind its length (RFC 4571); private
 * to egress/webrtc/. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    FRAMING_BYTES = 2,
    FRAMING_PACKET_MAX = 2048 /* of what a viewer sends: a DTLS record, RTCP, STUN */
};

/* Borrowed from the bytes that it was found in. */
struct framed {
    const uint8_t *bytes;
    size_t len; /* may be 0 */
};

/* The packet that the bytes begin with. Returns how many of them it takes, its length included; 0
 * until all of it is there; -ERR_TOO_LONG as soon as its length is. */
ssize_t framing_next(struct framed *out, const uint8_t *bytes, size_t len) MUST_CHECK;
