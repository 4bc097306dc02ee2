#include "net_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *const two_names[] = {"h2", "http/1.1", NULL};

static void the_first_common_name_of_the_servers_list_is_chosen(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, two_names, "http/1.1");
    world_open(&world);
    assert_string_equal(conn_alpn(world.client.conn), "http/1.1");
    assert_string_equal(conn_alpn(world.server.conn), "http/1.1");
    world_fini(&world);
}

static void no_name_offered_is_let_in(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, two_names, NULL);
    world_open(&world);
    assert_string_equal(conn_alpn(world.client.conn), "");
    assert_string_equal(conn_alpn(world.server.conn), "");
    world_fini(&world);
}

static void no_name_in_common_is_refused(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, two_names, "smtp");
    world_connect(&world);
    UNTIL(&world, world.client.closed && world.server.closed);
    assert_int_equal(world.client.closed_err, -ERR_TLS);
    assert_int_equal(world.server.closed_err, -ERR_TLS);
    assert_int_equal(world.client.opened + world.server.opened, 0);
    world_fini(&world);
}

static void a_wrong_pin_is_told_apart(void **state)
{
    uint8_t pin[TLS_PIN_BYTES];
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, NULL, NULL);
    tls_server_pin(world.tls_server, pin);
    pin[31] ^= 1;
    tls_client_free(world.tls_client);
    assert_int_equal(tls_client_new(&world.tls_client, &(struct tls_client_options){.pin = pin}),
                     0);
    world_connect(&world);
    UNTIL(&world, world.client.closed && world.server.closed);
    assert_int_equal(world.client.closed_err, -ERR_PIN);
    assert_int_equal(world.client.opened, 0);
    world_fini(&world);
}

static void a_pin_counts_even_where_insecure_is_asked(void **state)
{
    const uint8_t pin[TLS_PIN_BYTES] = {1};
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, NULL, NULL);
    tls_client_free(world.tls_client);
    assert_int_equal(tls_client_new(&world.tls_client,
                                    &(struct tls_client_options){.pin = pin, .insecure = true}),
                     0);
    world_connect(&world);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_PIN);
    world_fini(&world);
}

static void use_client(struct world *world, const struct tls_client_options *options)
{
    world_init(world);
    world_use_tls(world, NULL, NULL);
    tls_client_free(world->tls_client);
    assert_int_equal(tls_client_new(&world->tls_client, options), 0);
}

static void insecure_takes_any_certificate(void **state)
{
    struct world world;

    (void)state;
    use_client(&world, &(struct tls_client_options){.insecure = true});
    world_open(&world);
    world_fini(&world);
}

static void an_unknown_certificate_is_refused_by_the_roots(void **state)
{
    struct conn_target target = {.server_name = "localhost"};
    struct world world;

    (void)state;
    use_client(&world, &(struct tls_client_options){.min_tls13 = true});
    target.addr = *listener_addr(world.listener);
    target.tls = world.tls_client;
    assert_int_equal(conn_connect(&world.client.conn, world.loop, &target, NULL), 0);
    conn_set_handler(world.client.conn, &end_handler, &world.client);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_TLS);
    world_fini(&world);
}

static void roots_without_a_name_to_check_are_refused_at_once(void **state)
{
    struct conn_target target = {.device = NULL};
    struct world world;
    struct conn *conn;

    (void)state;
    use_client(&world, &(struct tls_client_options){.min_tls13 = true});
    target.addr = *listener_addr(world.listener);
    target.tls = world.tls_client;
    assert_int_equal(conn_connect(&conn, world.loop, &target, NULL), -EINVAL);
    world_fini(&world);
}

