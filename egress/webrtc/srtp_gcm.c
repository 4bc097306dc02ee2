#include "egress/webrtc/srtp_gcm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { HEADER_BYTES = 12, EXTENSION_HEAD = 4 };

/* What a packet's index is guessed by (RFC 3711 section 3.3.1). */
struct source {
    uint32_t ssrc, rollovers;
    uint16_t highest;
};

struct srtp_gcm {
    struct gcm_key key;
    struct source sources[GCM_SOURCES_MAX];
    unsigned source_count;
};

int srtp_gcm_open(struct srtp_gcm **out, struct gcm_master sent)
{
    struct srtp_gcm *gcm = calloc(1, sizeof(*gcm));
    int err;

    if (!gcm)
        return -ENOMEM;
    err = gcm_key_open(&gcm->key, sent, GCM_USE_RTP);
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
    gcm_key_close(&gcm->key);
    free(gcm);
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
    bytes_put_u32(iv + 6, rollovers);
    memcpy(iv + 10, packet + 2, 2);
    gcm_key_salt(&gcm->key, iv);
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
        header += EXTENSION_HEAD + 4 * (size_t)bytes_u16(packet + 14);
    }
    return header <= len ? header : 0;
}

ssize_t srtp_gcm_protect(struct srtp_gcm *gcm, uint8_t *packet, size_t len, const uint8_t *rest,
                         size_t rest_len)
{
    size_t header = header_len(packet, len);
    uint16_t seq = (uint16_t)(header ? bytes_u16(packet + 2) : 0);
    struct source *source = header ? find_source(gcm, bytes_u32(packet + 8), seq) : NULL;
    uint8_t iv[GCM_SALT_BYTES], *text = packet + header, *tag = packet + len + rest_len;
    EVP_CIPHER_CTX *cipher = gcm->key.cipher;
    int done;

    if (!source)
        return header ? -ERR_TOO_MANY : -ERR_PROTOCOL;
    make_iv(gcm, packet, rollovers_at(source, seq), iv);
    if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(cipher, NULL, &done, packet, (int)header) != 1 ||
        (len > header && EVP_EncryptUpdate(cipher, text, &done, text, (int)(len - header)) != 1) ||
        (rest_len > 0 &&
         EVP_EncryptUpdate(cipher, packet + len, &done, rest, (int)rest_len) != 1) ||
        EVP_EncryptFinal_ex(cipher, tag, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag) != 1)
        return -ERR_LIBRARY;
    return tag + GCM_TAG_BYTES - packet;
}
