/* crypto/hpke.h: hybrid public key encryption (RFC 9180), base mode, one message a key.
 *
 * DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, and AES-256-GCM (AES-128-GCM for the RFC's vectors).
 * What comes out is the encapsulated key (65 bytes) followed by the ciphertext with its tag.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    HPKE_PUBLIC_KEY = 65, /* an uncompressed P-256 point */
    HPKE_PRIVATE_KEY = 32,
    HPKE_TAG = 16,
    HPKE_OVERHEAD = HPKE_PUBLIC_KEY + HPKE_TAG
};

enum hpke_aead { HPKE_AES_128_GCM = 1, HPKE_AES_256_GCM = 2 };

/* Bytes that are borrowed. */
struct hpke_bytes {
    const void *bytes;
    size_t len;
};

/* What sender and receiver must have in common. */
struct hpke_context {
    enum hpke_aead aead;
    struct hpke_bytes info, aad;
};

/* A camera's URL as it is sealed to its agent: info "culvert camera url v1", AES-256-GCM, and
 * the agent's id as aad, so that what is sealed for one agent is nothing to another. */
struct hpke_context hpke_camera_url(const char *agent_id);

/* A fresh key pair. 0 or -ERR_LIBRARY. */
int hpke_make_key(uint8_t private_key[HPKE_PRIVATE_KEY],
                  uint8_t public_key[HPKE_PUBLIC_KEY]) MUST_CHECK;

/* out has room for plain.len + HPKE_OVERHEAD, which is what is written. -ERR_PROTOCOL: the
 * public key is none. */
int hpke_seal(const struct hpke_context *context, const uint8_t public_key[HPKE_PUBLIC_KEY],
              struct hpke_bytes plain, uint8_t *out) MUST_CHECK;

/* out has room for sealed.len - HPKE_OVERHEAD, which is what is written. -ERR_AUTH: sealed to
 * another key, for another context, or changed; -ERR_PROTOCOL: too short, or no key in it. */
int hpke_open(const struct hpke_context *context, const uint8_t private_key[HPKE_PRIVATE_KEY],
              struct hpke_bytes sealed, uint8_t *out) MUST_CHECK;

/* As hpke_seal with the sender's key given: only for the RFC's test vectors. */
int hpke_seal_with(const struct hpke_context *context, const uint8_t sender_key[HPKE_PRIVATE_KEY],
                   const uint8_t public_key[HPKE_PUBLIC_KEY], struct hpke_bytes plain,
                   uint8_t *out) MUST_CHECK;
