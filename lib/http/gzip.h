/* http/gzip.h: compresses bodies in one go. The only file that knows zlib. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct gzip;

/* One stream's memory, used again for each body; one a loop. -ENOMEM. */
int gzip_new(struct gzip **out) MUST_CHECK;
void gzip_free(struct gzip *gzip);

/* 0 and an owned buf in *out; -ERR_TOO_LONG when it would not get shorter; -ENOMEM. */
int gzip_compress(struct gzip *gzip, const struct buf *body, struct buf **out) MUST_CHECK;
