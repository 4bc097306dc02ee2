#include "net/tls_session.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/addr.h"
#include "net/tls_internal.h"

enum { GATHER_BYTES = 80 * 1024 }; /* a frame or a part in a few records */

struct tls_session {
    SSL *ssl; /* owned */
    int fd;   /* borrowed */
    bool has_pin, is_pin_wrong;
    bool has_failed; /* nothing more may be asked of OpenSSL but to free */
    bool is_done;    /* the handshake */
    bool wants_write;
    uint8_t *unsent; /* owned: encrypted, and not taken by the socket; NULL without */
    size_t unsent_at, unsent_len;
    bool is_eof;
    char alpn[32];
    uint8_t pin[TLS_PIN_BYTES];
};

/* A BIO of our own, since OpenSSL's writes without MSG_NOSIGNAL. */
static BIO_METHOD *socket_method;
static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;

static bool is_retry(int err)
{
    return err == EAGAIN || err == EINTR;
}

/* What a session encrypts in one go, before it is sent: one session a thread at a time. */
static _Thread_local struct {
    struct tls_session *session;
    size_t len;
    uint8_t bytes[GATHER_BYTES];
} gathered;

static int unsent_keep(struct tls_session *session, const uint8_t *bytes, size_t len)
{
    session->unsent = malloc(len);
    if (!session->unsent)
        return -ENOMEM;
    memcpy(session->unsent, bytes, len);
    session->unsent_at = 0;
    session->unsent_len = len;
    return 0;
}

/* Sends what was gathered; the rest is kept. */
static int gathered_send(struct tls_session *session)
{
    ssize_t sent = 0;
    size_t len = gathered.len;

    gathered.len = 0;
    if (len > 0)
        sent = send(session->fd, gathered.bytes, len, MSG_NOSIGNAL);
    if (sent < 0 && !is_retry(errno))
        return -errno;
    if (sent < 0)
        sent = 0;
    return (size_t)sent < len ? unsent_keep(session, gathered.bytes + sent, len - (size_t)sent) : 0;
}

/* A record goes to the gathered ones; -EAGAIN while older ones wait for the socket. */
static int gather(struct tls_session *session, const char *bytes, size_t len)
{
    int err = 0;

    if (gathered.len + len > GATHER_BYTES)
        err = gathered_send(session);
    if (err == 0 && (session->unsent || len > GATHER_BYTES))
        err = -EAGAIN;
    if (err < 0)
        return err;
    memcpy(gathered.bytes + gathered.len, bytes, len);
    gathered.len += len;
    return 0;
}

static int socket_write(BIO *bio, const char *bytes, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t sent = len;
    int err = 0;

    BIO_clear_retry_flags(bio);
    if (session->unsent)
        err = -EAGAIN;
    else if (gathered.session == session)
        err = gather(session, bytes, (size_t)len);
    else
        sent = send(session->fd, bytes, (size_t)len, MSG_NOSIGNAL);
    if (err < 0) {
        errno = -err;
        sent = -1;
    }
    if (sent < 0 && is_retry(errno))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int socket_read(BIO *bio, char *bytes, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t got = recv(session->fd, bytes, (size_t)len, 0);

    BIO_clear_retry_flags(bio);
    if (got < 0 && is_retry(errno))
        BIO_set_retry_read(bio);
    if (got == 0)
        session->is_eof = true;
    return (int)got;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct tls_session *session = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    return command == BIO_CTRL_EOF && session->is_eof;
}

static void make_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "culvert socket");

    if (method) {
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_ctrl(method, socket_ctrl);
    }
    socket_method = method;
}

/* Takes ssl, also on failure. */
static int session_new(struct tls_session **out, SSL *ssl, int fd)
{
    struct tls_session *session = calloc(1, sizeof(*session));
    BIO *bio;

    pthread_once(&socket_method_once, make_socket_method);
    bio = socket_method ? BIO_new(socket_method) : NULL;
    if (!session || !ssl || !bio) {
        ERR_clear_error();
        BIO_free(bio);
        SSL_free(ssl);
        free(session);
        return -ENOMEM;
    }
    session->ssl = ssl;
    session->fd = fd;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, session);
    *out = session;
    return 0;
}

int tls_session_accept(struct tls_session **out, struct tls_server *server, int fd)
{
    struct tls_session *session;
    int err = session_new(&session, tls_server_ssl(server), fd);

    if (err < 0)
        return err;
    SSL_set_accept_state(session->ssl);
    *out = session;
    return 0;
}

/* Tells the server which name we want, and OpenSSL which one to insist on. */
static int session_set_name(SSL *ssl, const char *name, bool is_verified)
{
    struct addr addr;
    bool is_number = addr_parse(&addr, name) == 0;

    if (!is_number && SSL_set_tlsext_host_name(ssl, name) != 1)
        return -ERR_TLS;
    if (!is_verified)
        return 0;
    if (is_number)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 ? 0 : -ERR_TLS;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 ? 0 : -ERR_TLS;
}

