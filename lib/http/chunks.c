#include "http/chunks.h"

#include "http/token.h"

enum {
    OVERHEAD_FIXED = 4096, /* extensions and trailers together */
    OVERHEAD_A_BYTE = 8    /* so that chunks of one byte are still fine */
};

void chunks_init(struct chunks *chunks)
{
    *chunks = (struct chunks){.state = CHUNKS_SIZE};
}

/* The state after byte, which is a digit or ends the size; -1: malformed. */
static int size_byte(struct chunks *chunks, uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    unsigned digit;

    if (byte >= '0' && byte <= '9')
        digit = byte - '0';
    else if (lower >= 'a' && lower <= 'f')
        digit = lower - 'a' + 10u;
    else if (chunks->digits == 0)
        return -1;
    else if (byte == '\r')
        return CHUNKS_SIZE_LF;
    else
        return byte == ';' ? CHUNKS_EXTENSION : -1;
    /* Fifteen digits can't overflow, and no body comes near them. */
    if (++chunks->digits > 15)
        return -1;
    chunks->left = chunks->left << 4 | digit;
    return CHUNKS_SIZE;
}

static int expect(uint8_t byte, uint8_t wanted, enum chunks_state next)
{
    return byte == wanted ? (int)next : -1;
}

/* Text up to CR: extensions, trailers' values. */
static int text_byte(uint8_t byte, enum chunks_state same, enum chunks_state next)
{
    if (byte == '\r')
        return (int)next;
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f) ? (int)same : -1;
}

static int trailer_name_byte(uint8_t byte)
{
    if (byte == ':')
        return CHUNKS_TRAILER_VALUE;
    return token_has(byte) ? CHUNKS_TRAILER_NAME : -1;
}

static int framing_byte(struct chunks *chunks, uint8_t byte)
{
    switch (chunks->state) {
    case CHUNKS_SIZE:
        return size_byte(chunks, byte);
    case CHUNKS_EXTENSION:
        return text_byte(byte, CHUNKS_EXTENSION, CHUNKS_SIZE_LF);
    case CHUNKS_SIZE_LF:
        chunks->digits = 0;
        return expect(byte, '\n', chunks->left ? CHUNKS_DATA : CHUNKS_TRAILER_START);
    case CHUNKS_DATA_CR:
        return expect(byte, '\r', CHUNKS_DATA_LF);
    case CHUNKS_DATA_LF:
        return expect(byte, '\n', CHUNKS_SIZE);
    case CHUNKS_TRAILER_START:
        if (byte == '\r')
            return CHUNKS_LAST_LF;
        return byte == ':' ? -1 : trailer_name_byte(byte);
    case CHUNKS_TRAILER_NAME:
        return trailer_name_byte(byte);
    case CHUNKS_TRAILER_VALUE:
        return text_byte(byte, CHUNKS_TRAILER_VALUE, CHUNKS_TRAILER_LF);
    case CHUNKS_TRAILER_LF:
        return expect(byte, '\n', CHUNKS_TRAILER_START);
    case CHUNKS_LAST_LF:
        return expect(byte, '\n', CHUNKS_DONE);
    case CHUNKS_DATA:
    case CHUNKS_DONE:
        break;
    }
    return -1;
}

static size_t take_data(struct chunks *chunks, size_t len)
{
    size_t taken = chunks->left < len ? (size_t)chunks->left : len;

    chunks->left -= taken;
    chunks->data += taken;
    if (!chunks->left)
        chunks->state = CHUNKS_DATA_CR;
    return taken;
}

ssize_t chunks_read(struct chunks *chunks, const uint8_t *bytes, size_t len, const uint8_t **data,
                    size_t *data_len)
{
    size_t used = 0;
    int next;

    *data = NULL;
    *data_len = 0;
    while (used < len && chunks->state != CHUNKS_DONE) {
        if (chunks->state == CHUNKS_DATA) {
            *data = bytes + used;
            *data_len = take_data(chunks, len - used);
            return (ssize_t)(used + *data_len);
        }
        next = framing_byte(chunks, bytes[used++]);
        if (next < 0)
            return -ERR_PROTOCOL;
        chunks->state = (enum chunks_state)next;
        if (++chunks->overhead > OVERHEAD_FIXED + chunks->data * OVERHEAD_A_BYTE)
            return -ERR_TOO_LONG;
    }
    return (ssize_t)used;
}
