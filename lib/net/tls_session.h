/* net/tls_session.h: one end of a TLS connection over a non-blocking socket; private to lib/net.
 *
 * Results: a count or 0; -EAGAIN when the socket must become ready first; -ERR_CLOSED, -ERR_TLS,
 * -ERR_PIN or an errno value once and for all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tls_server;
struct tls_client;
struct tls_session;

enum { TLS_RECORD_BYTES = 16384 };

/* 0 and an owned session in *out. fd is borrowed, and must outlive the session. */
int tls_session_accept(struct tls_session **out, struct tls_server *server, int fd) MUST_CHECK;
int tls_session_connect(struct tls_session **out, struct tls_client *client, int fd,
                        const char *server_name) MUST_CHECK;
void tls_session_free(struct tls_session *session);

/* 0 when the handshake is done. */
int tls_session_handshake(struct tls_session *session) MUST_CHECK;

/* 0 is the peer's orderly end. */
ssize_t tls_session_read(struct tls_session *session, uint8_t *bytes, size_t len) MUST_CHECK;

/* After -EAGAIN, to be repeated with the same bytes, or more of them. */
ssize_t tls_session_write(struct tls_session *session, const uint8_t *bytes, size_t len) MUST_CHECK;

/* From here to tls_session_send what is encrypted is gathered, by thread, and then sent in one
 * call; what the socket does not take is kept, and nothing more is taken until it has gone. */
void tls_session_gather(struct tls_session *session);

/* 0, also when something stays (see tls_session_unsent), or an errno value. */
int tls_session_send(struct tls_session *session) MUST_CHECK;
size_t tls_session_unsent(const struct tls_session *session);

/* The operation that gave -EAGAIN waits for the socket to take bytes, not to have some. */
bool tls_session_wants_write(const struct tls_session *session);

/* Bytes were read from the socket that tls_session_read has not given out. */
bool tls_session_has_pending(const struct tls_session *session);

/* Tells the peer that no more comes, if the socket takes it. */
void tls_session_shutdown(struct tls_session *session);

/* "" where there is none. */
const char *tls_session_alpn(const struct tls_session *session);
int tls_session_exporter(const struct tls_session *session, const char *label, uint8_t *out,
                         size_t len) MUST_CHECK;
