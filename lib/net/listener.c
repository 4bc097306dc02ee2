#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum {
    BACKLOG = 4096,
    ACCEPTS_PER_TURN = 64,
    PAUSE_US = 100 * 1000,
    COMPLAINT_GAP_US = 30 * 1000 * 1000,
};

struct listener {
    char *path;  /* owned; NULL but for Unix sockets */
    int fd;      /* owned */
    int reserve; /* owned; -1 while even that one is missing */

    struct loop *loop; /* borrowed */
    const struct listener_handler *handler;
    void *owner;

    struct loop_io io;
    struct loop_timer resume;
    struct loop_task free_task;
    struct addr addr;
    int64_t complain_after_us;
    bool is_closed;
};

static void listener_free(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->reserve >= 0)
        close(listener->reserve);
    free(listener->path);
    free(listener);
}

static void listener_free_later(struct loop_task *task)
{
    listener_free((struct listener *)(void *)((char *)task - offsetof(struct listener, free_task)));
}

static void reserve_open(struct listener *listener)
{
    if (listener->reserve < 0)
        listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_pause(struct listener *listener)
{
    loop_io_watch(&listener->io, 0);
    loop_timer_start(&listener->resume, PAUSE_US);
}

static void on_resume(struct loop_timer *timer)
{
    struct listener *listener =
        (struct listener *)(void *)((char *)timer - offsetof(struct listener, resume));

    reserve_open(listener);
    if (listener->reserve < 0)
        loop_timer_start(&listener->resume, PAUSE_US);
    else
        loop_io_watch(&listener->io, LOOP_READ);
}

static void listener_complain(struct listener *listener, int err)
{
    int64_t now_us = loop_now_us(listener->loop);
    char text[ADDR_TEXT];

    if (now_us < listener->complain_after_us)
        return;
    listener->complain_after_us = now_us + COMPLAINT_GAP_US;
    LOG(LOG_WARN, "listener", addr_format(&listener->addr, text), "refusing", KV_ERR(err));
}

/* No descriptor is left: take the one that waits with the reserve, and refuse it, so that the
 * peer knows and the queue does not fill. False: the reserve is gone too, and we pause. */
static bool refuse_one(struct listener *listener)
{
    bool is_refused;
    int fd;

    if (listener->reserve >= 0)
        close(listener->reserve);
    listener->reserve = -1;
    fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    is_refused = fd >= 0 || errno == EAGAIN;
    if (fd >= 0)
        close(fd);
    reserve_open(listener);
    if (listener->reserve >= 0 && is_refused)
        return true;
    listener_pause(listener);
    return false;
}

/* Whether to go on accepting in this turn. */
static bool survive(struct listener *listener, int err)
{
    switch (err) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        listener_complain(listener, err);
        return refuse_one(listener);
    case ENOMEM:
    case ENOBUFS:
        listener_complain(listener, err);
        listener_pause(listener);
        return false;
    default: /* the connection died in the queue: accept(2) hands over its error */
        return true;
    }
}

static void on_acceptable(struct loop_io *io, unsigned events)
{
    struct listener *listener =
        (struct listener *)(void *)((char *)io - offsetof(struct listener, io));

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->is_closed; i++) {
        struct addr peer = {.len = sizeof(peer.storage)};
        int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            listener->handler->on_accept(listener->owner, fd, &peer);
        else if (!survive(listener, errno))
            return;
    }
}

/* SO_REUSEPORT lets a second program of the same user share the port in silence. The first loop
 * opens first, so it can ask for the port alone. */
static int probe_port(const struct addr *addr)
{
    int one = 1, fd, err = 0;

    if (addr_port(addr) == 0)
        return 0;
    fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        (addr->storage.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
        bind(fd, (const struct sockaddr *)&addr->storage, addr->len) < 0)
        err = -errno;
    close(fd);
    return err;
}

static int bind_inet(int fd, const struct addr *addr)
{
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
        return -errno;
    if (addr->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        return -errno;
    return bind(fd, (const struct sockaddr *)&addr->storage, addr->len) < 0 ? -errno : 0;
}

/* Takes the listener, also on failure. */
static int listener_begin(struct listener **out, struct listener *listener)
{
    int err = 0;

    reserve_open(listener);
    if (listener->reserve < 0 || listen(listener->fd, BACKLOG) < 0)
        err = -errno;
    listener->addr.len = sizeof(listener->addr.storage);
    if (err == 0 && getsockname(listener->fd, (struct sockaddr *)&listener->addr.storage,
                                &listener->addr.len) < 0)
        err = -errno;
    if (err < 0) {
        if (listener->path)
            unlink(listener->path);
        listener_free(listener);
        return err;
    }
    loop_io_init(&listener->io, listener->loop, listener->fd, on_acceptable);
    loop_timer_init(&listener->resume, listener->loop, on_resume);
    loop_io_watch(&listener->io, LOOP_READ);
    *out = listener;
    return 0;
}

static int listener_new(struct listener **out, struct loop *loop, int family)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int err;

    if (!listener)
        return -ENOMEM;
    listener->loop = loop;
    listener->reserve = -1;
    listener->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) {
        err = -errno;
        free(listener);
        return err;
    }
    *out = listener;
    return 0;
}

