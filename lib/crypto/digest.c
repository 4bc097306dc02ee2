#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int sha256_make(const void *bytes, size_t len, uint8_t out[SHA256_BYTES])
{
    return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ERR_LIBRARY;
}

int md5_make(const void *bytes, size_t len, uint8_t out[MD5_BYTES])
{
    return EVP_Digest(bytes, len, out, NULL, EVP_md5(), NULL) == 1 ? 0 : -ERR_LIBRARY;
}

/* HMAC takes no NULL for a key, not even an empty one. */
static const void *key_bytes(const struct hmac_key *key)
{
    static const uint8_t none[1];

    return key->len ? key->bytes : none;
}

int hmac_make(struct hmac_key key, const void *bytes, size_t len, uint8_t out[SHA256_BYTES])
{
    return HMAC(EVP_sha256(), key_bytes(&key), (int)key.len, bytes, len, out, NULL) ? 0
                                                                                    : -ERR_LIBRARY;
}

int hmac_sha1_make(struct hmac_key key, const void *bytes, size_t len, uint8_t out[SHA1_BYTES])
{
    return HMAC(EVP_sha1(), key_bytes(&key), (int)key.len, bytes, len, out, NULL) ? 0
                                                                                  : -ERR_LIBRARY;
}

bool secret_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}