static void both_ends_export_the_same_key(void **state)
{
    uint8_t ours[32], theirs[32], other[32];
    struct world world;

    (void)state;
    world_init(&world);
    world_use_tls(&world, NULL, NULL);
    world_open(&world);
    assert_int_equal(conn_exporter(world.client.conn, "EXPORTER-culvert", ours, 32), 0);
    assert_int_equal(conn_exporter(world.server.conn, "EXPORTER-culvert", theirs, 32), 0);
    assert_int_equal(conn_exporter(world.server.conn, "EXPORTER-other", other, 32), 0);
    assert_memory_equal(ours, theirs, 32);
    assert_memory_not_equal(ours, other, 32);
    world_fini(&world);
}

static void a_plain_connection_exports_nothing(void **state)
{
    struct world world;
    uint8_t key[32];

    (void)state;
    world_init(&world);
    world_open(&world);
    assert_int_equal(conn_exporter(world.client.conn, "EXPORTER-culvert", key, 32), -ERR_TLS);
    assert_string_equal(conn_alpn(world.client.conn), "");
    world_fini(&world);
}

static void start_tls(struct end *end, enum seen what)
{
    struct world *world = (struct world *)((char *)end - offsetof(struct world, client));

    if (what != SEEN_INPUT || conn_is_tls(end->conn))
        return;
    assert_int_equal(conn_start_tls(end->conn, world->tls_client, NULL), 0);
}

/* The far end of an upgrade: a plain socket of which a second connection is made. */
static void a_plain_connection_turns_to_tls(void **state)
{
    struct world world;
    char word[3];
    int fds[2];

    (void)state;
    world_init(&world);
    world_use_tls(&world, NULL, NULL);
    world.client.hook = start_tls;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(conn_accept(&world.client.conn, world.loop, fds[0], NULL, NULL), 0);
    conn_set_handler(world.client.conn, &end_handler, &world.client);
    say(&world.client, "go?");
    UNTIL(&world, recv(fds[1], word, 3, MSG_DONTWAIT) == 3);
    assert_int_equal(send(fds[1], "ok", 2, 0), 2);
    UNTIL(&world, conn_is_tls(world.client.conn));
    assert_int_equal(conn_accept(&world.server.conn, world.loop, fds[1], world.tls_server, NULL),
                     0);
    conn_set_handler(world.server.conn, &end_handler, &world.server);
    UNTIL(&world, world.client.opened == 2 && world.server.opened == 1);
    say(&world.client, "secret");
    UNTIL(&world, has_got(&world.server, "secret"));
    world_fini(&world);
}

static void start_tls_leaving_input(struct end *end, enum seen what)
{
    start_tls(end, what);
    end->use_at_most = 2;
}

static void bytes_in_clear_before_tls_are_refused(void **state)
{
    struct world world;
    int fds[2];

    (void)state;
    world_init(&world);
    world_use_tls(&world, NULL, NULL);
    world.client.hook = start_tls_leaving_input;
    world.client.use_at_most = 2;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(conn_accept(&world.client.conn, world.loop, fds[0], NULL, NULL), 0);
    conn_set_handler(world.client.conn, &end_handler, &world.client);
    assert_int_equal(send(fds[1], "okINJECTED", 10, 0), 10);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_PROTOCOL);
    close(fds[1]);
    world_fini(&world);
}

static void plain_connect(struct world *world, int *fd)
{
    const struct addr *addr = listener_addr(world->listener);

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(*fd >= 0);
    (void)!connect(*fd, (const struct sockaddr *)&addr->storage, addr->len);
    UNTIL(world, world->server.conn);
}

static void plain_bytes_on_a_tls_port_are_refused(void **state)
{
    static const char *const texts[] = {"OPTIONS rtsp://x RTSP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff",
                                        "\x80\x2e\x01\x03\x01", "\x16\x03\x01\x00\x05hello"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct world world;
        int fd;

        world_init(&world);
        world_use_tls(&world, NULL, NULL);
        plain_connect(&world, &fd);
        assert_true(send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL) > 0);
        shutdown(fd, SHUT_WR);
        UNTIL(&world, world.server.closed);
        assert_true(world.server.closed_err == -ERR_TLS || world.server.closed_err == -ERR_CLOSED);
        close(fd);
        world_fini(&world);
    }
}

