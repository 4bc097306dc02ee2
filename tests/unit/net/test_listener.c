#include "net_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* In the place of libc's: a machine whose kernel has no IPv6. */
static bool has_no_ipv6;

int socket(int family, int type, int protocol)
{
    if (has_no_ipv6 && family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

struct door {
    struct loop *loop;
    struct loop_timer tick;
    struct listener *listener;
    int fds[2048];
    size_t count;
    bool closes_on_accept;
};

static void on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void turn(struct door *door)
{
    loop_timer_start(&door->tick, TURN_US);
    loop_run(door->loop);
}

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct door *door = owner;

    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(peer->storage.ss_family == listener_addr(door->listener)->storage.ss_family);
    door->fds[door->count++] = fd;
    if (door->closes_on_accept)
        listener_close(door->listener);
}

static const struct listener_handler handler = {on_accept};

static void door_init(struct door *door)
{
    memset(door, 0, sizeof(*door));
    assert_int_equal(loop_new(&door->loop, 0), 0);
    loop_timer_init(&door->tick, door->loop, on_tick);
}

static void door_open(struct door *door, const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(&addr, text), 0);
    assert_int_equal(listener_open(&door->listener, door->loop, &addr, &handler, door), 0);
}

static void door_fini(struct door *door)
{
    for (size_t i = 0; i < door->count; i++)
        close(door->fds[i]);
    listener_close(door->listener);
    turn(door);
    loop_free(door->loop);
}

static int knock(const struct addr *addr)
{
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr->storage, addr->len) < 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

#define TURN_UNTIL(door, expression)                                                               \
    do {                                                                                           \
        int64_t give_up_us = clock_mono_us() + PATIENCE_US;                                        \
        while (!(expression)) {                                                                    \
            assert_true(clock_mono_us() < give_up_us);                                             \
            turn(door);                                                                            \
        }                                                                                          \
    } while (0)

static void both_families_share_a_port(void **state)
{
    struct door door, other;
    struct addr v6;
    int fd;

    (void)state;
    door_init(&door);
    door_init(&other);
    door_open(&door, "0.0.0.0:0");
    assert_int_equal(addr_parse(&v6, "[::]:0"), 0);
    addr_set_port(&v6, addr_port(listener_addr(door.listener)));
    assert_int_equal(listener_open(&other.listener, other.loop, &v6, &handler, &other), 0);
    assert_int_equal(addr_parse(&v6, "[::1]:0"), 0);
    addr_set_port(&v6, addr_port(listener_addr(door.listener)));
    fd = knock(&v6);
    TURN_UNTIL(&other, other.count == 1);
    assert_int_equal(door.count, 0);
    close(fd);
    door_fini(&door);
    door_fini(&other);
}

static void a_port_in_use_is_refused_for_the_first_loop_and_shared_by_the_next(void **state)
{
    struct listener *second;
    struct door door;
    struct loop *loop;

    (void)state;
    door_init(&door);
    door_open(&door, "127.0.0.1:0");
    assert_int_equal(
        listener_open(&second, door.loop, listener_addr(door.listener), &handler, &door),
        -EADDRINUSE);
    assert_int_equal(loop_new(&loop, 1), 0);
    assert_int_equal(listener_open(&second, loop, listener_addr(door.listener), &handler, &door),
                     0);
    listener_close(second);
    loop_free(loop);
    door_fini(&door);
}

