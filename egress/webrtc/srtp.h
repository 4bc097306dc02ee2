/* egress/webrtc/srtp.h: SRTP and SRTCP with one viewer (RFC 3711, RFC 7714). The only file that
 * knows libsrtp2.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* As DTLS-SRTP numbers them (RFC 5764 section 4.1.2, RFC 7714 section 14.2). */
enum srtp_kind { SRTP_KIND_AES128_CM_SHA1_80 = 1, SRTP_KIND_AEAD_AES_128_GCM = 7 };

enum {
    SRTP_KEY_MAX = 30,     /* key and salt of one direction */
    SRTP_OVERHEAD_MAX = 40 /* what protecting adds at most, SRTCP's index included */
};

struct srtp_keys {
    enum srtp_kind kind;
    uint8_t sent[SRTP_KEY_MAX], received[SRTP_KEY_MAX]; /* key, then salt */
};

struct srtp_pair;

/* Once in the process, before any pair; and once at its end. */
int srtp_pair_start(void) MUST_CHECK;
void srtp_pair_stop(void);

/* 0 or -ENOMEM, -ERR_LIBRARY. keys are copied. */
int srtp_pair_open(struct srtp_pair **out, const struct srtp_keys *keys) MUST_CHECK;
void srtp_pair_close(struct srtp_pair *pair);

/* packet has the first len bytes, its RTP header among them, and room for all of it and
 * SRTP_OVERHEAD_MAX more; rest follows them, and is not copied before. Returns the new length, or a
 * negative error. The same RTP packet again (a retransmission without RTX) must be the same in
 * every byte. */
ssize_t srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t len, const uint8_t *rest,
                          size_t rest_len);

/* In place, with that room. Returns the new length, or a negative error. */
ssize_t srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len);

/* In place; -ERR_DENIED: a wrong tag, or seen before. */
ssize_t srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len);
