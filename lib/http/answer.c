#include "http/answer.h"

#include <stdio.h>
#include <string.h>

#include "http/gzip.h"
#include "http/range.h"
#include "http/server_private.h"
#include "http/token.h"

enum { GZIP_LEAST_BYTES = 1024, GZIP_MOST_BYTES = 1 << 20, ETAG_MAX = 128 };

const char *answer_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {101, "Switching Protocols"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].reason;
    return "";
}

/* ---- header rows ------------------------------------------------------------------------------
 */

static const char *row_value(const struct http_header *rows, const char *name)
{
    for (; rows && rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows->value;
    return NULL;
}

/* Rows that are ours to write, or would break the framing. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {
        "content-length", "transfer-encoding", "connection", "keep-alive", "date", "trailer"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Describe a body, which a 304 has not (RFC 9110 section 15.4.5). */
static bool is_of_body(const char *name)
{
    return strncmp(name, "content-", 8) == 0 && strcmp(name, "content-location") != 0 &&
           strcmp(name, "content-security-policy") != 0;
}

/* A value from a handler may come from outside: it must not end its line. */
static bool is_clean(const struct http_header *row)
{
    for (const char *at = row->name; *at; at++)
        if (!token_has((uint8_t)*at) || (*at >= 'A' && *at <= 'Z'))
            return false;
    for (const char *at = row->value; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return false;
    return *row->name != '\0';
}

static void put(struct answer *answer, const char *name, const char *value)
{
    if (answer->count < ANSWER_HEADERS_MAX)
        answer->headers[answer->count++] = (struct http_header){name, value};
}

static void put_row(struct answer *answer, const struct http_header *row)
{
    if (is_reserved(row->name) || !is_clean(row))
        return;
    if (answer->status == 304 && is_of_body(row->name))
        return;
    if (strcmp(row->name, "etag") == 0 && answer->etag_text[0])
        return; /* replaced by a weak one */
    if (strcmp(row->name, "content-encoding") == 0 && strcmp(row->value, "identity") == 0)
        return;
    put(answer, row->name, row->value);
}

static bool has_row(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return true;
    return false;
}

/* The server's own rows, where the handler did not say otherwise. */
static void put_defaults(struct answer *answer, const struct http_header *rows)
{
    for (const struct http_header *row = rows; row && row->name; row++)
        if (!has_row(answer, row->name))
            put_row(answer, row);
}

/* ---- conditions and ranges --------------------------------------------------------------------
 */

static const char *strong_part(const char *etag)
{
    return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

/* The end of the entity tag at *at, or NULL when there is none. */
static const char *etag_end(const char *at)
{
    at = strong_part(at);
    if (*at != '"')
        return NULL;
    at = strchr(at + 1, '"');
    return at ? at + 1 : NULL;
}

bool answer_etag_matches(const char *list, const char *etag)
{
    const char *wanted = strong_part(etag), *end;

    if (strcmp(list, "*") == 0)
        return true;
    for (list += strspn(list, ", \t"); *list; list = end + strspn(end, ", \t")) {
        const char *member = strong_part(list);

        end = etag_end(list);
        if (!end)
            return false;
        if (strlen(wanted) == (size_t)(end - member) &&
            memcmp(member, wanted, (size_t)(end - member)) == 0)
            return true;
    }
    return false;
}

static bool is_read(const struct http_request *request)
{
    return request->method == HTTP_GET || request->method == HTTP_HEAD;
}

static bool is_not_modified(const struct http_request *request, const char *etag)
{
    const char *list = http_header(request, "if-none-match");

    return etag && list && is_read(request) && answer_etag_matches(list, etag);
}

/* Whether the range is of the representation that the peer has a part of already. */
static bool range_applies(const struct http_request *request, const char *etag)
{
    const char *condition = http_header(request, "if-range");

    if (!condition)
        return true;
    return etag && strncmp(etag, "W/", 2) != 0 && strcmp(condition, etag) == 0;
}

static void cut_range(struct answer *answer, struct http_request *request, const char *etag)
{
    const char *value = http_header(request, "range");
    size_t offset = 0, len = 0, size = answer->len;

    if (!value || request->method != HTTP_GET || answer->status != 200 ||
        !range_applies(request, etag))
        return;
    switch (range_parse(value, size, &offset, &len)) {
    case RANGE_NONE:
        return;
    case RANGE_ONE:
        answer->status = 206;
        answer->offset = offset;
        answer->len = len;
        snprintf(answer->range_text, sizeof(answer->range_text), "bytes %zu-%zu/%zu", offset,
                 offset + len - 1, size);
        return;
    case RANGE_OUTSIDE:
        answer->status = 416;
        answer->len = 0;
        snprintf(answer->range_text, sizeof(answer->range_text), "bytes */%zu", size);
        return;
    }
}

/* ---- compression ------------------------------------------------------------------------------
 */

/* Not playlists: they are asked for too often to be compressed for each request; who wants
 * them small compresses them once and says so in a content-encoding row. */
static bool is_text_type(const char *type)
{
    static const char *const starts[] = {"text/", "application/json", "application/problem+json",
                                         "application/javascript", "image/svg+xml"};

    for (size_t i = 0; type && i < sizeof(starts) / sizeof(starts[0]); i++)
        if (strncmp(type, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static bool is_worth_gzip(const struct answer *answer, const struct http_header *headers)
{
    return answer->body && answer->len > GZIP_LEAST_BYTES && answer->len <= GZIP_MOST_BYTES &&
           answer->status != 206 && answer->status != 416 &&
           !row_value(headers, "content-encoding") &&
           is_text_type(row_value(headers, "content-type"));
}

static void replace_by_gzip(struct answer *answer, struct http_server *server, const char *etag)
{
    struct buf *packed;

    if (!server->gzip && gzip_new(&server->gzip) < 0)
        return;
    if (gzip_compress(server->gzip, answer->body, &packed) < 0)
        return;
    buf_unref(answer->body);
    answer->body = packed;
    answer->len = packed->len;
    put(answer, "content-encoding", "gzip");
    /* Other bytes may not carry the same strong tag (RFC 9110 section 8.8.3.3). */
    if (etag && strlen(etag) < ETAG_MAX)
        snprintf(answer->etag_text, sizeof(answer->etag_text), "W/%s", strong_part(etag));
}

static void compress(struct answer *answer, struct http_request *request,
                     const struct http_header *headers, const char *etag)
{
    if (!is_worth_gzip(answer, headers))
        return;
    put(answer, "vary", "accept-encoding");
    /* For HEAD the length is left out instead: it isn't worth compressing to know it. */
    if (request->method != HTTP_HEAD && request->server &&
        range_accepts_gzip(http_header(request, "accept-encoding")))
        replace_by_gzip(answer, request->server, etag);
}

/* ---- all together -----------------------------------------------------------------------------
 */

static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static void drop_body(struct answer *answer)
{
    buf_unref(answer->body);
    answer->body = NULL;
}

static void put_generated(struct answer *answer, struct http_request *request, bool has_length)
{
    if (answer->range_text[0])
        put(answer, "content-range", answer->range_text);
    if (answer->etag_text[0])
        put(answer, "etag", answer->etag_text);
    if (has_length && !has_no_body(answer->status)) {
        snprintf(answer->length_text, sizeof(answer->length_text), "%zu", answer->len);
        put(answer, "content-length", answer->length_text);
    }
    put(answer, "date", server_date(request->server));
}

void answer_init(struct answer *answer, struct http_request *request, unsigned status,
                 const struct http_header *headers, struct buf *body)
{
    const char *etag = row_value(headers, "etag");
    bool has_length = true;

    answer->status = status;
    answer->body = buf_ref(body);
    answer->offset = 0;
    answer->len = body ? body->len : 0;
    answer->count = 0;
    answer->length_text[0] = answer->range_text[0] = answer->etag_text[0] = '\0';
    if (status == 200 && is_not_modified(request, etag))
        answer->status = 304;
    if (body && answer->status == 200) {
        cut_range(answer, request, etag);
        if (etag && answer->status == 200)
            put(answer, "accept-ranges", "bytes");
    }
    if (request->method == HTTP_HEAD && is_worth_gzip(answer, headers))
        has_length = !range_accepts_gzip(http_header(request, "accept-encoding"));
    compress(answer, request, headers, etag);
    put_generated(answer, request, has_length);
    for (const struct http_header *row = headers; row && row->name; row++)
        put_row(answer, row);
    for (size_t i = 0; i < request->extra_count; i++)
        put_row(answer, &request->extra[i]);
    put_defaults(answer, request->server->headers);
    if (answer->len == 0 || has_no_body(answer->status) || request->method == HTTP_HEAD) {
        drop_body(answer);
        answer->len = 0;
    }
}

void answer_fini(struct answer *answer)
{
    drop_body(answer);
}
