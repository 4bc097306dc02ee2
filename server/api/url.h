/* server/api/url.h: a camera's URL as someone wrote it: is it one, and what of it may be shown. */
#pragma once

#include "base/err.h"
#include "db/store.h"

enum { URL_BYTES = 1024 };

/* NULL and the host, port and path in shown (never user, password or query), or what is wrong
 * with it as a sentence's end, which does not quote it. */
const char *url_show(const char *url, char shown[STORE_URL_SHOWN]);