int tls_session_connect(struct tls_session **out, struct tls_client *client, int fd,
                        const char *server_name)
{
    bool is_verified = !client->has_pin && !client->is_insecure;
    struct tls_session *session;
    int err;

    if (is_verified && !server_name)
        return -EINVAL;
    err = session_new(&session, SSL_new(client->ssl_ctx), fd);
    if (err < 0)
        return err;
    SSL_set_connect_state(session->ssl);
    session->has_pin = client->has_pin;
    memcpy(session->pin, client->pin, TLS_PIN_BYTES);
    err = server_name ? session_set_name(session->ssl, server_name, is_verified) : 0;
    if (err < 0) {
        tls_session_free(session);
        return err;
    }
    *out = session;
    return 0;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    free(session->unsent);
    ERR_clear_error();
    free(session);
}

int tls_session_verify_pin(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    uint8_t pin[TLS_PIN_BYTES];

    (void)arg;
    if (certificate && tls_certificate_pin(certificate, pin) == 0 &&
        CRYPTO_memcmp(pin, session->pin, sizeof(pin)) == 0)
        return 1;
    session->is_pin_wrong = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* Our code for what the last call on the SSL, which gave result, came to. */
static int session_error(struct tls_session *session, int result)
{
    int saved = errno, err = -ERR_TLS;

    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        session->wants_write = false;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        session->wants_write = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        err = -ERR_CLOSED;
        break;
    case SSL_ERROR_SYSCALL:
        err = saved && !session->is_eof ? -saved : -ERR_CLOSED;
        session->has_failed = true;
        break;
    default:
        session->has_failed = true;
        break;
    }
    ERR_clear_error();
    return session->is_pin_wrong ? -ERR_PIN : err;
}

static void session_finish_handshake(struct tls_session *session)
{
    const unsigned char *name;
    unsigned len;

    session->is_done = true;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    if (len < sizeof(session->alpn))
        memcpy(session->alpn, name ? (const char *)name : "", len);
}

int tls_session_handshake(struct tls_session *session)
{
    int result;

    if (session->has_failed)
        return -ERR_TLS;
    ERR_clear_error();
    errno = 0;
    result = SSL_do_handshake(session->ssl);
    if (result != 1)
        return session_error(session, result);
    session_finish_handshake(session);
    return 0;
}

ssize_t tls_session_read(struct tls_session *session, uint8_t *bytes, size_t len)
{
    size_t done;
    int result, err;

    if (session->has_failed)
        return -ERR_TLS;
    ERR_clear_error();
    errno = 0;
    result = SSL_read_ex(session->ssl, bytes, len, &done);
    if (result == 1)
        return (ssize_t)done;
    err = session_error(session, result);
    return err == -ERR_CLOSED ? 0 : err;
}

ssize_t tls_session_write(struct tls_session *session, const uint8_t *bytes, size_t len)
{
    size_t done;
    int result;

    if (session->has_failed)
        return -ERR_TLS;
    ERR_clear_error();
    errno = 0;
    result = SSL_write_ex(session->ssl, bytes, len, &done);
    return result == 1 ? (ssize_t)done : session_error(session, result);
}

void tls_session_gather(struct tls_session *session)
{
    gathered.session = session;
    gathered.len = 0;
}

static int unsent_send(struct tls_session *session)
{
    ssize_t sent = send(session->fd, session->unsent + session->unsent_at,
                        session->unsent_len - session->unsent_at, MSG_NOSIGNAL);

    if (sent < 0)
        return is_retry(errno) ? 0 : -errno;
    session->unsent_at += (size_t)sent;
    if (session->unsent_at == session->unsent_len) {
        free(session->unsent);
        session->unsent = NULL;
        session->unsent_at = session->unsent_len = 0;
    }
    return 0;
}

int tls_session_send(struct tls_session *session)
{
    bool has_gathered = gathered.session == session;

    if (has_gathered)
        gathered.session = NULL;
    if (session->unsent)
        return unsent_send(session);
    return has_gathered ? gathered_send(session) : 0;
}

size_t tls_session_unsent(const struct tls_session *session)
{
    return session->unsent_len - session->unsent_at;
}

bool tls_session_wants_write(const struct tls_session *session)
{
    return session->wants_write;
}

bool tls_session_has_pending(const struct tls_session *session)
{
    return !session->has_failed && SSL_has_pending(session->ssl);
}

void tls_session_shutdown(struct tls_session *session)
{
    if (!session->is_done || session->has_failed)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
    session->has_failed = true;
}

const char *tls_session_alpn(const struct tls_session *session)
{
    return session->alpn;
}

int tls_session_exporter(const struct tls_session *session, const char *label, uint8_t *out,
                         size_t len)
{
    int result;

    if (!session->is_done || session->has_failed)
        return -ERR_TLS;
    result = SSL_export_keying_material(session->ssl, out, len, label, strlen(label), NULL, 0, 0);
    ERR_clear_error();
    return result == 1 ? 0 : -ERR_TLS;
}
