#include "crypto/hpke.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto/digest.h"

enum { KEM_ID = 0x0010, KDF_ID = 0x0001, NONCE = 12, KEY_MAX = 32, SHARED = 32, INFO_MAX = 256 };
enum { SUITE_KEM = 5, SUITE_HPKE = 10 };

/* HKDF's messages here are short: labels, keys, and an info of at most INFO_MAX bytes. */
struct message {
    uint8_t bytes[512];
    size_t len;
};

static void message_put(struct message *message, const void *bytes, size_t len)
{
    if (len > sizeof(message->bytes) - message->len)
        return; /* can't be: INFO_MAX is checked first */
    if (len)
        memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static void message_put_label(struct message *message, struct hpke_bytes suite, const char *label)
{
    message_put(message, "HPKE-v1", 7);
    message_put(message, suite.bytes, suite.len);
    message_put(message, label, strlen(label));
}

/* LabeledExtract (section 4). */
static int extract(struct hpke_bytes suite, struct hpke_bytes salt, const char *label,
                   struct hpke_bytes ikm, uint8_t out[SHA256_BYTES])
{
    struct message message = {.len = 0};
    int err;

    message_put_label(&message, suite, label);
    message_put(&message, ikm.bytes, ikm.len);
    err = hmac_make((struct hmac_key){salt.bytes, salt.len}, message.bytes, message.len, out);
    secret_wipe(&message, sizeof(message));
    return err;
}

struct expand_to {
    uint8_t *bytes;
    size_t len; /* at most SHA256_BYTES: one round of HKDF-Expand (RFC 5869) is enough */
};

/* LabeledExpand (section 4). */
static int expand(struct hpke_bytes suite, const uint8_t prk[SHA256_BYTES], const char *label,
                  struct hpke_bytes info, struct expand_to to)
{
    const uint8_t len[2] = {0, (uint8_t)to.len};
    const uint8_t round = 1;
    struct message message = {.len = 0};
    uint8_t block[SHA256_BYTES];
    int err;

    message_put(&message, len, sizeof(len));
    message_put_label(&message, suite, label);
    message_put(&message, info.bytes, info.len);
    message_put(&message, &round, 1);
    err = hmac_make((struct hmac_key){prk, SHA256_BYTES}, message.bytes, message.len, block);
    memcpy(to.bytes, block, to.len);
    secret_wipe(block, sizeof(block));
    return err;
}

static EVP_PKEY *key_from_params(OSSL_PARAM_BLD *build, int selection)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* An owned key, or NULL: not a point of the curve (the library checks). */
static EVP_PKEY *public_key_new(const uint8_t bytes[HPKE_PUBLIC_KEY])
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, bytes, HPKE_PUBLIC_KEY))
        key = key_from_params(build, EVP_PKEY_PUBLIC_KEY);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* The public key that belongs to a private one: the point, on the curve's generator. */
static int public_key_of(const uint8_t private_key[HPKE_PRIVATE_KEY],
                         uint8_t public_key[HPKE_PUBLIC_KEY])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *number = BN_secure_new();
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    int ok = point && number && BN_bin2bn(private_key, HPKE_PRIVATE_KEY, number) &&
             !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0;

    if (number)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    ok = ok && EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1 &&
         EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key,
                            HPKE_PUBLIC_KEY, NULL) == HPKE_PUBLIC_KEY;
    EC_POINT_free(point);
    BN_clear_free(number);
    EC_GROUP_free(group);
    return ok ? 0 : -ERR_LIBRARY;
}

static EVP_PKEY *private_key_new(const uint8_t bytes[HPKE_PRIVATE_KEY],
                                 const uint8_t public_key[HPKE_PUBLIC_KEY])
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *number = BN_secure_new();
    EVP_PKEY *key = NULL;

    if (build && number && BN_bin2bn(bytes, HPKE_PRIVATE_KEY, number) &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public_key,
                                         HPKE_PUBLIC_KEY) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number))
        key = key_from_params(build, EVP_PKEY_KEYPAIR);
    BN_clear_free(number);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static int diffie_hellman(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[SHARED])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    size_t len = SHARED;
    int ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
             EVP_PKEY_derive(ctx, out, &len) == 1 && len == SHARED;

    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : -ERR_LIBRARY;
}

