/* server/metrics.h: the process in Prometheus' text format. */
#pragma once

#include "base/writer.h"

struct server;

/* From any loop. */
void metrics_write(struct server *server, struct writer *out);
