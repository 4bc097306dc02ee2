#include "media/format/fmtp.h"

#include <string.h>
#include <strings.h>

static size_t trim(const char *text, size_t len)
{
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\r' || text[len - 1] == '\n'))
        len--;
    return len;
}

struct fmtp_value fmtp_find(const char *fmtp, const char *name)
{
    size_t name_len = strlen(name);

    while (fmtp && *fmtp) {
        size_t len;

        fmtp += strspn(fmtp, " ;\t");
        len = strcspn(fmtp, ";");
        if (len > name_len && fmtp[name_len] == '=' && !strncasecmp(fmtp, name, name_len)) {
            const char *text = fmtp + name_len + 1;

            return (struct fmtp_value){text, trim(text, len - name_len - 1)};
        }
        fmtp += len;
    }
    return (struct fmtp_value){0};
}

uint32_t fmtp_number(const char *fmtp, const char *name, uint32_t preset)
{
    struct fmtp_value value = fmtp_find(fmtp, name);
    uint32_t number = 0;

    if (!value.text || !value.len)
        return preset;
    for (size_t i = 0; i < value.len; i++) {
        char digit = value.text[i];

        if (digit < '0' || digit > '9' || number > INT32_MAX / 10)
            return preset;
        number = number * 10 + (uint32_t)(digit - '0');
    }
    return number <= INT32_MAX ? number : preset;
}

/* The place of c in set, or -1. */
static int digit_of(char c, const char *set)
{
    const char *at = c ? strchr(set, c) : NULL;

    return at ? (int)(at - set) : -1;
}

size_t fmtp_decode_hex(struct fmtp_value value, uint8_t *out, size_t room)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t count = 0;

    for (size_t i = 0; i + 1 < value.len && count < room; i += 2) {
        int high = digit_of(value.text[i], digits);
        int low = digit_of(value.text[i + 1], digits);

        if (high < 0 || low < 0)
            break;
        high -= high > 15 ? 6 : 0;
        low -= low > 15 ? 6 : 0;
        out[count++] = (uint8_t)(high << 4 | low);
    }
    return count;
}

size_t fmtp_decode_base64(struct fmtp_value value, uint8_t *out, size_t room)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t held = 0;
    unsigned bits = 0;
    size_t count = 0;

    for (size_t i = 0; i < value.len && count < room; i++) {
        int digit = digit_of(value.text[i], digits);

        if (digit < 0)
            break;
        held = (held << 6 | (uint32_t)digit) & 0xffffff;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        out[count++] = (uint8_t)(held >> bits);
    }
    return count;
}

bool fmtp_next(struct fmtp_value *list, struct fmtp_value *out)
{
    const char *comma;

    if (!list->text || !list->len)
        return false;
    comma = memchr(list->text, ',', list->len);
    *out = (struct fmtp_value){list->text, comma ? (size_t)(comma - list->text) : list->len};
    list->text += out->len + (comma ? 1 : 0);
    list->len -= out->len + (comma ? 1 : 0);
    return true;
}
