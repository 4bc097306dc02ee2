#include "egress/hls/wire.h"

#include <string.h>

enum { DIGITS_MAX = 18 };

/* A decimal number at *at, which moves past it. */
static bool take_number(const char **at, uint64_t *out)
{
    const char *begin = *at;

    *out = 0;
    for (; **at >= '0' && **at <= '9' && *at - begin < DIGITS_MAX; ++*at)
        *out = *out * 10 + (uint64_t)(**at - '0');
    return *at > begin && (*begin != '0' || *at == begin + 1);
}

static bool take_text(const char **at, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool is_end(const char *at)
{
    return strcmp(at, ".mp4") == 0;
}

int hls_file_parse(struct hls_request *out, const char *name)
{
    uint64_t part;

    *out = (struct hls_request){.file = HLS_MEDIA_PLAYLIST};
    if (strcmp(name, "media.m3u8") == 0)
        return 0;
    if (take_text(&name, "init-")) {
        out->file = HLS_INIT;
        return take_number(&name, &out->segment) && is_end(name) ? 0 : -ERR_NOT_FOUND;
    }
    if (take_text(&name, "seg-")) {
        out->file = HLS_SEGMENT;
        if (!take_number(&name, &out->segment))
            return -ERR_NOT_FOUND;
        out->is_ts = strcmp(name, ".ts") == 0;
        return out->is_ts || is_end(name) ? 0 : -ERR_NOT_FOUND;
    }
    out->file = HLS_PART;
    if (!take_text(&name, "part-") || !take_number(&name, &out->segment) ||
        !take_text(&name, "-") || !take_number(&name, &part) || part > UINT32_MAX || !is_end(name))
        return -ERR_NOT_FOUND;
    out->part = (uint32_t)part;
    return 0;
}

/* A directive's number up to the next parameter. */
static int read_number(const char *at, uint64_t *out)
{
    return take_number(&at, out) && (!*at || *at == '&') ? 0 : -ERR_PROTOCOL;
}

int hls_directives_parse(struct hls_directives *out, const char *query)
{
    uint64_t part = 0;
    int err = 0;

    *out = (struct hls_directives){.is_delta = false};
    for (const char *at = query; *at && err == 0; at += strcspn(at, "&"), at += *at == '&') {
        const char *value = at;

        if (take_text(&value, "_HLS_msn=")) {
            out->has_segment = true;
            err = read_number(value, &out->segment);
        } else if (take_text(&value, "_HLS_part=")) {
            out->has_part = true;
            err = read_number(value, &part);
        } else if (take_text(&value, "_HLS_skip=")) {
            out->is_delta = true;
        }
    }
    if (err == 0 && ((out->has_part && !out->has_segment) || part > UINT32_MAX))
        err = -ERR_PROTOCOL;
    out->part = (uint32_t)part;
    return err;
}
