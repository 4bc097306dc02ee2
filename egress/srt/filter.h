/* egress/srt/filter.h: what of the network libsrt gets to see.
 *
 * A packet filter in the kernel. Viewers send us handshakes and a few kinds of control packets; all
 * else, and what is too short or too long for its kind, is dropped before libsrt 1.5.1 could read
 * past its end or make room for what it claims.
 */
#pragma once

#include "base/err.h"

enum {
    FILTER_MSS_MIN = 1360, /* a message of 1316 bytes, in one packet */
    FILTER_WINDOW_MIN = 32,
    FILTER_WINDOW_MAX = 128 * 1024 /* packets: libsrt's loss list is made for as many */
};

/* On a UDP socket, before libsrt has it: 0 or -errno. */
int filter_attach(int fd) MUST_CHECK;
