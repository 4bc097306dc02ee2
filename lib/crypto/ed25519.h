/* crypto/ed25519.h: signatures (RFC 8032). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ED25519_PUBLIC_KEY = 32, ED25519_PRIVATE_KEY = 32, ED25519_SIGNATURE = 64 };

/* A fresh key pair. 0 or -ERR_LIBRARY. */
int ed25519_make_key(uint8_t private_key[ED25519_PRIVATE_KEY],
                     uint8_t public_key[ED25519_PUBLIC_KEY]) MUST_CHECK;

/* The public key of a private one. */
int ed25519_public_key(const uint8_t private_key[ED25519_PRIVATE_KEY],
                       uint8_t public_key[ED25519_PUBLIC_KEY]) MUST_CHECK;

int ed25519_sign(const uint8_t private_key[ED25519_PRIVATE_KEY], const void *bytes, size_t len,
                 uint8_t signature[ED25519_SIGNATURE]) MUST_CHECK;

/* 0, or -ERR_AUTH: not that key's signature of those bytes. */
int ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_KEY], const void *bytes, size_t len,
                   const uint8_t signature[ED25519_SIGNATURE]) MUST_CHECK;
