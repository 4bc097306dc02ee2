/* rtmp/handshake.h: the server's half of RTMP's handshake, simple (Adobe's specification 1.0,
 * section 5.2) and with digests, as Flash players and ffmpeg check them. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    RTMP_VERSION = 3,
    RTMP_HANDSHAKE = 1536,                     /* C1, C2, S1, S2 */
    RTMP_HELLO = 1 + RTMP_HANDSHAKE,           /* C0 and C1 */
    RTMP_ANSWER = RTMP_HELLO + RTMP_HANDSHAKE, /* S0, S1 and S2 */
};

/* Answers C0 and C1. 0, -ERR_VERSION when C0 is of another version (RTMPE, or no RTMP at all), or
 * -ERR_LIBRARY. What follows, C2, says nothing that must be checked. */
int rtmp_handshake(const uint8_t hello[RTMP_HELLO], uint8_t answer[RTMP_ANSWER]) MUST_CHECK;