static void a_listener_may_be_closed_while_it_accepts(void **state)
{
    struct door door;
    int fds[3];

    (void)state;
    door_init(&door);
    door_open(&door, "127.0.0.1:0");
    door.closes_on_accept = true;
    for (int i = 0; i < 3; i++)
        fds[i] = knock(listener_addr(door.listener));
    TURN_UNTIL(&door, door.count > 0);
    door.listener = NULL;
    turn(&door);
    assert_int_equal(door.count, 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    door_fini(&door);
}

/* The descriptors that this process may still open. */
static rlim_t limit_descriptors(int spare)
{
    struct rlimit limit;
    int next = open("/dev/null", O_RDONLY);
    rlim_t before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)(next + spare);
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void restore_descriptors(rlim_t before)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Knocks that were made while there were descriptors are answered when there are none. */
static void without_descriptors_new_ones_are_refused_and_the_listener_goes_on(void **state)
{
    enum { KNOCKS = 300, SPARE = 10 };
    int fds[KNOCKS], fd;
    struct door door;
    size_t refused = 0;
    rlim_t before;
    char byte;

    (void)state;
    door_init(&door);
    door_open(&door, "127.0.0.1:0");
    turn(&door);
    for (int i = 0; i < KNOCKS; i++)
        assert_true((fds[i] = knock(listener_addr(door.listener))) >= 0);
    before = limit_descriptors(SPARE);
    for (int i = 0; i < 20 || door.count == 0; i++)
        turn(&door);
    assert_true(door.count >= SPARE - 2 && door.count <= SPARE);
    for (int i = 0; i < KNOCKS; i++)
        refused += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
    assert_int_equal(refused, KNOCKS - door.count);

    for (size_t i = 0; i < door.count; i++)
        close(door.fds[i]);
    door.count = 0;
    fd = knock(listener_addr(door.listener));
    TURN_UNTIL(&door, door.count == 1);
    restore_descriptors(before);
    for (int i = 0; i < KNOCKS; i++)
        close(fds[i]);
    close(fd);
    door_fini(&door);
}

/* Someone else takes the last descriptor in the moment of the refusal: every accept fails and
 * the reserve can't be opened again. The listener waits, and comes back. */
static void a_lost_reserve_comes_back(void **state)
{
    struct door door;
    rlim_t before;
    int fds[20];

    (void)state;
    door_init(&door);
    door_open(&door, "127.0.0.1:0");
    for (int i = 0; i < 20; i++)
        assert_true((fds[i] = knock(listener_addr(door.listener))) >= 0);
    before = limit_descriptors(-8); /* below even what the reserve has */
    turn(&door);
    turn(&door);
    assert_int_equal(door.count, 0);
    restore_descriptors(before);
    close(knock(listener_addr(door.listener)));
    TURN_UNTIL(&door, door.count > 0);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    door_fini(&door);
}

static void a_unix_socket_is_private_and_goes_with_its_listener(void **state)
{
    char folder[] = "/tmp/culvert-net-XXXXXX", path[64];
    struct listener *second;
    struct stat there;
    struct door door;
    int fd;

    (void)state;
    door_init(&door);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/api.sock", folder);
    assert_int_equal(listener_open_unix(&door.listener, door.loop, path, &handler, &door), 0);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0600);
    assert_int_equal(listener_open_unix(&second, door.loop, path, &handler, &door), -EADDRINUSE);
    fd = knock(listener_addr(door.listener));
    assert_true(fd >= 0);
    TURN_UNTIL(&door, door.count >= 1);
    close(fd);
    listener_close(door.listener);
    door.listener = NULL;
    turn(&door);
    assert_int_equal(stat(path, &there), -1);
    rmdir(folder);
    door_fini(&door);
}

static void a_stale_unix_socket_is_replaced_but_not_a_file(void **state)
{
    char folder[] = "/tmp/culvert-net-XXXXXX";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct door door;
    int fd;

    (void)state;
    door_init(&door);
    assert_non_null(mkdtemp(folder));
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/api.sock", folder);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    close(fd);
    assert_int_equal(listener_open_unix(&door.listener, door.loop, name.sun_path, &handler, &door),
                     0);
    listener_close(door.listener);
    turn(&door);

    fd = open(name.sun_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_int_equal(listener_open_unix(&door.listener, door.loop, name.sun_path, &handler, &door),
                     -EEXIST);
    assert_int_equal(unlink(name.sun_path), 0);
    door.listener = NULL;
    rmdir(folder);
    door_fini(&door);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct listener *listener;
    struct door door;
    char path[200];

    (void)state;
    door_init(&door);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listener_open_unix(&listener, door.loop, path, &handler, &door),
                     -ENAMETOOLONG);
    door_fini(&door);
}

static const struct option listen_rows[] = {
    {"listen", OPTION_LIST, "", 0, 0, NULL, false, "addresses"},
    {.name = NULL},
};

