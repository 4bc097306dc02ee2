/* net/tls.h: TLS contexts. The only place outside auth/ and agent-proto/crypto that knows
 * OpenSSL, with net/conn.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tls_server;
struct tls_client;

enum { TLS_PIN_BYTES = 32 };

/* Loads the PEM pair. alpn: names we speak, best first, ended by NULL (may be NULL).
 * A connection without ALPN is let in; one whose names we don't know is refused.
 * TLS 1.2 and 1.3, session tickets; thread-safe to use from every loop. */
int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file,
                   const char *const *alpn) MUST_CHECK;

/* When no connection that was accepted with it lives any more. */
void tls_server_free(struct tls_server *server);

/* Reads the files again if they changed (or always, with is_forced). New connections use the
 * new pair, running ones go on. 1 when it changed, 0 when not, an error keeps the old pair. */
int tls_server_reload(struct tls_server *server, bool is_forced) MUST_CHECK;

/* SHA-256 of the certificate's SubjectPublicKeyInfo, as RFC 7469 pins keys. */
void tls_server_pin(const struct tls_server *server, uint8_t out[TLS_PIN_BYTES]);

/* Seconds since 1970 at which the certificate expires. */
int64_t tls_server_expiry(const struct tls_server *server);

/* Makes an ECDSA P-256 key and a self-signed certificate for the host names and addresses
 * (subjectAltName), valid ten years; the key's file is 0600. Not over existing files. */
int tls_make_pair(const char *cert_file, const char *key_file, const char *const *hosts,
                  size_t host_count) MUST_CHECK;

/* pin: the key the server must have, or NULL: then the system's roots and server_name decide.
 * alpn: one name or NULL. min_tls13: refuse less than TLS 1.3. insecure: check nothing
 * (cameras have no names; rtsps:// is encryption only). */
struct tls_client_options {
    const uint8_t *pin;
    const char *alpn;
    bool min_tls13;
    bool insecure;
};

/* Running connections keep what they need of a client that is freed. */
int tls_client_new(struct tls_client **out, const struct tls_client_options *options) MUST_CHECK;
void tls_client_free(struct tls_client *client);
