/* agent/system.h: the machine that the agent runs on. A platform is a whole file.
 */
#pragma once

#include <stddef.h>

#include "base/loop.h"

/* "Debian GNU/Linux 12, x86_64": in words, cut to room. */
void system_describe(char *out, size_t room);

/* Calls on_change (a while after the last of several changes) when addresses or routes change. */
struct network_watch;
int network_watch_open(struct network_watch **out, struct loop *loop,
                       void (*on_change)(void *owner), void *owner) MUST_CHECK;
void network_watch_close(struct network_watch *watch);
