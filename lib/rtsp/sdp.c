#include "rtsp/sdp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One line, without its end; at most as long as what we keep of it. */
struct line {
    char text[SDP_FMTP_MAX + 64];
};

static void text_copy(char *out, const char *from, size_t room)
{
    size_t len = strnlen(from, room - 1);

    memcpy(out, from, len);
    out[len] = '\0';
}

static uint32_t number(const char **at)
{
    uint64_t value = 0;

    while (**at == ' ')
        ++*at;
    for (; **at >= '0' && **at <= '9'; ++*at)
        value = value > UINT32_MAX ? value : value * 10 + (uint64_t)(**at - '0');
    return value > UINT32_MAX ? 0 : (uint32_t)value;
}

/* m=video 0 RTP/AVP 96 97. NULL: one too many. */
static struct sdp_media *parse_media(struct sdp *out, const char *value)
{
    struct sdp_media *media;
    const char *at = value + strcspn(value, " ");
    size_t len = (size_t)(at - value);

    if (out->media_count == SDP_MEDIA_MAX || !len || len >= sizeof(media->kind))
        return NULL;
    media = &out->media[out->media_count++];
    memcpy(media->kind, value, len);
    media->kind[len] = '\0';
    number(&at); /* the port */
    at += strcspn(at, " ");
    at += *at == ' ';
    at += strcspn(at, " "); /* the profile */
    media->payload_type = (uint8_t)(number(&at) & 0x7f);
    return media;
}

/* "96 H264/90000", "97 MPEG4-GENERIC/16000/2": only the media's first payload type counts. */
static void parse_rtpmap(struct sdp_media *media, const char *value)
{
    const char *at = value;
    size_t len;

    if (number(&at) != media->payload_type)
        return;
    at += strspn(at, " ");
    len = strcspn(at, "/ ");
    if (len >= sizeof(media->encoding))
        return;
    memcpy(media->encoding, at, len);
    media->encoding[len] = '\0';
    at += len;
    if (*at++ != '/')
        return;
    media->clock_rate = number(&at);
    if (*at++ == '/')
        media->channels = (uint8_t)number(&at);
}

static void parse_fmtp(struct sdp_media *media, const char *value)
{
    const char *at = value;

    if (number(&at) == media->payload_type)
        text_copy(media->fmtp, at + strspn(at, " "), sizeof(media->fmtp));
}

static void parse_attribute(struct sdp *out, struct sdp_media *media, const char *line)
{
    char *control = media ? media->control : out->control;

    if (strncasecmp(line, "control:", 8) == 0)
        text_copy(control, line + 8 + strspn(line + 8, " "), SDP_CONTROL_MAX);
    else if (media && strncasecmp(line, "rtpmap:", 7) == 0)
        parse_rtpmap(media, line + 7);
    else if (media && strncasecmp(line, "fmtp:", 5) == 0)
        parse_fmtp(media, line + 5);
    else if (media && strcasecmp(line, "sendonly") == 0)
        media->is_backchannel = true;
}

/* What the attributes that come next belong to. */
struct place {
    struct sdp_media *media; /* NULL: the session */
    bool is_skipped;         /* a media that we keep nothing of */
};

static void parse_line(struct sdp *out, struct place *place, struct line *line)
{
    size_t len = strlen(line->text);

    while (len && line->text[len - 1] == ' ')
        line->text[--len] = '\0';
    if (len < 2 || line->text[1] != '=')
        return;
    if (line->text[0] == 'm') {
        place->media = parse_media(out, line->text + 2);
        place->is_skipped = !place->media;
    } else if (line->text[0] == 'a' && !place->is_skipped) {
        parse_attribute(out, place->media, line->text + 2);
    }
}

/* Lines end in CR LF, in LF, and some cameras' in CR alone. */
static size_t line_length(const char *text, size_t len)
{
    const char *lf = memchr(text, '\n', len);
    size_t line = lf ? (size_t)(lf - text) : len;
    const char *cr = memchr(text, '\r', line);

    return cr ? (size_t)(cr - text) : line;
}

int sdp_parse(struct sdp *out, const char *text, size_t len)
{
    struct place place = {.media = NULL};
    struct line line;
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    if (len > SDP_MAX_BYTES)
        return -ERR_TOO_LONG;
    while (at < len) {
        size_t line_len = line_length(text + at, len - at);
        size_t kept = line_len < sizeof(line.text) ? line_len : sizeof(line.text) - 1;

        memcpy(line.text, text + at, kept);
        line.text[kept] = '\0';
        parse_line(out, &place, &line);
        at += line_len + 1;
    }
    return out->media_count ? 0 : -ERR_PROTOCOL;
}

/* One line; a byte that would end it becomes blank. */
__attribute__((format(printf, 2, 3))) static void write_line(struct writer *out, const char *format,
                                                             ...)
{
    struct line line;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line.text, sizeof(line.text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line.text)) {
        out->err = -ERR_TOO_LONG;
        return;
    }
    for (char *at = line.text; *at; at++)
        if (*at == '\r' || *at == '\n')
            *at = ' ';
    writer_text(out, line.text);
    writer_text(out, "\r\n");
}

static void write_media(struct writer *out, const struct sdp_media *media)
{
    unsigned type = media->payload_type;

    write_line(out, "m=%s 0 RTP/AVP %u", media->kind, type);
    if (media->encoding[0] && media->channels > 1)
        write_line(out, "a=rtpmap:%u %s/%u/%u", type, media->encoding, media->clock_rate,
                   media->channels);
    else if (media->encoding[0])
        write_line(out, "a=rtpmap:%u %s/%u", type, media->encoding, media->clock_rate);
    if (media->fmtp[0])
        write_line(out, "a=fmtp:%u %s", type, media->fmtp);
    write_line(out, "a=control:%s", media->control);
}

void sdp_write(struct writer *out, const struct sdp *sdp, const struct sdp_origin *origin)
{
    const char *version = strchr(origin->host, ':') ? "IP6" : "IP4";

    write_line(out, "v=0");
    write_line(out, "o=- %llu 1 IN %s %s", (unsigned long long)origin->id, version, origin->host);
    write_line(out, "s=%s", origin->name[0] ? origin->name : "-");
    write_line(out, "c=IN %s %s", version, strcmp(version, "IP6") == 0 ? "::" : "0.0.0.0");
    write_line(out, "t=0 0");
    write_line(out, "a=range:npt=now-");
    write_line(out, "a=control:%s", sdp->control[0] ? sdp->control : "*");
    for (unsigned i = 0; i < sdp->media_count; i++)
        write_media(out, &sdp->media[i]);
}
