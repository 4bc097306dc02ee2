#include "http/h1_wire.h"

#include <ctype.h>
#include <http_parser.h>
#include <string.h>

#include "http/target.h"
#include "http/token.h"

enum { REQUEST_LINE_REST = 64 }; /* a method, two blanks and a version */

ssize_t h1_head_find(struct h1_scan *scan, const struct h1_limits *limits, const uint8_t *bytes,
                     size_t len)
{
    size_t most_line = limits->target_bytes + REQUEST_LINE_REST;

    while (scan->at < len) {
        const uint8_t *lf = memchr(bytes + scan->at, '\n', len - scan->at);
        size_t end = lf ? (size_t)(lf - bytes) : len;

        if (!scan->has_request_line && end - scan->line > most_line)
            return -414;
        if (end > most_line + limits->header_bytes)
            return -431;
        scan->at = lf ? end + 1 : len;
        if (!lf)
            return 0;
        if (end == scan->line || bytes[end - 1] != '\r')
            return -400;
        if (end - scan->line == 1 && scan->line > 0)
            return scan->has_request_line ? (ssize_t)end + 1 : -400;
        scan->has_request_line = end - scan->line > 1;
        scan->line = end + 1;
    }
    return 0;
}

/* ---- what http-parser splits ------------------------------------------------------------------
 */

struct split {
    struct h1_head *head;
    size_t limit;
    char *text; /* the head */
    size_t target_len, value_len[H1_FIELDS_MAX], name_len[H1_FIELDS_MAX];
    bool is_complete, is_too_many;
};

/* The parser's pointers are const; this gives the same place in our own text. */
static char *place(const struct split *split, const char *at)
{
    return split->text + (at - split->text);
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct split *split = parser->data;

    split->head->target = place(split, at);
    split->target_len = len;
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
    struct split *split = parser->data;
    struct h1_head *head = split->head;

    if (head->count == split->limit) {
        split->is_too_many = true;
        return -1;
    }
    split->name_len[head->count] = len;
    split->value_len[head->count] = 0;
    head->fields[head->count++] = (struct h1_field){.name = at, .value = at + len};
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct split *split = parser->data;

    if (split->head->count == 0)
        return -1;
    split->head->fields[split->head->count - 1].value = at;
    split->value_len[split->head->count - 1] = len;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct split *split = parser->data;

    split->is_complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
};

/* ---- what we check ourselves ------------------------------------------------------------------
 */

/* "METHOD SP target SP HTTP/1.x", one blank each; 0 or a status. */
static unsigned check_request_line(const char *line, size_t len, size_t target_limit)
{
    const char *target = memchr(line, ' ', len), *version;

    if (!target || target == line)
        return 400;
    for (const char *at = line; at < target; at++)
        if (!token_has((uint8_t)*at))
            return 400;
    target++;
    version = memchr(target, ' ', len - (size_t)(target - line));
    if (!version || version == target)
        return 400;
    if ((size_t)(version - target) > target_limit)
        return 414;
    version++;
    if (line + len - version != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' ||
        !isdigit((unsigned char)version[5]) || !isdigit((unsigned char)version[7]))
        return 400;
    return version[5] == '1' ? 0 : 505;
}

static bool is_field_line(const char *line, size_t len)
{
    size_t name = 0;

    while (name < len && token_has((uint8_t)line[name]))
        name++;
    if (name == 0 || name > H1_NAME_MAX || name == len || line[name] != ':')
        return false;
    for (size_t i = name + 1; i < len; i++)
        if (line[i] != '\t' && ((unsigned char)line[i] < 0x20 || line[i] == 0x7f))
            return false;
    return true;
}

/* 0 and the number of fields, or a status. */
static unsigned check_lines(const char *text, size_t len, const struct h1_limits *limits,
                            size_t *fields)
{
    const char *end = text + len, *lf;
    size_t count = 0, header_bytes = 0;
    unsigned status;

    for (const char *line = text; line < end; line = lf + 1, count++) {
        lf = memchr(line, '\n', (size_t)(end - line));
        if (!lf || lf == line || lf[-1] != '\r')
            return 400;
        if (count == 0) {
            status = check_request_line(line, (size_t)(lf - line) - 1, limits->target_bytes);
            if (status)
                return status;
            continue;
        }
        header_bytes += (size_t)(lf + 1 - line);
        if (lf - line == 1)
            break;
        if (!is_field_line(line, (size_t)(lf - line) - 1))
            return 400;
    }
    *fields = count - 1;
    return header_bytes > limits->header_bytes ? 431 : 0;
}

