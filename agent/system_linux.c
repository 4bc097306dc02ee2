/* agent/system.h on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/system.h"
#include "base/list.h"

enum { SETTLE_US = 300000 };

struct network_watch {
    struct loop_io io;
    struct loop_timer settle; /* changes come in bunches */
    void (*on_change)(void *owner);
    void *owner;
};

void system_describe(char *out, size_t room)
{
    FILE *file = fopen("/etc/os-release", "re");
    char line[256], name[128] = "";
    struct utsname machine;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "PRETTY_NAME=\"%127[^\"]\"", name) == 1)
            break;
    if (file)
        fclose(file);
    if (uname(&machine) < 0)
        memset(&machine, 0, sizeof(machine));
    (void)snprintf(out, room, "%s, %s", name[0] ? name : machine.sysname, machine.machine);
}

static void on_settled(struct loop_timer *timer)
{
    struct network_watch *watch = list_entry(timer, struct network_watch, settle);

    watch->on_change(watch->owner);
}

/* What changed doesn't matter: a lost message (ENOBUFS) is a change as well. */
static void on_readable(struct loop_io *io, unsigned events)
{
    struct network_watch *watch = list_entry(io, struct network_watch, io);
    uint8_t message[8192];
    ssize_t len;

    (void)events;
    do
        len = recv(io->fd, message, sizeof(message), MSG_DONTWAIT);
    while (len > 0 || (len < 0 && errno == ENOBUFS));
    loop_timer_start(&watch->settle, SETTLE_US);
}

int network_watch_open(struct network_watch **out, struct loop *loop,
                       void (*on_change)(void *owner), void *owner)
{
    struct sockaddr_nl local = {.nl_family = AF_NETLINK,
                                .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                             RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    struct network_watch *watch;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    watch = bind(fd, (const struct sockaddr *)&local, sizeof(local)) == 0
                ? calloc(1, sizeof(*watch))
                : NULL;
    if (!watch) {
        close(fd);
        return -ENOMEM;
    }
    watch->on_change = on_change;
    watch->owner = owner;
    loop_io_init(&watch->io, loop, fd, on_readable);
    loop_timer_init(&watch->settle, loop, on_settled);
    loop_io_watch(&watch->io, LOOP_READ);
    *out = watch;
    return 0;
}

void network_watch_close(struct network_watch *watch)
{
    if (!watch)
        return;
    loop_io_watch(&watch->io, 0);
    loop_timer_stop(&watch->settle);
    close(watch->io.fd);
    free(watch);
}
