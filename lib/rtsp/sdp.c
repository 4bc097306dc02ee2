#include "rtsp/sdp.h"

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

/* m=video 0 RTP/AVP 96 97 */
static void parse_media(struct sdp *out, const char *value)
{
    struct sdp_media *media;
    const char *at = value + strcspn(value, " ");
    size_t len = (size_t)(at - value);

    if (out->media_count == SDP_MEDIA_MAX || len >= sizeof(media->kind))
        return;
    media = &out->media[out->media_count++];
    memcpy(media->kind, value, len);
    media->kind[len] = '\0';
    number(&at); /* the port */
    at += strcspn(at, " ");
    at += *at == ' ';
    at += strcspn(at, " "); /* the profile */
    media->payload_type = (uint8_t)(number(&at) & 0x7f);
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

static void parse_attribute(struct sdp *out, const char *line)
{
    struct sdp_media *media = out->media_count ? &out->media[out->media_count - 1] : NULL;
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

static void parse_line(struct sdp *out, struct line *line)
{
    size_t len = strlen(line->text);

    while (len && (line->text[len - 1] == ' ' || line->text[len - 1] == '\r'))
        line->text[--len] = '\0';
    if (len < 2 || line->text[1] != '=')
        return;
    if (line->text[0] == 'm')
        parse_media(out, line->text + 2);
    else if (line->text[0] == 'a')
        parse_attribute(out, line->text + 2);
}

int sdp_parse(struct sdp *out, const char *text, size_t len)
{
    struct line line;
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    if (len > SDP_MAX_BYTES)
        return -ERR_TOO_LONG;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        size_t kept = line_len < sizeof(line.text) ? line_len : sizeof(line.text) - 1;

        memcpy(line.text, text + at, kept);
        line.text[kept] = '\0';
        parse_line(out, &line);
        at += line_len + 1;
    }
    return out->media_count ? 0 : -ERR_PROTOCOL;
}

static void write_media(struct writer *out, const struct sdp_media *media)
{
    unsigned type = media->payload_type;

    writer_printf(out, "m=%s 0 RTP/AVP %u\r\n", media->kind, type);
    if (media->encoding[0]) {
        writer_printf(out, "a=rtpmap:%u %s/%u", type, media->encoding, media->clock_rate);
        if (media->channels > 1)
            writer_printf(out, "/%u", media->channels);
        writer_text(out, "\r\n");
    }
    if (media->fmtp[0])
        writer_printf(out, "a=fmtp:%u %s\r\n", type, media->fmtp);
    writer_printf(out, "a=control:%s\r\n", media->control);
}

void sdp_write(struct writer *out, const struct sdp *sdp, const struct sdp_origin *origin)
{
    const char *version = strchr(origin->host, ':') ? "IP6" : "IP4";

    writer_printf(out, "v=0\r\no=- %llu 1 IN %s %s\r\ns=%s\r\nc=IN %s %s\r\nt=0 0\r\n",
                  (unsigned long long)origin->id, version, origin->host, origin->name, version,
                  strcmp(version, "IP6") == 0 ? "::" : "0.0.0.0");
    writer_text(out, "a=range:npt=now-\r\n");
    writer_printf(out, "a=control:%s\r\n", sdp->control[0] ? sdp->control : "*");
    for (unsigned i = 0; i < sdp->media_count; i++)
        write_media(out, &sdp->media[i]);
}