static void finish_field(const struct split *split, size_t i)
{
    struct h1_field *field = &split->head->fields[i];
    char *name = place(split, field->name), *value = place(split, field->value);
    size_t len = split->value_len[i];

    for (size_t at = 0; at < split->name_len[i]; at++)
        name[at] = (char)tolower((unsigned char)name[at]);
    name[split->name_len[i]] = '\0';
    if (len == 0) {
        field->value = ""; /* of an empty value the parser names a place in the next line */
        return;
    }
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    value[len] = '\0';
}

unsigned h1_head_parse(struct h1_head *out, const struct h1_limits *limits, char *text, size_t len)
{
    struct split split = {.head = out, .limit = limits->header_count};
    http_parser parser;
    size_t fields = 0;
    unsigned status;

    if (len >= 2 && memcmp(text, "\r\n", 2) == 0) {
        text += 2;
        len -= 2;
    }
    *out = (struct h1_head){.method = text};
    split.text = text;
    if (split.limit > H1_FIELDS_MAX)
        split.limit = H1_FIELDS_MAX;
    status = check_lines(text, len, limits, &fields);
    if (status)
        return status;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &split;
    parser.allow_chunked_length = 1; /* so that h1_head_framing is the one that refuses it */
    http_parser_execute(&parser, &parser_settings, text, len);
    if (split.is_too_many)
        return 431;
    if (HTTP_PARSER_ERRNO(&parser) == HPE_INVALID_METHOD)
        return 501;
    /* Two readings of one head that differ are what smuggling is made of. */
    if (!split.is_complete || !out->target || out->count != fields)
        return 400;
    out->minor = parser.http_minor ? 1 : 0;
    *strchr(text, ' ') = '\0';
    out->target[split.target_len] = '\0';
    for (size_t i = 0; i < out->count; i++)
        finish_field(&split, i);
    return 0;
}

/* ---- framing ----------------------------------------------------------------------------------
 */

/* 1 to 18 digits and nothing else: no sign, no list, no overflow. */
static bool parse_length(const char *text, uint64_t *out)
{
    size_t len = strlen(text);

    *out = 0;
    if (len == 0 || len > 18)
        return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return false;
        *out = *out * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

struct fields_seen {
    const char *length, *coding;
    unsigned length_count, coding_count, host_count;
    bool has_close, has_keep_alive;
    const char *expect;
};

static void see_field(struct fields_seen *seen, struct h1_framing *out,
                      const struct h1_field *field)
{
    const char *name = field->name;

    if (strcmp(name, "content-length") == 0) {
        seen->length = field->value;
        seen->length_count++;
    } else if (strcmp(name, "transfer-encoding") == 0) {
        seen->coding = field->value;
        seen->coding_count++;
    } else if (strcmp(name, "host") == 0) {
        out->host = field->value;
        seen->host_count++;
    } else if (strcmp(name, "connection") == 0) {
        seen->has_close |= token_in(field->value, "close");
        seen->has_keep_alive |= token_in(field->value, "keep-alive");
    } else if (strcmp(name, "expect") == 0) {
        seen->expect = field->value;
    }
}

static unsigned frame_body(struct h1_framing *out, const struct fields_seen *seen, unsigned minor)
{
    if (seen->coding_count) {
        if (seen->coding_count > 1 || seen->length_count || minor == 0)
            return 400;
        if (strcasecmp(seen->coding, "chunked") != 0)
            return strchr(seen->coding, ',') || !*seen->coding ? 400 : 501;
        out->is_chunked = true;
        return 0;
    }
    if (seen->length_count > 1 || (seen->length && !parse_length(seen->length, &out->length)))
        return 400;
    return 0;
}

unsigned h1_head_framing(struct h1_framing *out, const struct h1_head *head)
{
    struct fields_seen seen = {.length = NULL};
    unsigned status;

    *out = (struct h1_framing){.host = NULL};
    for (size_t i = 0; i < head->count; i++)
        see_field(&seen, out, &head->fields[i]);
    if (seen.host_count > 1 || (seen.host_count == 0 && head->minor > 0))
        return 400;
    if (out->host && !target_is_authority(out->host))
        return 400;
    status = frame_body(out, &seen, head->minor);
    if (status)
        return status;
    out->keeps_alive = !seen.has_close && (head->minor > 0 || seen.has_keep_alive);
    if (seen.expect && head->minor > 0) {
        if (strcasecmp(seen.expect, "100-continue") != 0)
            return 417;
        out->expects_continue = out->is_chunked || out->length > 0;
    }
    return 0;
}
