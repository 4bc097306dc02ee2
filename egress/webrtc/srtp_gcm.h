/* egress/webrtc/srtp_gcm.h: SRTP of outgoing media with AEAD_AES_128_GCM (RFC 7714) on OpenSSL;
 * private to srtp.c.
 *
 * libsrtp2 does the same; but Debian's rests on NSS, whose locks and allocations cost more than the
 * cipher (docs/decisions/0007). This is the one thing done for each packet and viewer.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "egress/webrtc/gcm_key.h"

enum { GCM_SOURCES_MAX = 4 };

struct srtp_gcm;

/* 0 or -ENOMEM, -ERR_LIBRARY. */
int srtp_gcm_open(struct srtp_gcm **out, struct gcm_master sent) MUST_CHECK;
void srtp_gcm_close(struct srtp_gcm *gcm);

/* As srtp_pair_protect: a whole RTP packet of ours, without CSRCs, of which rest is encrypted into
 * its place. -ERR_PROTOCOL for what is no such packet, -ERR_TOO_MANY past GCM_SOURCES_MAX SSRCs. */
ssize_t srtp_gcm_protect(struct srtp_gcm *gcm, uint8_t *packet, size_t len, const uint8_t *rest,
                         size_t rest_len);
