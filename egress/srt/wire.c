#include "egress/srt/wire.h"

#include <string.h>

/* A piece of the stream id; ends where the next begins. */
struct piece {
    const char *at;
    size_t len;
};

static bool is_piece(struct piece piece, const char *text)
{
    return strlen(text) == piece.len && memcmp(piece.at, text, piece.len) == 0;
}

static struct piece until(const char *at, const char *ends)
{
    return (struct piece){at, strcspn(at, ends)};
}

static bool copy(char *out, size_t room, struct piece piece)
{
    if (piece.len >= room || out[0]) /* too long, or there twice */
        return false;
    memcpy(out, piece.at, piece.len);
    out[piece.len] = '\0';
    return true;
}

static enum srt_code take_slug(struct srt_request *out, struct piece piece)
{
    if (piece.len && piece.at[0] == '/')
        piece = (struct piece){piece.at + 1, piece.len - 1};
    if (out->slug[0] || !piece.len)
        return SRT_CODE_BAD_REQUEST;
    return copy(out->slug, sizeof(out->slug), piece) ? SRT_CODE_OK : SRT_CODE_NOT_FOUND;
}

static enum srt_code take_token(char *token, struct piece piece)
{
    if (token[0])
        return SRT_CODE_BAD_REQUEST;
    return copy(token, TOKEN_TEXT, piece) ? SRT_CODE_OK : SRT_CODE_UNAUTHORIZED;
}

static enum srt_code take_pair(struct srt_request *out, char *session, struct piece pair)
{
    struct piece value = {pair.at + 2, pair.len - 2};

    if (pair.len < 2 || pair.at[1] != '=')
        return SRT_CODE_BAD_REQUEST;
    switch (pair.at[0]) {
    case 'r':
        return take_slug(out, value);
    case 'u':
        return take_token(out->token, value);
    case 's':
        return take_token(session, value);
    case 'm':
        return is_piece(value, "request") ? SRT_CODE_OK : SRT_CODE_BAD_MODE;
    case 't':
        return is_piece(value, "stream") ? SRT_CODE_OK : SRT_CODE_MEDIA;
    default:
        return SRT_CODE_OK; /* h=, and what callers add of their own */
    }
}

static enum srt_code parse_pairs(struct srt_request *out, const char *at)
{
    char session[TOKEN_TEXT] = "";
    enum srt_code code = SRT_CODE_OK;

    while (*at && code == SRT_CODE_OK) {
        struct piece pair = until(at, ",");

        code = take_pair(out, session, pair);
        at += pair.len;
        at += *at == ',';
    }
    if (code == SRT_CODE_OK && !out->slug[0])
        code = SRT_CODE_NOT_FOUND;
    if (!out->token[0])
        memcpy(out->token, session, sizeof(session));
    return code;
}

/* read:SLUG, read:SLUG:TOKEN or read:SLUG:USER:TOKEN, after the first colon. */
static enum srt_code parse_colons(struct srt_request *out, const char *at)
{
    struct piece slug = until(at, ":");
    const char *last = strrchr(at, ':');
    enum srt_code code = take_slug(out, slug);

    if (code != SRT_CODE_OK || !last)
        return code;
    return take_token(out->token, until(last + 1, ""));
}

static enum srt_code parse_query(struct srt_request *out, const char *at)
{
    struct piece slug = until(at, "?");
    enum srt_code code = take_slug(out, slug);

    for (at += slug.len; *at && code == SRT_CODE_OK;) {
        struct piece pair = until(++at, "&");

        if (strncmp(at, "token=", 6) == 0)
            code = take_token(out->token, (struct piece){at + 6, pair.len - 6});
        at += pair.len;
    }
    return code;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

enum srt_code srt_request_parse(struct srt_request *out, const char *stream_id)
{
    *out = (struct srt_request){.slug = ""};
    if (strlen(stream_id) > STREAM_ID_MAX || !is_printable(stream_id))
        return SRT_CODE_BAD_REQUEST;
    if (strncmp(stream_id, "#!::", 4) == 0)
        return parse_pairs(out, stream_id + 4);
    if (strncmp(stream_id, "publish:", 8) == 0)
        return SRT_CODE_BAD_MODE;
    if (strncmp(stream_id, "read:", 5) == 0)
        return parse_colons(out, stream_id + 5);
    return parse_query(out, stream_id);
}

enum srt_code srt_code_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ALLOW:
        return SRT_CODE_OK;
    case VERDICT_NO_CREDENTIAL:
    case VERDICT_BAD_CREDENTIAL:
        return SRT_CODE_UNAUTHORIZED;
    case VERDICT_DENIED:
        return SRT_CODE_FORBIDDEN;
    case VERDICT_TOO_MANY:
    case VERDICT_OVERLOADED:
        return SRT_CODE_OVERLOAD;
    case VERDICT_ABSENT:
        return SRT_CODE_NOT_FOUND;
    case VERDICT_AWAY:
        return SRT_CODE_DOWN;
    }
    return SRT_CODE_FORBIDDEN;
}
