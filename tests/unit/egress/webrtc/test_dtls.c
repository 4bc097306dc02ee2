/* Our DTLS end against OpenSSL's client, over two UDP sockets that lose what the test says. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "egress/webrtc/dtls.h"

enum { DATAGRAM = 2048 };

struct rig {
    struct dtls_identity *identity;
    struct dtls *dtls;
    SSL_CTX *client_ctx;
    SSL *client;
    uint8_t fingerprint[DTLS_FINGERPRINT]; /* of the client's certificate */
    int ours, theirs;                      /* connected to each other */
    unsigned lose;                         /* so many of our next datagrams */
    unsigned longest;
    bool is_ready, is_over, speaks_first;
    int over;
    struct srtp_keys keys;
    char data[64];
};

static void on_output(void *owner, const uint8_t *bytes, size_t len)
{
    struct rig *rig = owner;

    if (len > rig->longest)
        rig->longest = (unsigned)len;
    if (rig->lose > 0)
        rig->lose--;
    else
        (void)!send(rig->ours, bytes, len, 0);
}

static void on_ready(void *owner, const struct srtp_keys *keys)
{
    struct rig *rig = owner;

    rig->is_ready = true;
    rig->keys = *keys;
    if (rig->speaks_first)
        assert_int_equal(dtls_write(rig->dtls, (const uint8_t *)"first", 6), 0);
}

static void on_data(void *owner, const uint8_t *bytes, size_t len)
{
    struct rig *rig = owner;

    memcpy(rig->data, bytes, len < sizeof(rig->data) ? len : sizeof(rig->data) - 1);
}

static void on_over(void *owner, int err)
{
    struct rig *rig = owner;

    rig->is_over = true;
    rig->over = err;
}

static const struct dtls_handler handler = {on_output, on_ready, on_data, on_over};

static int udp_socket(struct sockaddr_in *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(*name);

    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)name, sizeof(*name)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)name, &len), 0);
    return fd;
}

static void make_certificate(struct rig *rig)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    unsigned len;

    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    X509_digest(certificate, EVP_sha256(), rig->fingerprint, &len);
    SSL_CTX_use_certificate(rig->client_ctx, certificate);
    SSL_CTX_use_PrivateKey(rig->client_ctx, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void rig_open(struct rig *rig, const char *profiles)
{
    struct sockaddr_in ours, theirs;
    BIO *bio;

    memset(rig, 0, sizeof(*rig));
    rig->ours = udp_socket(&ours);
    rig->theirs = udp_socket(&theirs);
    assert_int_equal(connect(rig->ours, (struct sockaddr *)&theirs, sizeof(theirs)), 0);
    assert_int_equal(connect(rig->theirs, (struct sockaddr *)&ours, sizeof(ours)), 0);
    rig->client_ctx = SSL_CTX_new(DTLS_client_method());
    make_certificate(rig);
    if (profiles)
        assert_int_equal(SSL_CTX_set_tlsext_use_srtp(rig->client_ctx, profiles), 0);
    rig->client = SSL_new(rig->client_ctx);
    bio = BIO_new_dgram(rig->theirs, BIO_NOCLOSE);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &ours);
    SSL_set_bio(rig->client, bio, bio);
    SSL_set_connect_state(rig->client);
    assert_int_equal(dtls_identity_new(&rig->identity), 0);
    assert_int_equal(dtls_open(&rig->dtls, rig->identity, rig->fingerprint, &handler, rig), 0);
}

static void rig_close(struct rig *rig)
{
    dtls_close(rig->dtls);
    dtls_identity_free(rig->identity);
    SSL_free(rig->client);
    SSL_CTX_free(rig->client_ctx);
    close(rig->ours);
    close(rig->theirs);
    ERR_clear_error();
}

static void take_all(struct rig *rig)
{
    uint8_t bytes[DATAGRAM];
    ssize_t len;

    while ((len = recv(rig->ours, bytes, sizeof(bytes), 0)) > 0)
        dtls_input(rig->dtls, bytes, (size_t)len);
}

/* Both ends take turns until one of them is done or nothing comes of it for two seconds. */
static bool shake_hands(struct rig *rig)
{
    for (int turn = 0; turn < 400 && !rig->is_over; turn++) {
        struct pollfd fds[] = {{.fd = rig->ours, .events = POLLIN},
                               {.fd = rig->theirs, .events = POLLIN}};

        (void)SSL_do_handshake(rig->client);
        (void)DTLSv1_handle_timeout(rig->client);
        take_all(rig);
        if (dtls_wait_us(rig->dtls) == 0)
            dtls_tick(rig->dtls);
        if (rig->is_ready && SSL_is_init_finished(rig->client))
            return true;
        (void)poll(fds, 2, 5);
    }
    return false;
}

