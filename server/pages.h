/* server/pages.h: the routes that belong to no noun: health, metrics, redirects. */
#pragma once

#include "base/err.h"

struct worker;

/* GET /healthz, /readyz, /metrics on the TLS port; on the plain port everything redirects. */
int pages_add(struct worker *worker) MUST_CHECK;
