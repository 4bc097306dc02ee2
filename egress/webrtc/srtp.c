#include "egress/webrtc/srtp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <srtp2/srtp.h>

#include "egress/webrtc/srtp_gcm.h"

enum { REPLAY_WINDOW = 1024 };

struct srtp_pair {
    srtp_t out, in;       /* owned */
    struct srtp_gcm *gcm; /* owned: for outgoing media, where that is the cipher; or NULL */
};

int srtp_pair_start(void)
{
    return srtp_init() == srtp_err_status_ok ? 0 : -ERR_LIBRARY;
}

void srtp_pair_stop(void)
{
    (void)srtp_shutdown();
}

void srtp_pair_close(struct srtp_pair *pair)
{
    if (!pair)
        return;
    if (pair->out)
        (void)srtp_dealloc(pair->out);
    if (pair->in)
        (void)srtp_dealloc(pair->in);
    srtp_gcm_close(pair->gcm);
    free(pair);
}

static int open_one(srtp_t *out, enum srtp_kind kind, const uint8_t *key, srtp_ssrc_type_t type)
{
    uint8_t copy[SRTP_KEY_MAX];
    srtp_policy_t policy = {
        .ssrc = {.type = type}, .key = copy, .window_size = REPLAY_WINDOW, .allow_repeat_tx = 1};
    srtp_err_status_t status;

    if (kind == SRTP_KIND_AEAD_AES_128_GCM) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_rtp_default(&policy.rtp);
        srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    }
    memcpy(copy, key, sizeof(copy));
    status = srtp_create(out, &policy);
    explicit_bzero(copy, sizeof(copy));
    if (status == srtp_err_status_alloc_fail)
        return -ENOMEM;
    return status == srtp_err_status_ok ? 0 : -ERR_LIBRARY;
}

int srtp_pair_open(struct srtp_pair **out, const struct srtp_keys *keys)
{
    struct srtp_pair *pair = calloc(1, sizeof(*pair));
    int err;

    if (!pair)
        return -ENOMEM;
    err = open_one(&pair->out, keys->kind, keys->sent, ssrc_any_outbound);
    if (err == 0)
        err = open_one(&pair->in, keys->kind, keys->received, ssrc_any_inbound);
    if (err == 0 && keys->kind == SRTP_KIND_AEAD_AES_128_GCM)
        err = srtp_gcm_open(&pair->gcm, keys->sent, keys->sent + GCM_KEY_BYTES);
    if (err < 0) {
        srtp_pair_close(pair);
        return err;
    }
    *out = pair;
    return 0;
}

static ssize_t result_of(srtp_err_status_t status, int len)
{
    if (status == srtp_err_status_ok)
        return len;
    return status == srtp_err_status_auth_fail || status == srtp_err_status_replay_fail ||
                   status == srtp_err_status_replay_old
               ? -ERR_DENIED
               : -ERR_LIBRARY;
}

ssize_t srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    int new_len = (int)len;
    srtp_err_status_t status;

    if (pair->gcm)
        return srtp_gcm_protect(pair->gcm, packet, len);
    status = srtp_protect(pair->out, packet, &new_len);
    return result_of(status, new_len);
}

ssize_t srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    int new_len = (int)len;
    srtp_err_status_t status = srtp_protect_rtcp(pair->out, packet, &new_len);

    return result_of(status, new_len);
}

ssize_t srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    int new_len = (int)len;
    srtp_err_status_t status = srtp_unprotect_rtcp(pair->in, packet, &new_len);

    return result_of(status, new_len);
}
