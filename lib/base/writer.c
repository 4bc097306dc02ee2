#include "base/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void writer_init(struct writer *writer, size_t limit)
{
    *writer = (struct writer){.limit = limit};
}

void writer_fini(struct writer *writer)
{
    free(writer->bytes);
    writer_init(writer, writer->limit);
}

void writer_reset(struct writer *writer)
{
    writer->len = 0;
    writer->err = 0;
}

/* Room for len more bytes, or NULL and the sticky error. */
static uint8_t *writer_reserve(struct writer *writer, size_t len)
{
    size_t room = writer->room ? writer->room : 256;
    uint8_t *bytes;

    if (writer->err)
        return NULL;
    if (len > writer->limit || writer->len > writer->limit - len) {
        writer->err = -ERR_TOO_LONG;
        return NULL;
    }
    if (writer->room - writer->len >= len && writer->bytes)
        return writer->bytes + writer->len;
    while (room < writer->len + len)
        room *= 2;
    bytes = realloc(writer->bytes, room);
    if (!bytes) {
        writer->err = -ENOMEM;
        return NULL;
    }
    writer->bytes = bytes;
    writer->room = room;
    return bytes + writer->len;
}

void writer_put(struct writer *writer, const void *bytes, size_t len)
{
    uint8_t *at = writer_reserve(writer, len);

    if (!at || !len)
        return;
    memcpy(at, bytes, len);
    writer->len += len;
}

void writer_text(struct writer *writer, const char *text)
{
    writer_put(writer, text, strlen(text));
}

void writer_printf(struct writer *writer, const char *format, ...)
{
    va_list args;
    uint8_t *at;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    at = len < 0 ? NULL : writer_reserve(writer, (size_t)len + 1);
    if (!at)
        return;
    va_start(args, format);
    vsnprintf((char *)at, (size_t)len + 1, format, args);
    va_end(args);
    writer->len += (size_t)len;
}

void writer_uint(struct writer *writer, uint64_t value, size_t len)
{
    uint8_t *at = writer_reserve(writer, len);

    if (!at)
        return;
    for (size_t i = len; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
    writer->len += len;
}

void writer_consume(struct writer *writer, size_t len)
{
    if (len > writer->len)
        len = writer->len;
    if (!len)
        return;
    memmove(writer->bytes, writer->bytes + len, writer->len - len);
    writer->len -= len;
}

int writer_to_buf(const struct writer *writer, struct buf **out)
{
    if (writer->err)
        return writer->err;
    *out = buf_copy(writer->bytes, writer->len);
    return *out ? 0 : -ENOMEM;
}
