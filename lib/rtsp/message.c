#include "rtsp/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FRAME_HEAD = 4 };

static struct rtsp_parsed bad(unsigned status)
{
    return (struct rtsp_parsed){.piece = RTSP_BAD, .status = status};
}

static struct rtsp_parsed parse_frame(const uint8_t *bytes, size_t len)
{
    struct rtsp_parsed parsed = {.piece = RTSP_NEEDS_MORE};
    size_t frame_len;

    if (len < FRAME_HEAD)
        return parsed;
    frame_len = (size_t)bytes[2] << 8 | bytes[3];
    if (len - FRAME_HEAD < frame_len)
        return parsed;
    parsed.piece = RTSP_FRAME;
    parsed.channel = bytes[1];
    parsed.frame = bytes + FRAME_HEAD;
    parsed.frame_len = frame_len;
    parsed.used = FRAME_HEAD + frame_len;
    return parsed;
}

/* The length of the head with its empty line, 0 when it is not whole yet. */
static size_t find_head(const uint8_t *bytes, size_t len)
{
    size_t line = 0;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n') {
            line += bytes[i] != '\r';
            continue;
        }
        if (line == 0)
            return i + 1;
        line = 0;
    }
    return 0;
}

/* A head that is not whole is refused as soon as it can't become a good one. */
static unsigned check_partial(const uint8_t *bytes, size_t len)
{
    const uint8_t *end = memchr(bytes, '\n', len);
    size_t line = end ? (size_t)(end - bytes) : len;

    if (line > RTSP_LINE_MAX)
        return 414;
    if (len > RTSP_HEAD_MAX)
        return 431;
    for (size_t i = 0; i < line; i++)
        if (bytes[i] < 0x20 && bytes[i] != '\r' && bytes[i] != '\t')
            return 400;
    return 0;
}

/* Cuts the next line off *at, without its end; NULL at the end of the text. */
static char *take_line(char **at, const char *end)
{
    char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

    if (!stop)
        return NULL;
    *at = stop + 1;
    *stop = '\0';
    if (stop > line && stop[-1] == '\r')
        stop[-1] = '\0';
    return line;
}

static char *trim(char *text)
{
    size_t len;

    while (*text == ' ' || *text == '\t')
        text++;
    len = strlen(text);
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        text[--len] = '\0';
    return text;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 && *text != '\t')
            return true;
    return false;
}

static unsigned check_version(const char *version)
{
    if (strncasecmp(version, "RTSP/", 5) != 0)
        return 400;
    return strncmp(version + 5, "1.", 2) == 0 ? 0 : 505;
}

static unsigned parse_status_line(struct rtsp_message *message, char *line)
{
    char *at = line + strcspn(line, " ");

    if (strncasecmp(line, "RTSP/", 5) != 0 || !*at)
        return 400;
    at = trim(at);
    for (unsigned i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '9')
            return 400;
        message->status = message->status * 10 + (unsigned)(at[i] - '0');
    }
    message->reason = trim(at + 3);
    return message->status < 100 ? 400 : 0;
}

static unsigned parse_request_line(struct rtsp_message *message, char *line)
{
    char *url = strchr(line, ' '), *version = strrchr(line, ' ');

    if (!url || version == url)
        return 400;
    *url++ = '\0';
    *version++ = '\0';
    message->is_request = true;
    message->method = line;
    message->url = trim(url);
    if (!*line || !*message->url || strchr(message->url, ' '))
        return 400;
    return check_version(version);
}

/* Cameras fold lines: one that begins with a blank goes on with the value before it. What lies
 * between the two in the text, the cut line end, becomes blank. */
static unsigned unfold(struct rtsp_message *message, char *line)
{
    char *value, *end;

    if (!message->header_count)
        return 400;
    trim(line);
    value = message->text + (message->headers[message->header_count - 1].value - message->text);
    end = value + strlen(value);
    memset(end, ' ', (size_t)(line - end));
    return strlen(value) > RTSP_LINE_MAX ? 431 : 0;
}