static void assert_same_keys(struct rig *rig, size_t salt_len)
{
    uint8_t bytes[2 * SRTP_KEY_MAX];

    assert_int_equal(SSL_export_keying_material(rig->client, bytes, 2 * (16 + salt_len),
                                                "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0),
                     1);
    assert_memory_equal(rig->keys.received, bytes, 16);
    assert_memory_equal(rig->keys.sent, bytes + 16, 16);
    assert_memory_equal(rig->keys.received + 16, bytes + 32, salt_len);
    assert_memory_equal(rig->keys.sent + 16, bytes + 32 + salt_len, salt_len);
}

static void gcm_is_preferred_whatever_the_order(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM");
    assert_true(shake_hands(&rig));
    assert_int_equal(rig.keys.kind, SRTP_KIND_AEAD_AES_128_GCM);
    assert_same_keys(&rig, 12);
    assert_true(rig.longest <= DTLS_DATAGRAM_MAX);
    rig_close(&rig);
}

static void aes_cm_is_the_fallback(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, "SRTP_AES128_CM_SHA1_80");
    assert_true(shake_hands(&rig));
    assert_int_equal(rig.keys.kind, SRTP_KIND_AES128_CM_SHA1_80);
    assert_same_keys(&rig, 14);
    rig_close(&rig);
}

static void a_client_without_srtp_is_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, NULL);
    assert_false(shake_hands(&rig));
    assert_true(rig.is_over);
    assert_int_equal(rig.over, -ERR_UNSUPPORTED);
    rig_close(&rig);
}

static void another_certificate_than_the_offers_is_refused(void **state)
{
    struct rig rig;
    uint8_t other[DTLS_FINGERPRINT] = {1, 2, 3};

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    dtls_close(rig.dtls);
    assert_int_equal(dtls_open(&rig.dtls, rig.identity, other, &handler, &rig), 0);
    assert_false(shake_hands(&rig));
    assert_false(rig.is_ready);
    assert_int_equal(rig.over, -ERR_PIN);
    rig_close(&rig);
}

static void lost_flights_are_sent_again(void **state)
{
    (void)state;
    for (unsigned lost = 1; lost <= 4; lost++) {
        struct rig rig;

        rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
        rig.lose = lost;
        assert_true(shake_hands(&rig));
        rig_close(&rig);
    }
}

static void a_client_hello_in_pieces_is_put_together(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    SSL_set_options(rig.client, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(rig.client, 228); /* the least that OpenSSL takes */
    assert_true(shake_hands(&rig));
    rig_close(&rig);
}

static void application_data_passes_both_ways(void **state)
{
    struct rig rig;
    char got[16] = "";

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    assert_true(shake_hands(&rig));
    assert_int_equal(SSL_write(rig.client, "there", 6), 6);
    take_all(&rig);
    assert_string_equal(rig.data, "there");
    assert_int_equal(dtls_write(rig.dtls, (const uint8_t *)"back", 5), 0);
    assert_int_equal(SSL_read(rig.client, got, sizeof(got)), 5);
    assert_string_equal(got, "back");
    rig_close(&rig);
}

static void one_may_write_as_soon_as_it_is_ready(void **state)
{
    struct rig rig;
    char got[16] = "";

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    rig.speaks_first = true;
    assert_true(shake_hands(&rig));
    assert_false(rig.is_over);
    (void)SSL_read(rig.client, got, sizeof(got));
    assert_string_equal(got, "first");
    rig_close(&rig);
}

static void the_clients_goodbye_ends_it(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    assert_true(shake_hands(&rig));
    (void)SSL_shutdown(rig.client);
    take_all(&rig);
    assert_true(rig.is_over);
    assert_int_equal(rig.over, -ERR_CLOSED);
    rig_close(&rig);
}

/* Cut, changed and repeated datagrams, in the middle of a handshake and after it: dropped. */
static void garbage_is_dropped(void **state)
{
    struct rig rig;
    uint8_t bytes[DATAGRAM];
    char byte;
    ssize_t len;

    (void)state;
    rig_open(&rig, "SRTP_AEAD_AES_128_GCM");
    (void)SSL_read(rig.client, &byte, 1);
    len = recv(rig.ours, bytes, sizeof(bytes), 0);
    assert_true(len > 0);
    for (ssize_t cut = 0; cut < len && cut < 40; cut++)
        dtls_input(rig.dtls, bytes, (size_t)cut);
    dtls_input(rig.dtls, bytes, (size_t)len);
    assert_true(shake_hands(&rig));
    for (int i = 0; i < 64; i++) {
        uint8_t record[] = {
            23, 0xfe, 0xfd, 0, (uint8_t)(i & 3), 0, 0, 0, 0, 0, (uint8_t)i, 0, 8, 1, 2, 3, 4,
            5,  6,    7,    8};

        dtls_input(rig.dtls, record, sizeof(record));
        dtls_input(rig.dtls, record, 13); /* an undersized AEAD record */
    }
    assert_false(rig.is_over);
    assert_int_equal(SSL_write(rig.client, "still", 6), 6);
    take_all(&rig);
    assert_string_equal(rig.data, "still");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_is_preferred_whatever_the_order),
        cmocka_unit_test(aes_cm_is_the_fallback),
        cmocka_unit_test(a_client_without_srtp_is_refused),
        cmocka_unit_test(another_certificate_than_the_offers_is_refused),
        cmocka_unit_test(lost_flights_are_sent_again),
        cmocka_unit_test(a_client_hello_in_pieces_is_put_together),
        cmocka_unit_test(application_data_passes_both_ways),
        cmocka_unit_test(one_may_write_as_soon_as_it_is_ready),
        cmocka_unit_test(the_clients_goodbye_ends_it),
        cmocka_unit_test(garbage_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
