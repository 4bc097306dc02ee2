/* egress/webrtc/dtls.h: the DTLS end of one viewer (RFC 6347, RFC 5764). With srtp_gcm.c the
 * only file of the egresses that knows OpenSSL.
 *
 * Always the server (setup:passive). No socket: datagrams in by dtls_input, out by on_output.
 * Only what comes from an address that ICE proved may be put in, so there is no cookie exchange.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "egress/webrtc/srtp.h"

enum { DTLS_FINGERPRINT = 32, DTLS_DATAGRAM_MAX = 1200 };

/* The certificate (ECDSA P-256, self-signed) of this process; every viewer's end shares it. */
struct dtls_identity;
int dtls_identity_new(struct dtls_identity **out) MUST_CHECK;
void dtls_identity_free(struct dtls_identity *identity);
const uint8_t *dtls_identity_fingerprint(const struct dtls_identity *identity); /* SHA-256 */

struct dtls;

struct dtls_handler {
    void (*on_output)(void *owner, const uint8_t *bytes, size_t len);

    /* The handshake is done and the viewer's certificate is the one that its offer named. */
    void (*on_ready)(void *owner, const struct srtp_keys *keys);

    /* Application data: SCTP. */
    void (*on_data)(void *owner, const uint8_t *bytes, size_t len);

    /* The viewer closed (-ERR_CLOSED), showed another certificate (-ERR_PIN), offers no SRTP
     * profile of ours (-ERR_UNSUPPORTED), failed (-ERR_TLS) or went silent (-ERR_TIMEOUT).
     * dtls_close is still to be called; not from inside. */
    void (*on_over)(void *owner, int err);
};

/* fingerprint is copied. 0 or -ENOMEM. */
int dtls_open(struct dtls **out, const struct dtls_identity *identity,
              const uint8_t fingerprint[DTLS_FINGERPRINT], const struct dtls_handler *handler,
              void *owner) MUST_CHECK;

/* Says goodbye by on_output if there is anyone to say it to. NULL is fine. */
void dtls_close(struct dtls *dtls);

void dtls_input(struct dtls *dtls, const uint8_t *bytes, size_t len);

/* One record with len bytes (at most DTLS_DATAGRAM_MAX) of application data. */
int dtls_write(struct dtls *dtls, const uint8_t *bytes, size_t len) MUST_CHECK;

/* Microseconds until dtls_tick wants to be called, or -1: nothing to send again. */
int64_t dtls_wait_us(const struct dtls *dtls);
void dtls_tick(struct dtls *dtls);