static unsigned parse_header(struct rtsp_message *message, char *line)
{
    char *colon = strchr(line, ':');

    if (*line == ' ' || *line == '\t')
        return unfold(message, line);
    if (!colon || colon == line)
        return 400;
    if (message->header_count == RTSP_HEADERS_MAX)
        return 431;
    *colon = '\0';
    message->headers[message->header_count].name = trim(line);
    message->headers[message->header_count].value = trim(colon + 1);
    message->header_count++;
    return 0;
}

static unsigned parse_head(struct rtsp_message *message, char *text, size_t len)
{
    char *at = text, *end = text + len, *line = take_line(&at, end);
    bool is_first = true;
    unsigned status = 0;

    for (; line && *line && status == 0; line = take_line(&at, end)) {
        if (strlen(line) > RTSP_LINE_MAX)
            status = is_first ? 414 : 431;
        else if (has_control(line))
            status = 400;
        else if (!is_first)
            status = parse_header(message, line);
        else if (strncasecmp(line, "RTSP/", 5) == 0)
            status = parse_status_line(message, line);
        else
            status = parse_request_line(message, line);
        is_first = false;
    }
    return is_first ? 400 : status;
}

/* 0 and the body's length, or the status to refuse it with. Two that differ are refused. */
static unsigned content_length(const struct rtsp_message *message, size_t *out)
{
    const char *value = rtsp_header(message, "Content-Length");
    const char *again = value ? rtsp_header_next(message, "Content-Length", value) : NULL;
    size_t len = 0;

    *out = 0;
    if (!value)
        return 0;
    if (again && strcmp(value, again) != 0)
        return 400;
    if (!*value)
        return 400;
    for (; *value; value++) {
        if (*value < '0' || *value > '9')
            return 400;
        len = len * 10 + (size_t)(*value - '0');
        if (len > RTSP_BODY_MAX)
            return 413;
    }
    *out = len;
    return 0;
}

/* The text is the head and whatever of the body has come; the lines in it are cut in place. */
static struct rtsp_parsed parse_whole(struct rtsp_message *message, size_t head_len, size_t len)
{
    struct rtsp_parsed parsed = {.piece = RTSP_MESSAGE, .message = message};
    unsigned status = parse_head(message, message->text, head_len);

    if (status == 0)
        status = content_length(message, &message->body_len);
    if (status)
        return bad(status);
    if (len - head_len < message->body_len)
        return (struct rtsp_parsed){.piece = RTSP_NEEDS_MORE};
    parsed.used = head_len + message->body_len;
    message->text[parsed.used] = '\0';
    message->body = message->text + head_len;
    return parsed;
}

/* The body that a whole head promises, as far as a glance tells (0 otherwise): so that a body
 * that trickles in costs no copy a byte. */
static size_t glance_body(const uint8_t *bytes, size_t head_len)
{
    static const char name[] = "\nContent-Length:";
    size_t name_len = sizeof(name) - 1, len = 0, i = 0;

    while (i + name_len < head_len && strncasecmp((const char *)bytes + i, name, name_len) != 0)
        i++;
    if (i + name_len >= head_len)
        return 0;
    for (i += name_len; bytes[i] == ' '; i++)
        continue;
    for (; bytes[i] >= '0' && bytes[i] <= '9' && len <= RTSP_BODY_MAX; i++)
        len = len * 10 + (size_t)(bytes[i] - '0');
    return len <= RTSP_BODY_MAX ? len : 0;
}

struct rtsp_parsed rtsp_parse(const uint8_t *bytes, size_t len)
{
    struct rtsp_parsed parsed = {.piece = RTSP_NEEDS_MORE};
    struct rtsp_message *message;
    size_t head_len, skipped = 0;
    unsigned status;

