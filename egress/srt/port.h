/* egress/srt/port.h: libsrt, and the ports that it listens on; private to egress/srt/. */
#pragma once

#include "base/err.h"
#include "base/option.h"

/* Starts libsrt and its threads; callers are asked about by gate_ask from then on. The error is
 * logged. */
int port_open(const struct options *options) MUST_CHECK;

void port_shut(void);  /* no new callers */
void port_close(void); /* after all sessions: ends libsrt's threads */

/* On one loop, every FLOOD_PERIOD_MS: lets more callers through again after a flood. */
void port_relax(void);

/* On any loop: takes what has connected off libsrt's queues. */
void port_accept(void);
