/* net/tls_internal.h: what tls_session.c needs from the contexts; private to lib/net. */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

/* An owned SSL of the newest pair, or NULL without memory. From any thread. */
SSL *tls_server_ssl(struct tls_server *server);

struct tls_client {
    SSL_CTX *ssl_ctx; /* owned */
    bool has_pin, is_insecure;
    uint8_t pin[TLS_PIN_BYTES];
};

/* SHA-256 of the certificate's SubjectPublicKeyInfo. 0 or -ERR_TLS. */
int tls_certificate_pin(X509 *certificate, uint8_t out[TLS_PIN_BYTES]) MUST_CHECK;

/* The verify callback of a client's context: asks the session's pin. In tls_session.c. */
int tls_session_verify_pin(X509_STORE_CTX *store, void *arg);

/* What the server and the client contexts have in common. 0 or -ERR_TLS. */
int tls_context_harden(SSL_CTX *ssl_ctx, bool min_tls13) MUST_CHECK;
