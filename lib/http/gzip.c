#include "http/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

struct gzip {
    z_stream stream;
};

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

int gzip_new(struct gzip **out)
{
    struct gzip *gzip = calloc(1, sizeof(*gzip));

    if (!gzip)
        return -ENOMEM;
    /* The fastest level: this runs on the loop. 16 asks for gzip's own header. A window of 8 KiB
     * is as good as a larger one for texts as short as ours, and takes 64 KiB in place of 256. */
    if (deflateInit2(&gzip->stream, Z_BEST_SPEED, Z_DEFLATED, 13 + 16, 6, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        free(gzip);
        return -ENOMEM;
    }
    *out = gzip;
    return 0;
}

int gzip_compress(struct gzip *gzip, const struct buf *body, struct buf **out)
{
    struct buf *made = buf_new(body->len), *fitted;
    z_stream *stream = &gzip->stream;

    if (!made)
        return -ENOMEM;
    deflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)body->bytes; /* only read, though not declared so */
    stream->avail_in = (uInt)body->len;
    stream->next_out = made->bytes;
    stream->avail_out = (uInt)made->len;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) {
        buf_unref(made);
        return -ERR_TOO_LONG;
    }
    fitted = buf_copy(made->bytes, body->len - stream->avail_out);
    buf_unref(made);
    *out = fitted;
    return fitted ? 0 : -ENOMEM;
}