/* A port that is free at this moment. */
static uint16_t free_port(struct door *door)
{
    uint16_t port;

    door_open(door, "0.0.0.0:0");
    port = addr_port(listener_addr(door->listener));
    listener_close(door->listener);
    door->listener = NULL;
    turn(door);
    return port;
}

/* Opens the list at a free port with these addresses as its options, and says what came of it. */
static int list_open(struct listener_list *list, struct door *door, const char *first,
                     const char *second)
{
    char flags[2][64], *argv[] = {flags[0], flags[1]};
    struct option_error error;
    struct options *options;
    int err;

    snprintf(flags[0], sizeof(flags[0]), "--listen=%s", first ? first : "");
    snprintf(flags[1], sizeof(flags[1]), "--listen=%s", second ? second : "");
    assert_int_equal(options_new(&options), 0);
    assert_int_equal(options_add(options, listen_rows), 0);
    assert_int_equal(options_read_flags(options, !!first + !!second, argv, &error), 0);
    *list = (struct listener_list){.loop = door->loop, .options = options, .owner = door};
    err = listener_list_open(list, free_port(door), &handler);
    options_free(options);
    list->options = NULL;
    return err;
}

static void assert_listens_at(const struct listener_list *list, unsigned i, const char *host)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format_host(listener_addr(list->listeners[i]), text), host);
}

static void without_addresses_a_list_listens_everywhere_in_both_families(void **state)
{
    struct listener_list list;
    struct door door;

    (void)state;
    door_init(&door);
    assert_int_equal(list_open(&list, &door, NULL, NULL), 0);
    assert_int_equal(list.count, 2);
    assert_listens_at(&list, 0, "0.0.0.0");
    assert_listens_at(&list, 1, "::");
    assert_int_equal(addr_port(listener_addr(list.listeners[0])),
                     addr_port(listener_addr(list.listeners[1])));
    listener_list_close(&list);
    assert_int_equal(list.count, 0);
    door_fini(&door);
}

static void a_list_listens_only_at_the_addresses_it_is_given(void **state)
{
    struct listener_list list;
    struct door door;

    (void)state;
    door_init(&door);
    assert_int_equal(list_open(&list, &door, "127.0.0.2", "::1"), 0);
    assert_int_equal(list.count, 2);
    assert_listens_at(&list, 0, "127.0.0.2");
    assert_listens_at(&list, 1, "::1");
    listener_list_close(&list);
    door_fini(&door);
}

static void a_machine_without_ipv6_is_listened_on_unless_ipv6_was_asked_for(void **state)
{
    struct listener_list list;
    struct door door;

    (void)state;
    door_init(&door);
    has_no_ipv6 = true;
    assert_int_equal(list_open(&list, &door, NULL, NULL), 0);
    assert_int_equal(list.count, 1);
    assert_listens_at(&list, 0, "0.0.0.0");
    listener_list_close(&list);
    assert_int_equal(list_open(&list, &door, "::", NULL), -EAFNOSUPPORT);
    assert_int_equal(list.count, 0);
    has_no_ipv6 = false;
    door_fini(&door);
}

static void what_is_no_address_is_refused(void **state)
{
    struct listener_list list;
    struct door door;

    (void)state;
    door_init(&door);
    assert_int_equal(list_open(&list, &door, "localhost", NULL), -ERR_PROTOCOL);
    assert_int_equal(list.count, 0);
    door_fini(&door);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_share_a_port),
        cmocka_unit_test(a_port_in_use_is_refused_for_the_first_loop_and_shared_by_the_next),
        cmocka_unit_test(a_listener_may_be_closed_while_it_accepts),
        cmocka_unit_test(without_descriptors_new_ones_are_refused_and_the_listener_goes_on),
        cmocka_unit_test(a_lost_reserve_comes_back),
        cmocka_unit_test(a_unix_socket_is_private_and_goes_with_its_listener),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_but_not_a_file),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(without_addresses_a_list_listens_everywhere_in_both_families),
        cmocka_unit_test(a_list_listens_only_at_the_addresses_it_is_given),
        cmocka_unit_test(a_machine_without_ipv6_is_listened_on_unless_ipv6_was_asked_for),
        cmocka_unit_test(what_is_no_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
