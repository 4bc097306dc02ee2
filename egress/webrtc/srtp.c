#include "egress/webrtc/srtp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <srtp2/srtp.h>

#include "egress/webrtc/srtcp_gcm.h"
#include "egress/webrtc/srtp_gcm.h"

enum { REPLAY_WINDOW = 128 };

/* Either libsrtp2's two, for AES_CM_128_HMAC_SHA1_80, or our two, for AEAD_AES_128_GCM. All owned.
 */
struct srtp_pair {
    srtp_t out, in;
    struct srtp_gcm *media;
    struct srtcp_gcm *control;
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
    srtp_gcm_close(pair->media);
    srtcp_gcm_close(pair->control);
    free(pair);
}

static int open_one(srtp_t *out, const uint8_t *key, srtp_ssrc_type_t type)
{
    uint8_t copy[SRTP_KEY_MAX];
    srtp_policy_t policy = {
        .ssrc = {.type = type}, .key = copy, .window_size = REPLAY_WINDOW, .allow_repeat_tx = 1};
    srtp_err_status_t status;

    srtp_crypto_policy_set_rtp_default(&policy.rtp);
    srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    memcpy(copy, key, sizeof(copy));
    status = srtp_create(out, &policy);
    explicit_bzero(copy, sizeof(copy));
    if (status == srtp_err_status_alloc_fail)
        return -ENOMEM;
    return status == srtp_err_status_ok ? 0 : -ERR_LIBRARY;
}

static int open_cm(struct srtp_pair *pair, const struct srtp_keys *keys)
{
    int err = open_one(&pair->out, keys->sent, ssrc_any_outbound);

    return err < 0 ? err : open_one(&pair->in, keys->received, ssrc_any_inbound);
}

static int open_gcm(struct srtp_pair *pair, const struct srtp_keys *keys)
{
    struct gcm_master sent = {keys->sent, keys->sent + GCM_KEY_BYTES};
    struct gcm_master received = {keys->received, keys->received + GCM_KEY_BYTES};
    int err = srtp_gcm_open(&pair->media, sent);

    return err < 0 ? err : srtcp_gcm_open(&pair->control, sent, received);
}

int srtp_pair_open(struct srtp_pair **out, const struct srtp_keys *keys)
{
    struct srtp_pair *pair = calloc(1, sizeof(*pair));
    int err;

    if (!pair)
        return -ENOMEM;
    err = keys->kind == SRTP_KIND_AEAD_AES_128_GCM ? open_gcm(pair, keys) : open_cm(pair, keys);
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

ssize_t srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t len, const uint8_t *rest,
                          size_t rest_len)
{
    int new_len = (int)(len + rest_len);
    srtp_err_status_t status;

    if (pair->media)
        return srtp_gcm_protect(pair->media, packet, len, rest, rest_len);
    if (rest_len > 0)
        memcpy(packet + len, rest, rest_len);
    status = srtp_protect(pair->out, packet, &new_len);
    return result_of(status, new_len);
}

ssize_t srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    int new_len = (int)len;
    srtp_err_status_t status;

    if (pair->control)
        return srtcp_gcm_protect(pair->control, packet, len);
    status = srtp_protect_rtcp(pair->out, packet, &new_len);
    return result_of(status, new_len);
}

ssize_t srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    int new_len = (int)len;
    srtp_err_status_t status;

    if (pair->control)
        return srtcp_gcm_unprotect(pair->control, packet, len);
    status = srtp_unprotect_rtcp(pair->in, packet, &new_len);
    return result_of(status, new_len);
}
