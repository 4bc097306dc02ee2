/* egress/webrtc/srtcp_gcm.h: SRTCP both ways with AEAD_AES_128_GCM (RFC 7714 section 9) on OpenSSL;
 * private to srtp.c.
 *
 * Every viewer's feedback comes ten times a second: with libsrtp2 on NSS it cost a seventh of all
 * that the server does for a viewer (docs/decisions/0007).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "egress/webrtc/gcm_key.h"

enum { SRTCP_INDEX_BYTES = 4 };

struct srtcp_gcm;

/* 0 or -ENOMEM, -ERR_LIBRARY. */
int srtcp_gcm_open(struct srtcp_gcm **out, struct gcm_master sent,
                   struct gcm_master received) MUST_CHECK;
void srtcp_gcm_close(struct srtcp_gcm *gcm);

/* In place, with room for GCM_TAG_BYTES + SRTCP_INDEX_BYTES more. Returns the new length,
 * -ERR_PROTOCOL for what has no RTCP header, -ERR_TOO_MANY after 2^31 packets. */
ssize_t srtcp_gcm_protect(struct srtcp_gcm *gcm, uint8_t *packet, size_t len);

/* In place. Returns the new length; -ERR_DENIED: a wrong tag, not encrypted, or seen before (or too
 * old to tell, more than 64 packets late). */
ssize_t srtcp_gcm_unprotect(struct srtcp_gcm *gcm, uint8_t *packet, size_t len);
