#include "agent/proxy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/agent.h"
#include "crypto/digest.h"
#include "net/addr.h"
#include "rtsp/digest.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Undoes percent-encoding. No control characters: this goes into a header. */
static int decode(char *out, size_t room, const char *text, size_t len)
{
    size_t done = 0;

    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(text[i + 2]);

            if (low < 0)
                return -ERR_PROTOCOL;
            byte = high << 4 | low;
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return -ERR_PROTOCOL;
        if (done + 1 >= room)
            return -ERR_TOO_LONG;
        out[done++] = (char)byte;
    }
    out[done] = '\0';
    return 0;
}

/* "USER:PASSWORD", or a user alone. */
static int take_login(struct proxy *proxy, const char *text, size_t len)
{
    static const struct digest_challenge basic = {.scheme = AUTH_SCHEME_BASIC};
    char user[DIGEST_FIELD_MAX], password[DIGEST_FIELD_MAX] = "";
    const struct digest_request request = {.user = user, .password = password};
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : len;
    int err = decode(user, sizeof(user), text, user_len);

    if (err == 0 && strchr(user, ':'))
        err = -ERR_PROTOCOL; /* RFC 7617: it would end the name */
    if (err == 0 && colon)
        err = decode(password, sizeof(password), colon + 1, len - user_len - 1);
    if (err == 0)
        err = digest_answer(&basic, &request, proxy->authorization, sizeof(proxy->authorization));
    secret_wipe(password, sizeof(password));
    return err;
}

static int take_host(struct proxy *proxy, const char *text)
{
    char clean[PROXY_HOST + 16];
    size_t len = strcspn(text, "/");
    const char *colon;

    if (len >= sizeof(clean))
        return -ERR_TOO_LONG;
    if (strcmp(text + len, "/") != 0 && text[len])
        return -ERR_PROTOCOL;
    memcpy(clean, text, len);
    clean[len] = '\0';
    for (const char *at = clean; *at; at++)
        if (*at <= ' ' || *at == 0x7f)
            return -ERR_PROTOCOL;
    colon = clean[0] == '[' ? strstr(clean, "]:") : strchr(clean, ':');
    if (!colon || (clean[0] != '[' && strchr(colon + 1, ':')))
        return -ERR_PROTOCOL; /* a proxy has no port that goes without saying */
    return agent_parse_address(clean, proxy->host, sizeof(proxy->host), &proxy->port);
}

int proxy_parse(struct proxy *out, const char *url)
{
    const char *scheme_end = strstr(url, "://"), *at, *login_end;
    int err = 0;

    *out = (struct proxy){.port = 0};
    if (scheme_end && (scheme_end - url != 4 || strncasecmp(url, "http", 4) != 0))
        return -ERR_UNSUPPORTED;
    at = scheme_end ? scheme_end + 3 : url;
    login_end = strrchr(at, '@');
    if (login_end) {
        err = take_login(out, at, (size_t)(login_end - at));
        at = login_end + 1;
    }
    if (err == 0)
        err = take_host(out, at);
    if (err < 0) {
        secret_wipe(out, sizeof(*out));
        return err;
    }
    return 0;
}

/* "example.org" and ".example.org" mean it and all below; a port after it is not looked at. */
static bool is_name_for(const char *entry, size_t len, const char *host)
{
    const char *colon = memchr(entry, ':', len);
    size_t host_len = strlen(host);

    if (colon)
        len = (size_t)(colon - entry);
    if (len > 0 && *entry == '.') {
        entry++;
        len--;
    }
    if (len == 0 || len > host_len || strncasecmp(host + host_len - len, entry, len) != 0)
        return false;
    return len == host_len || host[host_len - len - 1] == '.';
}

static bool is_entry_for(const char *entry, size_t len, const char *host)
{
    char text[ADDR_TEXT], bracketed[PROXY_HOST + 2];
    struct addr_net net;
    struct addr addr;

    if (len == 1 && *entry == '*')
        return true;
    (void)snprintf(bracketed, sizeof(bracketed), "[%s]", host);
    if (len < sizeof(text) && (addr_parse(&addr, host) == 0 || addr_parse(&addr, bracketed) == 0)) {
        memcpy(text, entry, len);
        text[len] = '\0';
        if (addr_net_parse(&net, text) == 0 && addr_net_has(&net, &addr))
            return true;
    }
    return is_name_for(entry, len, host);
}

bool proxy_is_for(const struct proxy *proxy, const char *host)
{
    const char *at = proxy->except ? proxy->except : "";

    if (!proxy->host[0])
        return false;
    while (*at) {
        size_t len;

        at += strspn(at, ", \t");
        len = strcspn(at, ", \t");
        if (len > 0 && is_entry_for(at, len, host))
            return false;
        at += len;
    }
    return true;
}
