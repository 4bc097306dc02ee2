#include "egress/webrtc/dtls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/bytes.h"

enum {
    FIRST_TIMEOUT_US = 50 * 1000, /* doubling; OpenSSL's second fails half of all on a bad path */
    LAST_TIMEOUT_US = 1600 * 1000,
    CERTIFICATE_MAX_BYTES = 16 * 1024,
    CERTIFICATE_DAYS = 30,
    GCM_KEY = 16,
    GCM_SALT = 12,
    CM_SALT = 14,
    DATA_MAX_BYTES = 16 * 1024,
    SEND_MAX_BYTES = 2048,
    RECORD_HEADER = 13, /* RFC 6347 section 4.1 */
    RECORD_TAG = 16,
    RECORD_NONCE = 8 /* the explicit one, of all our ciphers but ChaCha20 (RFC 5288, 7905) */
};

struct dtls_identity {
    SSL_CTX *ssl_ctx;   /* owned */
    BIO_METHOD *method; /* owned */
    uint8_t fingerprint[DTLS_FINGERPRINT];
};

struct dtls {
    SSL *ssl; /* owned, and with it the BIO */
    const struct dtls_handler *handler;
    void *owner;
    const uint8_t *datagram; /* borrowed while dtls_input runs; NULL: nothing to read */
    size_t datagram_len;
    uint8_t fingerprint[DTLS_FINGERPRINT];
    bool is_ready, is_over;
};

/* ---- the BIO: one datagram in, one datagram out -----------------------------------------------
 */

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static int bio_read(BIO *bio, char *out, int room)
{
    struct dtls *dtls = BIO_get_data(bio);
    int len;

    BIO_clear_retry_flags(bio);
    if (!dtls || !dtls->datagram) {
        BIO_set_retry_read(bio);
        return -1;
    }
    len = dtls->datagram_len < (size_t)room ? (int)dtls->datagram_len : room;
    memcpy(out, dtls->datagram, (size_t)len);
    dtls->datagram = NULL; /* what did not fit is lost, as with a socket */
    return len;
}

/* OpenSSL writes a flight message by message: they travel together, as far as they fit. */
static _Thread_local struct {
    size_t len;
    uint8_t bytes[DTLS_DATAGRAM_MAX];
} flight;

static void flush(struct dtls *dtls)
{
    size_t len = flight.len;

    flight.len = 0;
    if (len)
        dtls->handler->on_output(dtls->owner, flight.bytes, len);
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct dtls *dtls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len <= 0 || len > DTLS_DATAGRAM_MAX)
        return len; /* lost: it would not arrive anyway */
    if (flight.len + (size_t)len > DTLS_DATAGRAM_MAX)
        flush(dtls);
    memcpy(flight.bytes + flight.len, bytes, (size_t)len);
    flight.len += (size_t)len;
    return len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_DATAGRAM_MAX;
    default: /* of OpenSSL's own list, which grows */
        return 0;
    }
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram");

    if (!method)
        return NULL;
    BIO_meth_set_create(method, bio_create);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

/* ---- the certificate ---------------------------------------------------------------------------
 */

static X509 *certificate_new(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
    uint64_t serial = 0;

    if (!certificate || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1 ||
        !ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) ||
        !X509_set_version(certificate, X509_VERSION_3) ||
        !X509_gmtime_adj(X509_getm_notBefore(certificate), -24 * 3600L) ||
        !X509_gmtime_adj(X509_getm_notAfter(certificate), CERTIFICATE_DAYS * 24 * 3600L) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC", -1,
                                    -1, 0) ||
        !X509_set_issuer_name(certificate, name) || !X509_set_pubkey(certificate, key) ||
        !X509_sign(certificate, key, EVP_sha256())) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static int use_certificate(struct dtls_identity *identity)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key ? certificate_new(key) : NULL;
    unsigned len = 0;
    int err = -ERR_TLS;

    if (certificate && SSL_CTX_use_certificate(identity->ssl_ctx, certificate) == 1 &&
        SSL_CTX_use_PrivateKey(identity->ssl_ctx, key) == 1 &&
        X509_digest(certificate, EVP_sha256(), identity->fingerprint, &len) == 1)
        err = 0;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return err;
}

/* Self-signed certificates are what there is; who it is, the fingerprint says. */
static int accept_any(int is_fine, X509_STORE_CTX *store)
{
    (void)is_fine;
    (void)store;
    return 1;
}