/* One end of DHKEM: our pair, and the point that the other end shows. */
struct kem {
    uint8_t own_private[HPKE_PRIVATE_KEY], own_public[HPKE_PUBLIC_KEY];
    const uint8_t *peer_public;
    uint8_t context[2 * HPKE_PUBLIC_KEY]; /* the encapsulated key, then the receiver's */
};

/* ExtractAndExpand (section 4.1). */
static int kem_shared(const struct kem *kem, uint8_t out[SHARED])
{
    static const uint8_t suite_id[SUITE_KEM] = {'K', 'E', 'M', KEM_ID >> 8, KEM_ID & 0xff};
    const struct hpke_bytes suite = {suite_id, sizeof(suite_id)};
    EVP_PKEY *own = private_key_new(kem->own_private, kem->own_public);
    EVP_PKEY *peer = public_key_new(kem->peer_public);
    uint8_t dh[SHARED], prk[SHA256_BYTES];
    int err = own && peer ? diffie_hellman(own, peer, dh) : -ERR_PROTOCOL;

    if (err == 0)
        err = extract(suite, (struct hpke_bytes){NULL, 0}, "eae_prk",
                      (struct hpke_bytes){dh, sizeof(dh)}, prk);
    if (err == 0)
        err = expand(suite, prk, "shared_secret",
                     (struct hpke_bytes){kem->context, sizeof(kem->context)},
                     (struct expand_to){out, SHARED});
    secret_wipe(dh, sizeof(dh));
    secret_wipe(prk, sizeof(prk));
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    return err;
}

struct schedule {
    uint8_t key[KEY_MAX], nonce[NONCE];
};

/* KeySchedule of base mode (section 5.1), for the first message: its nonce is the base nonce. */
static int schedule_keys(const struct hpke_context *context, const uint8_t shared[SHARED],
                         struct schedule *out)
{
    const uint8_t suite_id[SUITE_HPKE] = {
        'H',           'P',         'K',           'E', KEM_ID >> 8,
        KEM_ID & 0xff, KDF_ID >> 8, KDF_ID & 0xff, 0,   (uint8_t)context->aead};
    const struct hpke_bytes suite = {suite_id, sizeof(suite_id)}, none = {NULL, 0};
    uint8_t schedule_context[1 + 2 * SHA256_BYTES] = {0}, secret[SHA256_BYTES];
    const struct hpke_bytes bound = {schedule_context, sizeof(schedule_context)};
    size_t key_len = context->aead == HPKE_AES_128_GCM ? 16 : 32;
    int err = context->info.len > INFO_MAX ? -ERR_TOO_LONG : 0;

    if (err == 0)
        err = extract(suite, none, "psk_id_hash", none, schedule_context + 1);
    if (err == 0)
        err = extract(suite, none, "info_hash", context->info, schedule_context + 1 + SHA256_BYTES);
    if (err == 0)
        err = extract(suite, (struct hpke_bytes){shared, SHARED}, "secret", none, secret);
    if (err == 0)
        err = expand(suite, secret, "key", bound, (struct expand_to){out->key, key_len});
    if (err == 0)
        err = expand(suite, secret, "base_nonce", bound, (struct expand_to){out->nonce, NONCE});
    secret_wipe(secret, sizeof(secret));
    return err;
}

static const EVP_CIPHER *cipher_of(const struct hpke_context *context)
{
    return context->aead == HPKE_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
}