static void a_handshake_that_does_not_begin_or_end_is_closed(void **state)
{
    static const struct conn_limits limits = {.handshake_us = 20000, .first_byte_us = 10000000};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world world;
        int fd;

        world_init(&world);
        world_use_tls(&world, NULL, NULL);
        world.server_limits = &limits;
        plain_connect(&world, &fd);
        if (i == 1)
            assert_int_equal(send(fd, "\x16\x03\x01\x02\x00\x01", 6, 0), 6);
        UNTIL(&world, world.server.closed);
        assert_int_equal(world.server.closed_err, -ERR_TIMEOUT);
        close(fd);
        world_fini(&world);
    }
}

static void a_made_pair_is_private_and_not_made_twice(void **state)
{
    static const char *const hosts[] = {"relay.example", "192.0.2.7", "2001:db8::7"};
    struct tls_server *server;
    struct pair_files files;
    struct stat key;

    (void)state;
    pair_make(&files);
    assert_int_equal(stat(files.key, &key), 0);
    assert_int_equal(key.st_mode & 0777, 0600);
    assert_int_equal(tls_make_pair(files.cert, files.key, hosts, 3), -EEXIST);
    assert_int_equal(tls_server_new(&server, files.cert, files.key, NULL), 0);
    assert_true(tls_server_expiry(server) > clock_wall_us() / 1000000 + 3600LL * 24 * 3649);
    tls_server_free(server);
    assert_int_equal(unlink(files.cert), 0);
    assert_int_equal(tls_make_pair(files.cert, files.key, hosts, 3), -EEXIST);
    assert_int_equal(stat(files.key, &key), 0); /* the old key is still there */
    assert_int_equal(stat(files.cert, &key), -1);
    pair_remove(&files);
    assert_int_equal(tls_make_pair("/nonexistent/cert", "/nonexistent/key", hosts, 3), -ENOENT);
}

static void a_pair_that_is_missing_or_broken_is_refused(void **state)
{
    struct tls_server *server;
    struct pair_files one, two;
    FILE *file;

    (void)state;
    pair_make(&one);
    pair_make(&two);
    assert_int_equal(tls_server_new(&server, "/nonexistent", one.key, NULL), -ENOENT);
    assert_int_equal(tls_server_new(&server, one.cert, two.key, NULL), -ERR_TLS);
    assert_int_equal(tls_server_new(&server, one.key, one.cert, NULL), -ERR_TLS);
    file = fopen(two.cert, "w");
    assert_non_null(file);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n", file);
    fclose(file);
    assert_int_equal(tls_server_new(&server, two.cert, two.key, NULL), -ERR_TLS);
    pair_remove(&one);
    pair_remove(&two);
}

static void move_pair(const struct pair_files *from, const struct pair_files *to)
{
    assert_int_equal(rename(from->cert, to->cert), 0);
    assert_int_equal(rename(from->key, to->key), 0);
}

static void a_reload_takes_a_changed_pair_and_keeps_the_old_on_failure(void **state)
{
    uint8_t before[TLS_PIN_BYTES], after[TLS_PIN_BYTES];
    struct pair_files files, other;
    struct tls_server *server;

    (void)state;
    pair_make(&files);
    assert_int_equal(tls_server_new(&server, files.cert, files.key, NULL), 0);
    tls_server_pin(server, before);
    assert_int_equal(tls_server_reload(server, false), 0);
    assert_int_equal(tls_server_reload(server, true), 1);

    pair_make(&other);
    assert_int_equal(rename(other.cert, files.cert), 0); /* the key hasn't come yet */
    assert_int_equal(tls_server_reload(server, false), -ERR_TLS);
    tls_server_pin(server, after);
    assert_memory_equal(before, after, TLS_PIN_BYTES);
    assert_int_equal(rename(other.key, files.key), 0);
    assert_int_equal(tls_server_reload(server, false), 1);
    tls_server_pin(server, after);
    assert_memory_not_equal(before, after, TLS_PIN_BYTES);
    tls_server_free(server);
    pair_remove(&files);
    pair_remove(&other);
}

