/* net/listener.h: a listening socket on one loop (SO_REUSEPORT: each loop has its own).
 *
 * Keeps a reserve descriptor: when the process has none left, a new connection is accepted
 * with the reserve, refused by closing, and the listener goes on.
 */
#pragma once

#include "base/loop.h"
#include "base/option.h"
#include "net/addr.h"

struct listener;

struct listener_handler {
    /* Takes fd, which is non-blocking and close-on-exec. */
    void (*on_accept)(void *owner, int fd, const struct addr *peer);
};

/* 0 and an owned listener in *out; -EADDRINUSE, -EACCES …  addr's port 0 takes a free one
 * (see listener_addr). IPv6 sockets are IPv6 only. Loop 0 opens an address first: it alone
 * is refused a port that another program has; the other loops share what it opened. */
int listener_open(struct listener **out, struct loop *loop, const struct addr *addr,
                  const struct listener_handler *handler, void *owner) MUST_CHECK;

/* A Unix socket at path, mode 0600; a stale file is replaced, a live one is -EADDRINUSE. */
int listener_open_unix(struct listener **out, struct loop *loop, const char *path,
                       const struct listener_handler *handler, void *owner) MUST_CHECK;

void listener_close(struct listener *listener);
const struct addr *listener_addr(const struct listener *listener);

enum { LISTENERS_MAX = 16 };

/* What one owner listens on: each of its ports, at every address that the options name. Zero it
 * and set the first three. */
struct listener_list {
    struct loop *loop;             /* borrowed, as the others are */
    const struct options *options; /* "listen": addresses; none: 0.0.0.0 and, where it is, :: */
    void *owner;
    struct listener *listeners[LISTENERS_MAX]; /* owned */
    unsigned count;
};

/* 0; port 0 opens nothing. On failure, which is logged, what is open stays open. */
int listener_list_open(struct listener_list *list, uint16_t port,
                       const struct listener_handler *handler) MUST_CHECK;

/* Closes all; it can be opened again. */
void listener_list_close(struct listener_list *list);