static int set_up(struct dtls_identity *identity)
{
    SSL_CTX *ssl_ctx = identity->ssl_ctx;

    SSL_CTX_set_min_proto_version(ssl_ctx, DTLS1_2_VERSION);
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    SSL_CTX_set_max_cert_list(ssl_ctx, CERTIFICATE_MAX_BYTES);
    SSL_CTX_set_max_send_fragment(ssl_ctx, SEND_MAX_BYTES); /* its write buffer is as long */
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU |
                                     SSL_OP_SINGLE_ECDH_USE);
    /* Returns 0 when it worked. */
    if (SSL_CTX_set_tlsext_use_srtp(ssl_ctx, "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80") ||
        SSL_CTX_set_cipher_list(ssl_ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:"
                                         "ECDHE-ECDSA-CHACHA20-POLY1305:"
                                         "ECDHE-ECDSA-AES256-GCM-SHA384:"
                                         "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA") != 1 ||
        SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:P-384") != 1)
        return -ERR_TLS;
    return use_certificate(identity);
}

int dtls_identity_new(struct dtls_identity **out)
{
    struct dtls_identity *identity = calloc(1, sizeof(*identity));
    int err = -ENOMEM;

    if (!identity)
        return -ENOMEM;
    identity->ssl_ctx = SSL_CTX_new(DTLS_server_method());
    identity->method = method_new();
    if (identity->ssl_ctx && identity->method)
        err = set_up(identity);
    if (err < 0) {
        dtls_identity_free(identity);
        return err;
    }
    *out = identity;
    return 0;
}

void dtls_identity_free(struct dtls_identity *identity)
{
    if (!identity)
        return;
    SSL_CTX_free(identity->ssl_ctx);
    BIO_meth_free(identity->method);
    free(identity);
}

const uint8_t *dtls_identity_fingerprint(const struct dtls_identity *identity)
{
    return identity->fingerprint;
}

/* ---- one viewer's end ---------------------------------------------------------------------------
 */

static unsigned next_timeout(SSL *ssl, unsigned timeout_us)
{
    (void)ssl;
    if (timeout_us == 0)
        return FIRST_TIMEOUT_US;
    return timeout_us * 2 < LAST_TIMEOUT_US ? timeout_us * 2 : LAST_TIMEOUT_US;
}

int dtls_open(struct dtls **out, const struct dtls_identity *identity,
              const uint8_t fingerprint[DTLS_FINGERPRINT], const struct dtls_handler *handler,
              void *owner)
{
    struct dtls *dtls = calloc(1, sizeof(*dtls));
    BIO *bio = BIO_new(identity->method);

    if (dtls)
        dtls->ssl = SSL_new(identity->ssl_ctx);
    if (!dtls || !dtls->ssl || !bio) {
        BIO_free(bio);
        if (dtls)
            SSL_free(dtls->ssl);
        free(dtls);
        return -ENOMEM;
    }
    dtls->handler = handler;
    dtls->owner = owner;
    memcpy(dtls->fingerprint, fingerprint, DTLS_FINGERPRINT);
    BIO_set_data(bio, dtls);
    SSL_set_bio(dtls->ssl, bio, bio);
    SSL_set_accept_state(dtls->ssl);
    SSL_set_mtu(dtls->ssl, DTLS_DATAGRAM_MAX);
    DTLS_set_timer_cb(dtls->ssl, next_timeout);
    *out = dtls;
    return 0;
}

void dtls_close(struct dtls *dtls)
{
    if (!dtls)
        return;
    if (dtls->is_ready && !dtls->is_over)
        (void)SSL_shutdown(dtls->ssl); /* a record on its way; nobody waits for the answer */
    flush(dtls);
    ERR_clear_error();
    SSL_free(dtls->ssl);
    free(dtls);
}

static void end(struct dtls *dtls, int err)
{
    if (dtls->is_over)
        return;
    dtls->is_over = true;
    dtls->handler->on_over(dtls->owner, err);
}

static bool has_right_certificate(const struct dtls *dtls)
{
    X509 *certificate = SSL_get1_peer_certificate(dtls->ssl);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool is_right = certificate && X509_digest(certificate, EVP_sha256(), digest, &len) == 1 &&
                    len == DTLS_FINGERPRINT &&
                    CRYPTO_memcmp(digest, dtls->fingerprint, DTLS_FINGERPRINT) == 0;

    X509_free(certificate);
    return is_right;
}