static int aead_seal(const struct hpke_context *context, const struct schedule *keys,
                     struct hpke_bytes plain, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    int ok = ctx && EVP_EncryptInit_ex(ctx, cipher_of(context), NULL, keys->key, keys->nonce) == 1;

    if (context->aad.len)
        ok = ok &&
             EVP_EncryptUpdate(ctx, NULL, &len, context->aad.bytes, (int)context->aad.len) == 1;
    if (plain.len)
        ok = ok && EVP_EncryptUpdate(ctx, out, &len, plain.bytes, (int)plain.len) == 1;
    ok = ok && EVP_EncryptFinal_ex(ctx, out + plain.len, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, HPKE_TAG, out + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : -ERR_LIBRARY;
}

static int aead_open(const struct hpke_context *context, const struct schedule *keys,
                     struct hpke_bytes sealed, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const uint8_t *bytes = sealed.bytes;
    size_t plain_len = sealed.len - HPKE_TAG;
    uint8_t tag[HPKE_TAG], rest[16];
    int len = 0;
    int ok = ctx && EVP_DecryptInit_ex(ctx, cipher_of(context), NULL, keys->key, keys->nonce) == 1;

    memcpy(tag, bytes + plain_len, HPKE_TAG);
    if (context->aad.len)
        ok = ok &&
             EVP_DecryptUpdate(ctx, NULL, &len, context->aad.bytes, (int)context->aad.len) == 1;
    if (plain_len)
        ok = ok && EVP_DecryptUpdate(ctx, out, &len, bytes, (int)plain_len) == 1;
    ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, HPKE_TAG, tag) == 1 &&
         EVP_DecryptFinal_ex(ctx, rest, &len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        secret_wipe(out, plain_len); /* what is not proved is nothing */
    return ok ? 0 : -ERR_AUTH;
}

struct hpke_context hpke_camera_url(const char *agent_id)
{
    static const char info[] = "culvert camera url v1";

    return (struct hpke_context){.aead = HPKE_AES_256_GCM,
                                 .info = {info, sizeof(info) - 1},
                                 .aad = {agent_id, strlen(agent_id)}};
}

int hpke_make_key(uint8_t private_key[HPKE_PRIVATE_KEY], uint8_t public_key[HPKE_PUBLIC_KEY])
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIGNUM *number = NULL;
    int ok = key && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
             BN_bn2binpad(number, private_key, HPKE_PRIVATE_KEY) == HPKE_PRIVATE_KEY;

    BN_clear_free(number);
    EVP_PKEY_free(key);
    return ok ? public_key_of(private_key, public_key) : -ERR_LIBRARY;
}

int hpke_seal_with(const struct hpke_context *context, const uint8_t sender_key[HPKE_PRIVATE_KEY],
                   const uint8_t public_key[HPKE_PUBLIC_KEY], struct hpke_bytes plain, uint8_t *out)
{
    struct kem kem = {.peer_public = public_key};
    struct schedule keys;
    uint8_t shared[SHARED];
    int err;

    memcpy(kem.own_private, sender_key, HPKE_PRIVATE_KEY);
    err = public_key_of(sender_key, kem.own_public);
    memcpy(kem.context, kem.own_public, HPKE_PUBLIC_KEY);
    memcpy(kem.context + HPKE_PUBLIC_KEY, public_key, HPKE_PUBLIC_KEY);
    if (err == 0)
        err = kem_shared(&kem, shared);
    if (err == 0)
        err = schedule_keys(context, shared, &keys);
    if (err == 0) {
        memcpy(out, kem.own_public, HPKE_PUBLIC_KEY);
        err = aead_seal(context, &keys, plain, out + HPKE_PUBLIC_KEY);
    }
    secret_wipe(&kem, sizeof(kem));
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(shared, sizeof(shared));
    return err;
}

int hpke_seal(const struct hpke_context *context, const uint8_t public_key[HPKE_PUBLIC_KEY],
              struct hpke_bytes plain, uint8_t *out)
{
    uint8_t sender_private[HPKE_PRIVATE_KEY], sender_public[HPKE_PUBLIC_KEY];
    int err = hpke_make_key(sender_private, sender_public);

    if (err == 0)
        err = hpke_seal_with(context, sender_private, public_key, plain, out);
    secret_wipe(sender_private, sizeof(sender_private));
    return err;
}

int hpke_open(const struct hpke_context *context, const uint8_t private_key[HPKE_PRIVATE_KEY],
              struct hpke_bytes sealed, uint8_t *out)
{
    struct kem kem = {.peer_public = sealed.bytes};
    struct hpke_bytes cipher;
    struct schedule keys;
    uint8_t shared[SHARED];
    int err;

    if (sealed.len < HPKE_OVERHEAD)
        return -ERR_PROTOCOL;
    memcpy(kem.own_private, private_key, HPKE_PRIVATE_KEY);
    err = public_key_of(private_key, kem.own_public);
    memcpy(kem.context, sealed.bytes, HPKE_PUBLIC_KEY);
    memcpy(kem.context + HPKE_PUBLIC_KEY, kem.own_public, HPKE_PUBLIC_KEY);
    if (err == 0)
        err = kem_shared(&kem, shared);
    if (err == 0)
        err = schedule_keys(context, shared, &keys);
    cipher.bytes = kem.peer_public + HPKE_PUBLIC_KEY;
    cipher.len = sealed.len - HPKE_PUBLIC_KEY;
    if (err == 0)
        err = aead_open(context, &keys, cipher, out);
    secret_wipe(&kem, sizeof(kem));
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(shared, sizeof(shared));
    return err;
}