int listener_open(struct listener **out, struct loop *loop, const struct addr *addr,
                  const struct listener_handler *handler, void *owner)
{
    struct listener *listener;
    int err = loop_index(loop) == 0 ? probe_port(addr) : 0;

    if (err == 0)
        err = listener_new(&listener, loop, addr->storage.ss_family);
    if (err < 0)
        return err;
    listener->handler = handler;
    listener->owner = owner;
    err = bind_inet(listener->fd, addr);
    if (err < 0) {
        listener_free(listener);
        return err;
    }
    return listener_begin(out, listener);
}

/* 0 when nothing is at the path, or a socket that nobody listens on was removed. */
static int clear_stale(int fd, const struct sockaddr_un *name)
{
    struct stat there;

    if (lstat(name->sun_path, &there) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(there.st_mode))
        return -EEXIST;
    if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 || errno != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(name->sun_path) < 0 ? -errno : 0;
}

static int bind_unix(struct listener *listener, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd, err;

    if (len == 0 || len >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    err = clear_stale(fd, &name);
    close(fd);
    if (err < 0)
        return err;
    /* Linux makes the file with the socket's own mode: nobody can come in between. */
    if (fchmod(listener->fd, 0600) < 0 ||
        bind(listener->fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
        return -errno;
    listener->path = strdup(path);
    if (listener->path && chmod(path, 0600) == 0)
        return 0;
    err = listener->path ? -errno : -ENOMEM;
    unlink(path);
    return err;
}

int listener_open_unix(struct listener **out, struct loop *loop, const char *path,
                       const struct listener_handler *handler, void *owner)
{
    struct listener *listener;
    int err = listener_new(&listener, loop, AF_UNIX);

    if (err < 0)
        return err;
    listener->handler = handler;
    listener->owner = owner;
    err = bind_unix(listener, path);
    if (err < 0) {
        listener_free(listener);
        return err;
    }
    return listener_begin(out, listener);
}

void listener_close(struct listener *listener)
{
    if (!listener || listener->is_closed)
        return;
    listener->is_closed = true;
    loop_io_watch(&listener->io, 0);
    loop_timer_stop(&listener->resume);
    close(listener->fd);
    listener->fd = -1;
    if (listener->path)
        unlink(listener->path);
    listener->free_task.run = listener_free_later;
    loop_defer(listener->loop, &listener->free_task);
}

const struct addr *listener_addr(const struct listener *listener)
{
    return &listener->addr;
}

static int list_open_at(struct listener_list *list, const char *host, uint16_t port,
                        const struct listener_handler *handler)
{
    struct addr addr;
    int err = addr_parse(&addr, host);

    if (err == 0 && list->count == LISTENERS_MAX)
        err = -ERR_TOO_MANY;
    if (err == 0) {
        addr_set_port(&addr, port);
        err = listener_open(&list->listeners[list->count], list->loop, &addr, handler, list->owner);
    }
    if (err == 0)
        list->count++;
    return err;
}

static int list_complain(const char *host, uint16_t port, int err)
{
    LOG(LOG_ERROR, "listener", host, "cannot-listen", KV_I("port", port), KV_ERR(err),
        KV_S("text", err_text(err)));
    return err;
}

int listener_list_open(struct listener_list *list, uint16_t port,
                       const struct listener_handler *handler)
{
    static const char *const everywhere[] = {"0.0.0.0", "::"};
    size_t count = option_count(list->options, "listen");
    bool is_everywhere = count == 0;

    if (!port)
        return 0;
    if (is_everywhere)
        count = 2;
    for (size_t i = 0; i < count; i++) {
        const char *host = is_everywhere ? everywhere[i] : option_item(list->options, "listen", i);
        int err = list_open_at(list, host, port, handler);

        /* A machine without IPv6 is no failure, unless someone asked for IPv6. */
        if (err < 0 && !(err == -EAFNOSUPPORT && is_everywhere && i == 1))
            return list_complain(host, port, err);
    }
    return 0;
}

void listener_list_close(struct listener_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        listener_close(list->listeners[i]);
    list->count = 0;
}
