#include "crypto/ed25519.h"

#include <openssl/evp.h>

#include "base/random.h"

int ed25519_public_key(const uint8_t private_key[ED25519_PRIVATE_KEY],
                       uint8_t public_key[ED25519_PUBLIC_KEY])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_PRIVATE_KEY);
    size_t len = ED25519_PUBLIC_KEY;
    int ok = key && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1;

    EVP_PKEY_free(key);
    return ok ? 0 : -ERR_LIBRARY;
}

int ed25519_make_key(uint8_t private_key[ED25519_PRIVATE_KEY],
                     uint8_t public_key[ED25519_PUBLIC_KEY])
{
    random_bytes(private_key, ED25519_PRIVATE_KEY);
    return ed25519_public_key(private_key, public_key);
}

int ed25519_sign(const uint8_t private_key[ED25519_PRIVATE_KEY], const void *bytes, size_t len,
                 uint8_t signature[ED25519_SIGNATURE])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_PRIVATE_KEY);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t signature_len = ED25519_SIGNATURE;
    int ok = key && md && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(md, signature, &signature_len, bytes, len) == 1;

    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return ok ? 0 : -ERR_LIBRARY;
}

int ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_KEY], const void *bytes, size_t len,
                   const uint8_t signature[ED25519_SIGNATURE])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC_KEY);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = key && md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestVerify(md, signature, ED25519_SIGNATURE, bytes, len) == 1;

    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return ok ? 0 : -ERR_AUTH;
}
