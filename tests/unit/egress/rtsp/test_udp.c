#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "egress/rtsp/udp.h"

enum { FIRST = 39000, LAST = 39100, TURN_US = 500, PATIENCE_US = 20 * 1000 * 1000 };

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

/* A pair, and a viewer's socket on loopback that it sends to. */
struct scene {
    struct loop *loop;
    struct loop_timer tick;
    struct udp_pair *pair;
    int viewer;
    struct addr viewer_addr;
    unsigned rtp_count, rtcp_count;
    struct addr from;
};

static void on_packet(void *owner, bool is_rtcp, const struct addr *from)
{
    struct scene *scene = owner;

    if (is_rtcp)
        scene->rtcp_count++;
    else
        scene->rtp_count++;
    scene->from = *from;
}

static const struct udp_handler handler = {on_packet};

static void on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void scene_init(struct scene *scene, const char *viewer)
{
    struct udp_config config = {FIRST, LAST, &handler, scene};

    memset(scene, 0, sizeof(*scene));
    assert_int_equal(loop_new(&scene->loop, 0), 0);
    loop_timer_init(&scene->tick, scene->loop, on_tick);
    assert_int_equal(udp_open(&scene->pair, scene->loop, &config), 0);
    assert_int_equal(addr_parse(&scene->viewer_addr, viewer), 0);
    scene->viewer = socket(scene->viewer_addr.storage.ss_family, SOCK_DGRAM, 0);
    assert_int_equal(
        bind(scene->viewer, (struct sockaddr *)&scene->viewer_addr.storage, scene->viewer_addr.len),
        0);
    assert_int_equal(getsockname(scene->viewer, (struct sockaddr *)&scene->viewer_addr.storage,
                                 &scene->viewer_addr.len),
                     0);
}

static void scene_fini(struct scene *scene)
{
    close(scene->viewer);
    udp_close(scene->pair);
    loop_free(scene->loop);
}

/* The viewer sends to the pair's port, and waits until the pair has it. */
static void knock(struct scene *scene, uint16_t port)
{
    int64_t give_up_us = clock_mono_us() + PATIENCE_US;
    unsigned before = scene->rtp_count + scene->rtcp_count;
    struct addr to = scene->viewer_addr;

    addr_set_port(&to, port);
    assert_int_equal(sendto(scene->viewer, "x", 1, 0, (struct sockaddr *)&to.storage, to.len), 1);
    while (scene->rtp_count + scene->rtcp_count == before) {
        assert_true(clock_mono_us() < give_up_us);
        loop_timer_start(&scene->tick, TURN_US);
        loop_run(scene->loop);
    }
}

/* One frame of RTP packets of these lengths, each filled with its number. */
static struct packet *frame(const uint16_t *lens, unsigned count)
{
    struct buf *buf = buf_new((size_t)count * 2000);
    struct packet *packet = packet_new(PACKET_RTP, buf, NULL, count);
    uint32_t at = 0;

    assert_non_null(packet);
    for (unsigned i = 0; i < count; i++) {
        packet->span[i] = (struct rtp_span){.offset = at, .len = lens[i]};
        memset(buf->bytes + at, (int)i, lens[i]);
        at += lens[i];
    }
    return packet;
}

static void assert_receives(struct scene *scene, size_t len, uint8_t byte)
{
    uint8_t bytes[2048];

    assert_int_equal(recv(scene->viewer, bytes, sizeof(bytes), MSG_DONTWAIT), len);
    assert_int_equal(bytes[0], byte);
    assert_int_equal(bytes[len - 1], byte);
}

/* Both ways over both ports, and a frame that goes in more than one system call. */
static void converse(struct scene *scene)
{
    static const uint16_t lens[] = {1000, 1000, 1000, 700, 900, 900};
    struct packet *packet = frame(lens, 6);

    knock(scene, udp_port(scene->pair));
    assert_int_equal(scene->rtp_count, 1);
    knock(scene, (uint16_t)(udp_port(scene->pair) + 1));
    assert_int_equal(scene->rtcp_count, 1);
    assert_memory_equal(&scene->from.storage, &scene->viewer_addr.storage, scene->from.len);

    assert_int_equal(udp_send(scene->pair, &scene->from, packet), 5500);
    for (unsigned i = 0; i < 6; i++)
        assert_receives(scene, lens[i], (uint8_t)i);
    packet_unref(packet);
    udp_send_rtcp(scene->pair, &scene->from, "rrrrrr", 6);
    assert_receives(scene, 6, 'r');
}

static void a_viewer_over_ipv4_is_heard_and_served(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, "127.0.0.1:0");
    converse(&scene);
    scene_fini(&scene);
}

static void a_viewer_over_ipv6_is_heard_and_served(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, "[::1]:0");
    converse(&scene);
    scene_fini(&scene);
}

static void a_machine_without_ipv6_serves_viewers_over_ipv4(void **state)
{
    struct scene scene;

    (void)state;
    has_no_ipv6 = true;
    scene_init(&scene, "127.0.0.1:0");
    converse(&scene);
    scene_fini(&scene);
    has_no_ipv6 = false;
}

static void a_pair_starts_at_an_even_port_and_passes_those_in_use(void **state)
{
    struct udp_config config = {FIRST + 1, LAST, &handler, NULL};
    struct udp_pair *second;
    struct scene scene;

    (void)state;
    scene_init(&scene, "127.0.0.1:0");
    config.first = (uint16_t)(udp_port(scene.pair) - 1);
    assert_int_equal(udp_open(&second, scene.loop, &config), 0);
    assert_int_equal(udp_port(second) % 2, 0);
    assert_true(udp_port(second) > udp_port(scene.pair));
    udp_close(second);

    config.first = udp_port(scene.pair);
    config.last = (uint16_t)(config.first + 1);
    assert_int_equal(udp_open(&second, scene.loop, &config), -EADDRINUSE);
    scene_fini(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_over_ipv4_is_heard_and_served),
        cmocka_unit_test(a_viewer_over_ipv6_is_heard_and_served),
        cmocka_unit_test(a_machine_without_ipv6_serves_viewers_over_ipv4),
        cmocka_unit_test(a_pair_starts_at_an_even_port_and_passes_those_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
