#include "media/parameter_sets.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum { LENGTH_BYTES = 4 };

struct nal_view nal_next(const uint8_t *bytes, size_t len, size_t *offset)
{
    struct nal_view nal = {0};
    const uint8_t *at = bytes + *offset;

    if (len - *offset < LENGTH_BYTES)
        return nal;
    nal.len = bytes_u32(at);
    if (nal.len > len - *offset - LENGTH_BYTES)
        return (struct nal_view){0};
    nal.bytes = at + LENGTH_BYTES;
    *offset += LENGTH_BYTES + nal.len;
    return nal;
}

static bool is_before(const struct parameter_set_key *a, const struct parameter_set_key *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->id < b->id;
}

/* Where key's set stands, or would stand: its offset, and the bytes it takes (0: not there). */
static void find(const struct parameter_sets *sets, parameter_set_key_of *key_of,
                 const struct parameter_set_key *key, size_t place[2])
{
    size_t offset = 0;

    for (;;) {
        size_t start = offset;
        struct nal_view nal = nal_next(sets->bytes, sets->len, &offset);
        struct parameter_set_key other;

        place[0] = start;
        place[1] = 0;
        if (!nal.bytes || key_of(nal.bytes, nal.len, &other) < 0 || is_before(key, &other))
            return;
        if (!is_before(&other, key)) {
            place[1] = offset - start;
            return;
        }
    }
}

int parameter_sets_put(struct parameter_sets *sets, parameter_set_key_of *key_of,
                       const uint8_t *nal, size_t len)
{
    struct parameter_set_key key;
    size_t place[2]; /* offset, length */
    uint8_t *at;

    if (len > sizeof(sets->bytes) - LENGTH_BYTES || key_of(nal, len, &key) < 0)
        return -ERR_PROTOCOL;
    find(sets, key_of, &key, place);
    at = sets->bytes + place[0];
    if (place[1] == LENGTH_BYTES + len && !memcmp(at + LENGTH_BYTES, nal, len))
        return 0;
    if (sets->len - place[1] + LENGTH_BYTES + len > sizeof(sets->bytes)) {
        sets->len = 0;
        place[0] = place[1] = 0;
        at = sets->bytes;
    }
    memmove(at + LENGTH_BYTES + len, at + place[1], sets->len - place[0] - place[1]);
    at[0] = (uint8_t)(len >> 24);
    at[1] = (uint8_t)(len >> 16);
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
    memcpy(at + LENGTH_BYTES, nal, len);
    sets->len += LENGTH_BYTES + len - place[1];
    return 1;
}