    while (len && (*bytes == '\r' || *bytes == '\n')) { /* between messages they mean nothing */
        bytes++;
        len--;
        skipped++;
    }
    if (!len)
        return parsed;
    if (*bytes == '$') {
        parsed = parse_frame(bytes, len);
        parsed.used += parsed.piece == RTSP_FRAME ? skipped : 0;
        return parsed;
    }
    head_len = find_head(bytes, len);
    status = head_len ? 0 : check_partial(bytes, len);
    if (head_len > RTSP_HEAD_MAX)
        status = 431;
    if (status)
        return bad(status);
    if (!head_len || len < head_len + glance_body(bytes, head_len))
        return parsed;
    message = calloc(1, sizeof(*message));
    if (!message)
        return bad(500);
    if (len > head_len + RTSP_BODY_MAX)
        len = head_len + RTSP_BODY_MAX;
    message->text = malloc(len + 1);
    if (!message->text) {
        free(message);
        return bad(500);
    }
    memcpy(message->text, bytes, len);
    parsed = memchr(bytes, '\0', head_len) ? bad(400) : parse_whole(message, head_len, len);
    parsed.used += parsed.piece == RTSP_MESSAGE ? skipped : 0;
    if (parsed.piece != RTSP_MESSAGE)
        rtsp_message_free(message);
    return parsed;
}

void rtsp_message_free(struct rtsp_message *message)
{
    if (!message)
        return;
    free(message->text);
    free(message);
}

const char *rtsp_header_next(const struct rtsp_message *message, const char *name,
                             const char *after)
{
    bool is_past = !after;

    for (unsigned i = 0; i < message->header_count; i++) {
        const struct rtsp_header *header = &message->headers[i];

        if (is_past && strcasecmp(header->name, name) == 0)
            return header->value;
        is_past = is_past || header->value == after;
    }
    return NULL;
}

const char *rtsp_header(const struct rtsp_message *message, const char *name)
{
    return rtsp_header_next(message, name, NULL);
}

int64_t rtsp_cseq(const struct rtsp_message *message)
{
    const char *value = rtsp_header(message, "CSeq");
    int64_t cseq = 0;

    if (!value || !*value || strlen(value) > 10)
        return -1;
    for (; *value; value++) {
        if (*value < '0' || *value > '9')
            return -1;
        cseq = cseq * 10 + (*value - '0');
    }
    return cseq;
}

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Long"},
    {431, "Request Header Fields Too Large"},
    {451, "Parameter Not Understood"},
    {453, "Not Enough Bandwidth"},
    {454, "Session Not Found"},
    {455, "Method Not Valid in This State"},
    {457, "Invalid Range"},
    {459, "Aggregate Operation Not Allowed"},
    {460, "Only Aggregate Operation Allowed"},
    {461, "Unsupported Transport"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "RTSP Version Not Supported"},
    {551, "Option Not Supported"},
};

const char *rtsp_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

void rtsp_write_request(struct writer *out, const char *method, const char *url, int64_t cseq)
{
    writer_printf(out, "%s %s RTSP/1.0\r\n", method, url);
    if (cseq >= 0)
        rtsp_write_header(out, "CSeq", "%lld", (long long)cseq);
}

void rtsp_write_response(struct writer *out, unsigned status, int64_t cseq)
{
    writer_printf(out, "RTSP/1.0 %u %s\r\n", status, rtsp_reason(status));
    if (cseq >= 0)
        rtsp_write_header(out, "CSeq", "%lld", (long long)cseq);
}

void rtsp_write_header(struct writer *out, const char *name, const char *format, ...)
{
    char value[RTSP_LINE_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(value)) {
        out->err = -ERR_TOO_LONG;
        return;
    }
    value[strcspn(value, "\r\n")] = '\0';
    writer_printf(out, "%s: %s\r\n", name, value);
}

void rtsp_write_end(struct writer *out, const char *type, const void *body, size_t len)
{
    if (type) {
        rtsp_write_header(out, "Content-Type", "%s", type);
        rtsp_write_header(out, "Content-Length", "%zu", len);
    }
    writer_text(out, "\r\n");
    if (type)
        writer_put(out, body, len);
}
