#include "agent-proto/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How many bytes the character at the front takes (RFC 3629); 0: it is none, or not for people. */
static size_t character_len(const unsigned char *at)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 1;
    uint32_t value = len == 1 ? at[0] : at[0] & (0x7fU >> len);

    if (len == 1)
        return at[0] >= 0x20 && at[0] < 0x7f ? 1 : 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < lowest[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    return value < 0xa0 || (value >= 0x202a && value <= 0x202e) ? 0 : len;
}

const char *text_clean(char *out, size_t room, const char *text)
{
    size_t used = 0;

    while (text && *text) {
        size_t len = character_len((const unsigned char *)text);
        size_t takes = len ? len : 1;

        if (used + takes >= room)
            break;
        if (len)
            memcpy(out + used, text, len);
        else
            out[used] = '?';
        used += takes;
        text += takes;
    }
    out[used] = '\0';
    return out;
}
