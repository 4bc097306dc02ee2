#include "egress/webrtc/srtp_gcm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { HEADER_BYTES = 12, EXTENSION_HEAD = 4, LABEL_KEY = 0, LABEL_SALT = 2, SALT_ROOM = 14 };

/* What a packet's index is guessed by (RFC 3711 section 3.3.1). */
struct source {
    uint32_t ssrc, rollovers;
    uint16_t highest;
};

struct srtp_gcm {
    EVP_CIPHER_CTX *cipher; /* owned; has the session key */
    uint8_t salt[GCM_SALT_BYTES];
    struct source sources[GCM_SOURCES_MAX];
    unsigned source_count;
};

/* RFC 3711 section 4.3.3, with a key derivation rate of 0: AES in counter mode, from the master
 * salt with the label in it. GCM's salt is two bytes shorter, with zeros after it (RFC 7714 section
 * 11). */
static int derive(const uint8_t *key, const uint8_t *salt, uint8_t label, uint8_t *out, int len)
{
    static const uint8_t zeros[GCM_KEY_BYTES];
    uint8_t counter[16] = {0};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done = 0, made = 0;

    if (!cipher)
        return -ENOMEM;
    memcpy(counter, salt, GCM_SALT_BYTES);
    counter[SALT_ROOM - 7] ^= label;
    if (EVP_EncryptInit_ex(cipher, EVP_aes_128_ctr(), NULL, key, counter) == 1)
        done = EVP_EncryptUpdate(cipher, out, &made, zeros, len);
    EVP_CIPHER_CTX_free(cipher);
    return done == 1 && made == len ? 0 : -ERR_LIBRARY;
}

static int set_keys(struct srtp_gcm *gcm, const uint8_t *key, const uint8_t *salt)
{
    uint8_t session_key[GCM_KEY_BYTES];
    int err = derive(key, salt, LABEL_KEY, session_key, sizeof(session_key));

    if (err == 0)
        err = derive(key, salt, LABEL_SALT, gcm->salt, sizeof(gcm->salt));
    if (err == 0 &&
        EVP_EncryptInit_ex(gcm->cipher, EVP_aes_128_gcm(), NULL, session_key, NULL) != 1)
        err = -ERR_LIBRARY;
    OPENSSL_cleanse(session_key, sizeof(session_key));
    return err;
}

int srtp_gcm_open(struct srtp_gcm **out, const uint8_t key[GCM_KEY_BYTES],
                  const uint8_t salt[GCM_SALT_BYTES])
{
    struct srtp_gcm *gcm = calloc(1, sizeof(*gcm));
    int err = -ENOMEM;

    if (!gcm)
        return -ENOMEM;
    gcm->cipher = EVP_CIPHER_CTX_new();
    if (gcm->cipher)
        err = set_keys(gcm, key, salt);
    if (err < 0) {
        srtp_gcm_close(gcm);
        return err;
    }
    *out = gcm;
    return 0;
}

void srtp_gcm_close(struct srtp_gcm *gcm)
{
    if (!gcm)
        return;
    EVP_CIPHER_CTX_free(gcm->cipher);
    OPENSSL_cleanse(gcm, sizeof(*gcm));
    free(gcm);
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static struct source *find_source(struct srtp_gcm *gcm, uint32_t ssrc, uint16_t seq)
{
    for (unsigned i = 0; i < gcm->source_count; i++)
        if (gcm->sources[i].ssrc == ssrc)
            return &gcm->sources[i];
    if (gcm->source_count == GCM_SOURCES_MAX)
        return NULL;
    gcm->sources[gcm->source_count] = (struct source){.ssrc = ssrc, .highest = seq};
    return &gcm->sources[gcm->source_count++];
}

/* How often the sequence number has rolled over at this packet, which may be an old one again. */
static uint32_t rollovers_at(struct source *source, uint16_t seq)
{
    int16_t ahead = (int16_t)(seq - source->highest);

    if (ahead < 0)
        return seq > source->highest ? source->rollovers - 1 : source->rollovers;
    if (seq < source->highest)
        source->rollovers++;
    source->highest = seq;
    return source->rollovers;
}

/* RFC 7714 section 8.1. */
static void make_iv(const struct srtp_gcm *gcm, const uint8_t *packet, uint32_t rollovers,
                    uint8_t iv[GCM_SALT_BYTES])
{
    memset(iv, 0, 2);
    memcpy(iv + 2, packet + 8, 4);
    for (unsigned i = 0; i < 4; i++)
        iv[6 + i] = (uint8_t)(rollovers >> (24 - 8 * i));
    memcpy(iv + 10, packet + 2, 2);
    for (unsigned i = 0; i < GCM_SALT_BYTES; i++)
        iv[i] ^= gcm->salt[i];
}

/* The header with its extension: authenticated, not encrypted. 0: not of our making. */
static size_t header_len(const uint8_t *packet, size_t len)
{
    size_t header = HEADER_BYTES;

    if (len < HEADER_BYTES || (packet[0] & 0xef) != 0x80)
        return 0;
    if (packet[0] & 0x10) {
        if (len < HEADER_BYTES + EXTENSION_HEAD)
            return 0;
        header += EXTENSION_HEAD + 4 * ((size_t)packet[14] << 8 | packet[15]);
    }
    return header <= len ? header : 0;
}

ssize_t srtp_gcm_protect(struct srtp_gcm *gcm, uint8_t *packet, size_t len)
{
    size_t header = header_len(packet, len);
    uint16_t seq = (uint16_t)(header ? packet[2] << 8 | packet[3] : 0);
    struct source *source = header ? find_source(gcm, read_u32(packet + 8), seq) : NULL;
    uint8_t iv[GCM_SALT_BYTES];
    int done;

    if (!source)
        return header ? -ERR_TOO_MANY : -ERR_PROTOCOL;
    make_iv(gcm, packet, rollovers_at(source, seq), iv);
    if (EVP_EncryptInit_ex(gcm->cipher, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(gcm->cipher, NULL, &done, packet, (int)header) != 1 ||
        EVP_EncryptUpdate(gcm->cipher, packet + header, &done, packet + header,
                          (int)(len - header)) != 1 ||
        EVP_EncryptFinal_ex(gcm->cipher, packet + len, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(gcm->cipher, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, packet + len) != 1)
        return -ERR_LIBRARY;
    return (ssize_t)(len + GCM_TAG_BYTES);
}
