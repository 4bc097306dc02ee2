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
    FILTER_WINDOW_MAX = 128 * 1024, /* packets: libsrt's loss list is made for as many */
    FILTER_LEVEL_BITS = 2,
    FILTER_LEVEL_MAX = 8
};

/* On a UDP socket, in place of the filter it may have. At level 0 all callers come through, at each
 * further level by chance a quarter of them: their next try is 250 ms later. 0 or -errno. */
int filter_attach(int fd, unsigned level) MUST_CHECK;