static void a_running_connection_survives_a_reload(void **state)
{
    struct pair_files files, other;
    uint8_t pin[TLS_PIN_BYTES];
    struct world world;

    (void)state;
    world_init(&world);
    pair_make(&files);
    assert_int_equal(tls_server_new(&world.tls_server, files.cert, files.key, NULL), 0);
    tls_server_pin(world.tls_server, pin);
    assert_int_equal(tls_client_new(&world.tls_client, &(struct tls_client_options){.pin = pin}),
                     0);
    world_open(&world);
    pair_make(&other);
    move_pair(&other, &files);
    assert_int_equal(tls_server_reload(world.tls_server, false), 1);
    say(&world.client, "still here");
    UNTIL(&world, has_got(&world.server, "still here"));
    conn_close(world.server.conn);
    world.server.conn = NULL;
    UNTIL(&world, world.client.closed);
    world.client.closed = 0;
    world_connect(&world);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_PIN); /* new ones get the new key */
    pair_remove(&files);
    pair_remove(&other);
    world_fini(&world);
}

/* Connections in one thread, reloads in another: for TSan. */
static void *reload_often(void *owner)
{
    for (int i = 0; i < 20; i++)
        if (tls_server_reload(owner, true) != 1)
            return owner;
    return NULL;
}

static void reloads_race_with_connections(void **state)
{
    struct pair_files files;
    uint8_t pin[TLS_PIN_BYTES];
    struct world world;
    pthread_t thread;
    void *failed;

    (void)state;
    world_init(&world);
    pair_make(&files);
    assert_int_equal(tls_server_new(&world.tls_server, files.cert, files.key, NULL), 0);
    tls_server_pin(world.tls_server, pin);
    assert_int_equal(tls_client_new(&world.tls_client, &(struct tls_client_options){.pin = pin}),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, reload_often, world.tls_server), 0);
    for (int i = 0; i < 10; i++) {
        world.client.opened = world.server.opened = 0;
        world.server.closed = 0;
        world_open(&world);
        conn_close(world.client.conn);
        world.client.conn = NULL;
        UNTIL(&world, world.server.closed);
    }
    pthread_join(thread, &failed);
    assert_null(failed);
    pair_remove(&files);
    world_fini(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_common_name_of_the_servers_list_is_chosen),
        cmocka_unit_test(no_name_offered_is_let_in),
        cmocka_unit_test(no_name_in_common_is_refused),
        cmocka_unit_test(a_wrong_pin_is_told_apart),
        cmocka_unit_test(a_pin_counts_even_where_insecure_is_asked),
        cmocka_unit_test(insecure_takes_any_certificate),
        cmocka_unit_test(an_unknown_certificate_is_refused_by_the_roots),
        cmocka_unit_test(roots_without_a_name_to_check_are_refused_at_once),
        cmocka_unit_test(both_ends_export_the_same_key),
        cmocka_unit_test(a_plain_connection_exports_nothing),
        cmocka_unit_test(a_plain_connection_turns_to_tls),
        cmocka_unit_test(bytes_in_clear_before_tls_are_refused),
        cmocka_unit_test(plain_bytes_on_a_tls_port_are_refused),
        cmocka_unit_test(a_handshake_that_does_not_begin_or_end_is_closed),
        cmocka_unit_test(a_made_pair_is_private_and_not_made_twice),
        cmocka_unit_test(a_pair_that_is_missing_or_broken_is_refused),
        cmocka_unit_test(a_reload_takes_a_changed_pair_and_keeps_the_old_on_failure),
        cmocka_unit_test(a_running_connection_survives_a_reload),
        cmocka_unit_test(reloads_race_with_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
