#include "agent/dial_http.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "agent/proxy.h"
#include "net/websocket.h"

enum { FIELD_MAX = 128 };

static const char subprotocol[] = "culvert.1";

/* ---- replies -----------------------------------------------------------------------------------
 */

/* Where the line that begins at text ends (past its LF); NULL when it isn't whole. */
static const char *line_end(const char *text, const char *end)
{
    const char *lf = memchr(text, '\n', (size_t)(end - text));

    return lf ? lf + 1 : NULL;
}

static bool is_empty_line(const char *text, const char *end)
{
    return end - text == 1 || (end - text == 2 && *text == '\r');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "HTTP/1.1 200 …" as far as it has come. */
static int check_status_line(const char *text, size_t len, unsigned *status)
{
    static const char pattern[] = "HTTP/1.# ###";
    size_t known = sizeof(pattern) - 1;

    for (size_t i = 0; i < known && i < len; i++)
        if (pattern[i] == '#' ? !is_digit(text[i]) : text[i] != pattern[i])
            return -ERR_PROTOCOL;
    if (len <= known)
        return 0;
    if (!strchr(" \r\n", text[known]) || !text[known])
        return -ERR_PROTOCOL;
    *status = (unsigned)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
    return *status >= 100 ? 0 : -ERR_PROTOCOL;
}

ssize_t http_reply_parse(struct http_reply *out, const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes, *line, *end;
    size_t looked = len < REPLY_HEAD_MAX ? len : REPLY_HEAD_MAX;
    int err;

    *out = (struct http_reply){.status = 0};
    err = check_status_line(text, looked, &out->status);
    if (err < 0)
        return err;
    line = line_end(text, text + looked);
    out->fields = line;
    while (line && (end = line_end(line, text + looked))) {
        if (is_empty_line(line, end)) {
            out->fields_len = (size_t)(line - out->fields);
            return end - text;
        }
        line = end;
    }
    return len > looked || looked == REPLY_HEAD_MAX ? -ERR_TOO_LONG : 0;
}

/* The value of a line that is the named field's; false when it is another's. */
static bool take_field(const char *line, const char *end, const char *name, char *out, size_t room)
{
    size_t name_len = strlen(name), len;

    if ((size_t)(end - line) <= name_len || strncasecmp(line, name, name_len) != 0 ||
        line[name_len] != ':')
        return false;
    line += name_len + 1;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && strchr(" \t\r\n", end[-1]) && end[-1])
        end--;
    len = (size_t)(end - line);
    if (len >= room || memchr(line, '\0', len))
        len = 0;
    memcpy(out, line, len);
    out[len] = '\0';
    return true;
}

const char *http_reply_field(const struct http_reply *reply, const char *name, char *out,
                             size_t room)
{
    const char *line = reply->fields, *fields_end = line + reply->fields_len, *end;
    unsigned found = 0;

    out[0] = '\0';
    while (line < fields_end && (end = line_end(line, fields_end))) {
        found += take_field(line, end, name, out, room);
        line = end;
    }
    if (found > 1)
        out[0] = '\0';
    return out;
}

/* Whether one of the value's words, between commas, is the wanted one. */
static bool has_word(const char *value, const char *wanted)
{
    while (*value) {
        size_t len;

        value += strspn(value, ", \t");
        len = strcspn(value, ", \t");
        if (len == strlen(wanted) && strncasecmp(value, wanted, len) == 0)
            return true;
        value += len;
    }
    return false;
}

/* ---- CONNECT -----------------------------------------------------------------------------------
 */

static void put_authority(struct writer *to, struct http_authority server)
{
    bool is_ipv6 = strchr(server.host, ':') != NULL;

    writer_printf(to, "%s%s%s:%u", is_ipv6 ? "[" : "", server.host, is_ipv6 ? "]" : "",
                  (unsigned)server.port);
}

void connect_request(struct writer *to, struct http_authority server, const struct proxy *proxy)
{
    writer_text(to, "CONNECT ");
    put_authority(to, server);
    writer_text(to, " HTTP/1.1\r\nHost: ");
    put_authority(to, server);
    if (proxy->authorization[0]) {
        writer_text(to, "\r\nProxy-Authorization: ");
        writer_text(to, proxy->authorization);
    }
    writer_text(to, "\r\nUser-Agent: culvert-agent\r\n\r\n");
}

static const struct {
    unsigned status;
    const char *words;
} refusals[] = {
    {400, "the proxy does not understand CONNECT (400): is it an HTTP proxy?"},
    {403, "the proxy does not allow connections to this server (403)"},
    {404, "the proxy does not know this server (404): is it an HTTP proxy?"},
    {405, "the proxy allows no CONNECT (405): is it an HTTP proxy?"},
    {500, "the proxy failed (500)"},
    {502, "the proxy can't reach the server (502)"},
    {503, "the proxy can't reach the server (503)"},
    {504, "the server did not answer the proxy in time (504)"},
};

const char *connect_refusal(const struct http_reply *reply, const struct proxy *proxy)
{
    if (reply->status >= 200 && reply->status < 300)
        return NULL;
    if (reply->status == 407)
        return proxy->authorization[0] ? "the proxy refuses the user and password of --proxy (407)"
                                       : "the proxy asks for a user and a password (407): "
                                         "give them with --proxy http://USER:PASSWORD@HOST:PORT";
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].status == reply->status)
            return refusals[i].words;
    return "the proxy refuses to connect to the server";
}

/* ---- the WebSocket -----------------------------------------------------------------------------
 */

void upgrade_request(struct writer *to, struct http_authority server, const char *key)
{
    writer_text(to, "GET /agent HTTP/1.1\r\nHost: ");
    put_authority(to, server);
    writer_printf(to,
                  "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                  "Sec-WebSocket-Protocol: %s\r\nUser-Agent: culvert-agent\r\n\r\n",
                  key, subprotocol);
}

static bool is_upgraded(const struct http_reply *reply, const char *key)
{
    char value[FIELD_MAX], accept[WEBSOCKET_ACCEPT];

    return websocket_answer_key(key, accept) == 0 &&
           has_word(http_reply_field(reply, "upgrade", value, sizeof(value)), "websocket") &&
           has_word(http_reply_field(reply, "connection", value, sizeof(value)), "upgrade") &&
           strcmp(http_reply_field(reply, "sec-websocket-accept", value, sizeof(value)), accept) ==
               0 &&
           strcmp(http_reply_field(reply, "sec-websocket-protocol", value, sizeof(value)),
                  subprotocol) == 0 &&
           !http_reply_field(reply, "sec-websocket-extensions", value, sizeof(value))[0];
}

const char *upgrade_refusal(const struct http_reply *reply, const char *key)
{
    if (reply->status == 404)
        return "the server has no WebSocket for agents (404): update it";
    if (reply->status == 503)
        return "the server takes no more agents now (503)";
    if (reply->status != 101)
        return "the server refuses the WebSocket";
    return is_upgraded(reply, key) ? NULL : "what answers for the server speaks no WebSocket";
}
