/* egress/webrtc/gcm_key.h: a session key of AEAD_AES_128_GCM (RFC 7714), derived from a master key;
 * private to srtp_gcm.c and srtcp_gcm.c.
 */
#pragma once

#include <stdint.h>

#include <openssl/evp.h>

#include "base/err.h"

enum { GCM_KEY_BYTES = 16, GCM_SALT_BYTES = 12, GCM_TAG_BYTES = 16 };

/* What a key is for: the label of its derivation (RFC 3711 section 4.3.2). The salt's is two on. */
enum gcm_use { GCM_USE_RTP = 0, GCM_USE_RTCP = 3 };

struct gcm_key {
    EVP_CIPHER_CTX *cipher; /* owned; has the session key, for both directions */
    uint8_t salt[GCM_SALT_BYTES];
};

/* A master key with its salt: what DTLS gives for one direction. */
struct gcm_master {
    const uint8_t *key, *salt; /* borrowed */
};

/* *key is zero before. 0 or -ENOMEM, -ERR_LIBRARY; gcm_key_close is right after both. */
int gcm_key_open(struct gcm_key *key, struct gcm_master master, enum gcm_use use) MUST_CHECK;
void gcm_key_close(struct gcm_key *key);

/* Makes a packet's nonce of its numbers: XOR with the salt, in place. */
static inline void gcm_key_salt(const struct gcm_key *key, uint8_t iv[GCM_SALT_BYTES])
{
    for (unsigned i = 0; i < GCM_SALT_BYTES; i++)
        iv[i] ^= key->salt[i];
}
