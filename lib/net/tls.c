#include "net/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "net/tls_internal.h"

enum { ALPN_BYTES = 128 };

/* One loaded pair. Immutable, and kept until the server is freed: whoever read the pointer
 * to the newest one may use it without a lock. */
struct generation {
    struct generation *older; /* owned */
    SSL_CTX *ssl_ctx;         /* owned */
    uint8_t pin[TLS_PIN_BYTES];
    int64_t expiry;
    struct stat cert_stat, key_stat; /* as they were when read */
};

struct tls_server {
    _Atomic(struct generation *) newest; /* owned */
    pthread_mutex_t mutex;               /* one reload at a time */
    char *cert_file, *key_file;          /* owned */
    uint8_t alpn[ALPN_BYTES];            /* names with their lengths before them */
    size_t alpn_len;
};

static int no_password(char *text, int room, int is_for_writing, void *owner)
{
    (void)text;
    (void)room;
    (void)is_for_writing;
    (void)owner;
    return 0; /* else OpenSSL asks on the terminal */
}

static const char tls12_ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char tls13_ciphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

int tls_context_harden(SSL_CTX *ssl_ctx, bool min_tls13)
{
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* The peer's end without close_notify is an end: each protocol above frames its own. */
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_read_ahead(ssl_ctx, 1);
    SSL_CTX_set_default_passwd_cb(ssl_ctx, no_password);
    if (SSL_CTX_set_min_proto_version(ssl_ctx, min_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ssl_ctx, tls13_ciphers) != 1 ||
        SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:P-384") != 1)
        return -ERR_TLS;
    return 0;
}

int tls_certificate_pin(X509 *certificate, uint8_t out[TLS_PIN_BYTES])
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    unsigned out_len = 0;
    int done;

    if (len <= 0)
        return -ERR_TLS;
    done = EVP_Digest(der, (size_t)len, out, &out_len, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return done == 1 && out_len == TLS_PIN_BYTES ? 0 : -ERR_TLS;
}

static int64_t certificate_expiry(const X509 *certificate)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *owner)
{
    const struct tls_server *server = owner;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, server->alpn, (unsigned)server->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void generation_free(struct generation *generation)
{
    while (generation) {
        struct generation *older = generation->older;

        SSL_CTX_free(generation->ssl_ctx);
        free(generation);
        generation = older;
    }
}

/* Says why once, here, where OpenSSL still knows. */
static int log_refusal(const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    LOG(LOG_ERROR, "tls", file, "load-failed", KV_S("reason", reason ? reason : "unknown"));
    ERR_clear_error();
    return -ERR_TLS;
}

static int generation_load(struct generation *generation, struct tls_server *server)
{
    static const unsigned char session_id_context[] = "culvert";
    SSL_CTX *ssl_ctx = generation->ssl_ctx;
    X509 *certificate;

    if (tls_context_harden(ssl_ctx, false) < 0 ||
        SSL_CTX_set_cipher_list(ssl_ctx, tls12_ciphers) != 1 ||
        SSL_CTX_set_session_id_context(ssl_ctx, session_id_context, 7) != 1)
        return log_refusal(server->cert_file);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF); /* tickets only: no memory */
    SSL_CTX_set_num_tickets(ssl_ctx, 1);
    if (server->alpn_len)
        SSL_CTX_set_alpn_select_cb(ssl_ctx, choose_alpn, server);
    if (SSL_CTX_use_certificate_chain_file(ssl_ctx, server->cert_file) != 1)
        return log_refusal(server->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ssl_ctx, server->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ssl_ctx) != 1)
        return log_refusal(server->key_file);
    certificate = SSL_CTX_get0_certificate(ssl_ctx);
    if (!certificate || tls_certificate_pin(certificate, generation->pin) < 0)
        return log_refusal(server->cert_file);
    generation->expiry = certificate_expiry(certificate);
    return 0;
}

static int generation_new(struct generation **out, struct tls_server *server)
{
    struct generation *generation = calloc(1, sizeof(*generation));
    int err;

    if (!generation)
        return -ENOMEM;
    if (stat(server->cert_file, &generation->cert_stat) < 0 ||
        stat(server->key_file, &generation->key_stat) < 0) {
        err = -errno;
        free(generation);
        return err;
    }
    generation->ssl_ctx = SSL_CTX_new(TLS_server_method());
    err = generation->ssl_ctx ? generation_load(generation, server) : -ENOMEM;
    if (err < 0) {
        generation_free(generation);
        return err;
    }
    *out = generation;
    return 0;
}

static int set_alpn(struct tls_server *server, const char *const *names)
{
    for (; names && *names; names++) {
        size_t len = strlen(*names);

        if (len == 0 || len > 255 || server->alpn_len + 1 + len > ALPN_BYTES)
            return -ERR_TOO_LONG;
        server->alpn[server->alpn_len++] = (uint8_t)len;
        memcpy(server->alpn + server->alpn_len, *names, len);
        server->alpn_len += len;
    }
    return 0;
}

