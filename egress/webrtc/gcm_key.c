#include "egress/webrtc/gcm_key.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

enum { SALT_ROOM = 14, LABEL_TO_SALT = 2 };

/* RFC 3711 section 4.3.3, with a key derivation rate of 0: AES in counter mode, from the master
 * salt with the label in it. GCM's salt is two bytes shorter, with zeros after it (RFC 7714 section
 * 11). */
static int derive(struct gcm_master master, unsigned label, uint8_t *out, int len)
{
    static const uint8_t zeros[GCM_KEY_BYTES];
    uint8_t counter[16] = {0};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done = 0, made = 0;

    if (!cipher)
        return -ENOMEM;
    memcpy(counter, master.salt, GCM_SALT_BYTES);
    counter[SALT_ROOM - 7] ^= (uint8_t)label;
    if (EVP_EncryptInit_ex(cipher, EVP_aes_128_ctr(), NULL, master.key, counter) == 1)
        done = EVP_EncryptUpdate(cipher, out, &made, zeros, len);
    EVP_CIPHER_CTX_free(cipher);
    return done == 1 && made == len ? 0 : -ERR_LIBRARY;
}

int gcm_key_open(struct gcm_key *key, struct gcm_master master, enum gcm_use use)
{
    uint8_t session_key[GCM_KEY_BYTES];
    int err;

    key->cipher = EVP_CIPHER_CTX_new();
    if (!key->cipher)
        return -ENOMEM;
    err = derive(master, use, session_key, sizeof(session_key));
    if (err == 0)
        err = derive(master, use + LABEL_TO_SALT, key->salt, sizeof(key->salt));
    if (err == 0 &&
        EVP_EncryptInit_ex(key->cipher, EVP_aes_128_gcm(), NULL, session_key, NULL) != 1)
        err = -ERR_LIBRARY;
    OPENSSL_cleanse(session_key, sizeof(session_key));
    return err;
}

void gcm_key_close(struct gcm_key *key)
{
    EVP_CIPHER_CTX_free(key->cipher);
    OPENSSL_cleanse(key, sizeof(*key));
}
