#include "egress/webrtc/srtcp_gcm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    HEADER_BYTES = 8, /* authenticated, not encrypted: the first packet's head and SSRC */
    TRAILER_BYTES = GCM_TAG_BYTES + SRTCP_INDEX_BYTES,
    SOURCES_MAX = 8 /* of a viewer's SSRCs, those heard last */
};

static const uint32_t IS_ENCRYPTED = 1u << 31; /* beside the index */

/* What was seen of one sender (RFC 3711 section 3.3.2). */
struct window {
    uint32_t ssrc, highest;
    uint64_t seen; /* bit n: highest - n; 0: not in use */
};

struct srtcp_gcm {
    struct gcm_key sent, received;
    uint32_t last_index; /* of ours */
    struct window windows[SOURCES_MAX];
    unsigned next_window;
};

int srtcp_gcm_open(struct srtcp_gcm **out, struct gcm_master sent, struct gcm_master received)
{
    struct srtcp_gcm *gcm = calloc(1, sizeof(*gcm));
    int err;

    if (!gcm)
        return -ENOMEM;
    err = gcm_key_open(&gcm->sent, sent, GCM_USE_RTCP);
    if (err == 0)
        err = gcm_key_open(&gcm->received, received, GCM_USE_RTCP);
    if (err < 0) {
        srtcp_gcm_close(gcm);
        return err;
    }
    *out = gcm;
    return 0;
}

void srtcp_gcm_close(struct srtcp_gcm *gcm)
{
    if (!gcm)
        return;
    gcm_key_close(&gcm->sent);
    gcm_key_close(&gcm->received);
    free(gcm);
}

/* RFC 7714 section 9.1. */
static void make_iv(const struct gcm_key *key, const uint8_t *packet, uint32_t index,
                    uint8_t iv[GCM_SALT_BYTES])
{
    memset(iv, 0, GCM_SALT_BYTES);
    memcpy(iv + 2, packet + 4, 4);
    bytes_put_u32(iv + 8, index);
    gcm_key_salt(key, iv);
}

ssize_t srtcp_gcm_protect(struct srtcp_gcm *gcm, uint8_t *packet, size_t len)
{
    EVP_CIPHER_CTX *cipher = gcm->sent.cipher;
    uint8_t iv[GCM_SALT_BYTES], *tag = packet + len, *trailer = tag + GCM_TAG_BYTES;
    int body = (int)len - HEADER_BYTES, done;

    if (body < 0)
        return -ERR_PROTOCOL;
    if (gcm->last_index == IS_ENCRYPTED - 1)
        return -ERR_TOO_MANY;
    make_iv(&gcm->sent, packet, ++gcm->last_index, iv);
    bytes_put_u32(trailer, gcm->last_index | IS_ENCRYPTED);
    if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(cipher, NULL, &done, packet, HEADER_BYTES) != 1 ||
        EVP_EncryptUpdate(cipher, NULL, &done, trailer, SRTCP_INDEX_BYTES) != 1 ||
        EVP_EncryptUpdate(cipher, packet + HEADER_BYTES, &done, packet + HEADER_BYTES, body) != 1 ||
        EVP_EncryptFinal_ex(cipher, tag, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag) != 1)
        return -ERR_LIBRARY;
    return (ssize_t)len + TRAILER_BYTES;
}

/* ---- what comes --------------------------------------------------------------------------------
 */

static struct window *find_window(struct srtcp_gcm *gcm, uint32_t ssrc)
{
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        if (gcm->windows[i].seen && gcm->windows[i].ssrc == ssrc)
            return &gcm->windows[i];
    return NULL;
}

static bool was_seen(const struct window *window, uint32_t index)
{
    uint32_t behind = window->highest - index;

    if (index > window->highest)
        return false;
    return behind >= 64 || window->seen >> behind & 1;
}

/* The packet was authentic. A sender beyond SOURCES_MAX takes the place of the one that came
 * first. */
static void remember(struct srtcp_gcm *gcm, struct window *window, uint32_t ssrc, uint32_t index)
{
    uint32_t ahead;

    if (!window) {
        window = &gcm->windows[gcm->next_window++ % SOURCES_MAX];
        *window = (struct window){.ssrc = ssrc, .highest = index, .seen = 1};
        return;
    }
    if (index < window->highest) {
        window->seen |= (uint64_t)1 << (window->highest - index);
        return;
    }
    ahead = index - window->highest;
    window->seen = (ahead < 64 ? window->seen << ahead : 0) | 1;
    window->highest = index;
}

/* body: the encrypted bytes' count; the tag and the trailer follow them. */
static bool decrypt(struct gcm_key *key, uint8_t *packet, int body, uint32_t index)
{
    EVP_CIPHER_CTX *cipher = key->cipher;
    uint8_t iv[GCM_SALT_BYTES], *text = packet + HEADER_BYTES, *tag = text + body;
    int done;

    make_iv(key, packet, index, iv);
    return EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, iv) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, tag) == 1 &&
           EVP_DecryptUpdate(cipher, NULL, &done, packet, HEADER_BYTES) == 1 &&
           EVP_DecryptUpdate(cipher, NULL, &done, tag + GCM_TAG_BYTES, SRTCP_INDEX_BYTES) == 1 &&
           EVP_DecryptUpdate(cipher, text, &done, text, body) == 1 &&
           EVP_DecryptFinal_ex(cipher, tag, &done) == 1;
}

ssize_t srtcp_gcm_unprotect(struct srtcp_gcm *gcm, uint8_t *packet, size_t len)
{
    struct window *window;
    uint32_t ssrc, index;

    if (len < HEADER_BYTES + TRAILER_BYTES)
        return -ERR_DENIED;
    ssrc = bytes_u32(packet + 4);
    index = bytes_u32(packet + len - SRTCP_INDEX_BYTES);
    if (!(index & IS_ENCRYPTED))
        return -ERR_DENIED;
    index &= ~IS_ENCRYPTED;
    window = find_window(gcm, ssrc);
    if (window && was_seen(window, index))
        return -ERR_DENIED;
    if (!decrypt(&gcm->received, packet, (int)(len - HEADER_BYTES - TRAILER_BYTES), index))
        return -ERR_DENIED;
    remember(gcm, window, ssrc, index);
    return (ssize_t)len - TRAILER_BYTES;
}