int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file,
                   const char *const *alpn)
{
    struct tls_server *server = calloc(1, sizeof(*server));
    struct generation *generation = NULL;
    int err;

    if (!server)
        return -ENOMEM;
    pthread_mutex_init(&server->mutex, NULL);
    server->cert_file = strdup(cert_file);
    server->key_file = strdup(key_file);
    err = server->cert_file && server->key_file ? set_alpn(server, alpn) : -ENOMEM;
    if (err == 0)
        err = generation_new(&generation, server);
    if (err < 0) {
        tls_server_free(server);
        return err;
    }
    atomic_store_explicit(&server->newest, generation, memory_order_release);
    *out = server;
    return 0;
}

void tls_server_free(struct tls_server *server)
{
    if (!server)
        return;
    generation_free(atomic_load_explicit(&server->newest, memory_order_acquire));
    pthread_mutex_destroy(&server->mutex);
    free(server->cert_file);
    free(server->key_file);
    free(server);
}

static const struct generation *newest(const struct tls_server *server)
{
    return atomic_load_explicit(&server->newest, memory_order_acquire);
}

SSL *tls_server_ssl(struct tls_server *server)
{
    return SSL_new(newest(server)->ssl_ctx);
}

static bool is_same_file(const char *path, const struct stat *before)
{
    struct stat now;

    return stat(path, &now) == 0 && now.st_ino == before->st_ino && now.st_dev == before->st_dev &&
           now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static int reload_locked(struct tls_server *server, bool is_forced)
{
    struct generation *old = atomic_load_explicit(&server->newest, memory_order_relaxed), *fresh;
    int err;

    if (!is_forced && is_same_file(server->cert_file, &old->cert_stat) &&
        is_same_file(server->key_file, &old->key_stat))
        return 0;
    err = generation_new(&fresh, server);
    if (err < 0)
        return err;
    fresh->older = old;
    atomic_store_explicit(&server->newest, fresh, memory_order_release);
    return 1;
}

int tls_server_reload(struct tls_server *server, bool is_forced)
{
    int result;

    pthread_mutex_lock(&server->mutex);
    result = reload_locked(server, is_forced);
    pthread_mutex_unlock(&server->mutex);
    return result;
}

void tls_server_pin(const struct tls_server *server, uint8_t out[TLS_PIN_BYTES])
{
    memcpy(out, newest(server)->pin, TLS_PIN_BYTES);
}

int64_t tls_server_expiry(const struct tls_server *server)
{
    return newest(server)->expiry;
}

static int client_set_alpn(struct tls_client *client, const char *name)
{
    unsigned char names[256];
    size_t len = strlen(name);

    if (len == 0 || len > 255)
        return -ERR_TOO_LONG;
    names[0] = (unsigned char)len;
    memcpy(names + 1, name, len);
    return SSL_CTX_set_alpn_protos(client->ssl_ctx, names, (unsigned)len + 1) == 0 ? 0 : -ERR_TLS;
}

static int client_setup(struct tls_client *client, const struct tls_client_options *options)
{
    /* Cameras' TLS is old, their keys short: who isn't checked anyway may choose the cipher. */
    const char *ciphers = client->is_insecure ? "DEFAULT:@SECLEVEL=0" : tls12_ciphers;

    if (!client->ssl_ctx)
        return -ENOMEM;
    if (tls_context_harden(client->ssl_ctx, options->min_tls13) < 0 ||
        SSL_CTX_set_cipher_list(client->ssl_ctx, ciphers) != 1)
        return -ERR_TLS;
    SSL_CTX_set_session_cache_mode(client->ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(client->ssl_ctx, client->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       NULL);
    if (client->has_pin)
        SSL_CTX_set_cert_verify_callback(client->ssl_ctx, tls_session_verify_pin, NULL);
    else if (!client->is_insecure && SSL_CTX_set_default_verify_paths(client->ssl_ctx) != 1)
        return -ERR_TLS;
    return options->alpn ? client_set_alpn(client, options->alpn) : 0;
}

int tls_client_new(struct tls_client **out, const struct tls_client_options *options)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    int err;

    if (!client)
        return -ENOMEM;
    client->is_insecure = options->insecure && !options->pin;
    client->has_pin = options->pin != NULL;
    if (options->pin)
        memcpy(client->pin, options->pin, TLS_PIN_BYTES);
    client->ssl_ctx = SSL_CTX_new(TLS_client_method());
    err = client_setup(client, options);
    ERR_clear_error();
    if (err < 0) {
        tls_client_free(client);
        return err;
    }
    *out = client;
    return 0;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_CTX_free(client->ssl_ctx);
    free(client);
}