/* RFC 5764 section 4.2: the client's key, the server's key, the client's salt, the server's. */
static int export_keys(const struct dtls *dtls, struct srtp_keys *keys)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(dtls->ssl);
    uint8_t bytes[2 * SRTP_KEY_MAX];
    size_t salt_len;

    if (!profile)
        return -ERR_UNSUPPORTED;
    *keys = (struct srtp_keys){.kind = profile->id == SRTP_AEAD_AES_128_GCM
                                           ? SRTP_KIND_AEAD_AES_128_GCM
                                           : SRTP_KIND_AES128_CM_SHA1_80};
    salt_len = keys->kind == SRTP_KIND_AEAD_AES_128_GCM ? GCM_SALT : CM_SALT;
    if (SSL_export_keying_material(dtls->ssl, bytes, 2 * (GCM_KEY + salt_len), label,
                                   sizeof(label) - 1, NULL, 0, 0) != 1)
        return -ERR_TLS;
    memcpy(keys->received, bytes, GCM_KEY);
    memcpy(keys->sent, bytes + GCM_KEY, GCM_KEY);
    memcpy(keys->received + GCM_KEY, bytes + 2 * GCM_KEY, salt_len);
    memcpy(keys->sent + GCM_KEY, bytes + 2 * GCM_KEY + salt_len, salt_len);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return 0;
}

static void become_ready(struct dtls *dtls)
{
    struct srtp_keys keys;
    int err = has_right_certificate(dtls) ? export_keys(dtls, &keys) : -ERR_PIN;

    if (err < 0) {
        end(dtls, err);
        return;
    }
    dtls->is_ready = true;
    dtls->handler->on_ready(dtls->owner, &keys);
    OPENSSL_cleanse(&keys, sizeof(keys));
}

/* What OpenSSL can make of what has come. Also after the handshake: a lost last flight is sent
 * again only by reading on. */
static void advance(struct dtls *dtls)
{
    uint8_t data[DATA_MAX_BYTES];
    int got = 1, error = SSL_ERROR_NONE;

    while (got > 0 && !dtls->is_over) {
        ERR_clear_error();
        got = SSL_read(dtls->ssl, data, sizeof(data));
        error = SSL_get_error(dtls->ssl, got); /* before a callback writes */
        flush(dtls);
        if (!dtls->is_ready && SSL_is_init_finished(dtls->ssl))
            become_ready(dtls);
        if (got > 0 && !dtls->is_over)
            dtls->handler->on_data(dtls->owner, data, (size_t)got);
    }
    if (dtls->is_over || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    ERR_clear_error();
    end(dtls, error == SSL_ERROR_ZERO_RETURN ? -ERR_CLOSED : -ERR_TLS);
}

static size_t least_encrypted(const struct dtls *dtls)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(dtls->ssl);

    if (!cipher)
        cipher = SSL_get_pending_cipher(dtls->ssl);
    if (cipher && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305)
        return RECORD_TAG;
    return RECORD_NONCE + RECORD_TAG;
}

/* OpenSSL before 3.0.22 ends the connection over an encrypted record without room for its tag,
 * which anybody could send in the viewer's name (CVE-2026-75806). */
static bool has_short_record(const struct dtls *dtls, const uint8_t *bytes, size_t len)
{
    size_t least = least_encrypted(dtls);

    while (len >= RECORD_HEADER) {
        size_t record = RECORD_HEADER + bytes_u16(bytes + 11);

        if (bytes_u16(bytes + 3) > 0 && record < RECORD_HEADER + least)
            return true;
        if (record > len)
            break;
        bytes += record;
        len -= record;
    }
    return false;
}

void dtls_input(struct dtls *dtls, const uint8_t *bytes, size_t len)
{
    if (dtls->is_over || !len || has_short_record(dtls, bytes, len))
        return;
    dtls->datagram = bytes;
    dtls->datagram_len = len;
    advance(dtls);
    dtls->datagram = NULL;
    flush(dtls);
}

int dtls_write(struct dtls *dtls, const uint8_t *bytes, size_t len)
{
    if (!dtls->is_ready || dtls->is_over)
        return -ERR_CLOSED;
    ERR_clear_error();
    if (SSL_write(dtls->ssl, bytes, (int)len) != (int)len)
        return -ERR_TLS;
    flush(dtls);
    return 0;
}

int64_t dtls_wait_us(const struct dtls *dtls)
{
    struct timeval left;

    if (dtls->is_over || DTLSv1_get_timeout(dtls->ssl, &left) != 1)
        return -1;
    return (int64_t)left.tv_sec * 1000000 + left.tv_usec;
}

void dtls_tick(struct dtls *dtls)
{
    if (dtls->is_over)
        return;
    ERR_clear_error();
    if (DTLSv1_handle_timeout(dtls->ssl) < 0) {
        ERR_clear_error();
        end(dtls, -ERR_TIMEOUT);
    }
    flush(dtls);
}
