#include "server/api/url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Some cameras want the password inside the path: from such a word on, nothing is shown. */
static size_t shown_path(const char *path, size_t len)
{
    static const char *const words[] = {"pass", "pwd", "user", "token", "auth", "key="};

    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            size_t word = strlen(words[i]);

            if (word <= len - at && !strncasecmp(path + at, words[i], word))
                return at;
        }
    }
    return len;
}

static bool is_host(const char *host, size_t len)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char digits[] = "0123456789abcdefABCDEF:.";

    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        return strspn(host + 1, digits) == len - 2;
    return len > 0 && len <= 253 && strspn(host, letters) >= len;
}

static bool is_port(const char *port, size_t len)
{
    unsigned number = 0;

    if (len < 1 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)port[i]))
            return false;
        number = number * 10 + (unsigned)(port[i] - '0');
    }
    return number > 0 && number <= 65535;
}

/* host, with or without a port, len bytes; the colons of [::1] are not the port's. */
static bool is_host_and_port(const char *host, size_t len)
{
    const char *bracket = memchr(host, ']', len);
    const char *from = bracket ? bracket : host;
    const char *colon = memchr(from, ':', len - (size_t)(from - host));

    if (!colon)
        return is_host(host, len);
    return is_host(host, (size_t)(colon - host)) &&
           is_port(colon + 1, len - (size_t)(colon + 1 - host));
}

static bool is_plain(const char *url)
{
    for (; *url; url++) {
        if (*url <= 0x20 || *url >= 0x7f)
            return false;
    }
    return true;
}

const char *url_show(const char *url, char shown[STORE_URL_SHOWN])
{
    const char *host, *path, *at;
    size_t scheme, host_len, path_len, show;

    if (strnlen(url, URL_BYTES + 1) > URL_BYTES)
        return "must be at most 1024 bytes";
    if (!is_plain(url))
        return "must not have spaces, control or non-ASCII characters: write them as %XX";
    scheme = !strncasecmp(url, "rtsp://", 7) ? 7 : !strncasecmp(url, "rtsps://", 8) ? 8 : 0;
    if (!scheme)
        return "must begin with rtsp:// or rtsps://";
    host = url + scheme;
    path = host + strcspn(host, "/?#");
    for (at = path; at > host && at[-1] != '@'; at--)
        ;
    path_len = strcspn(path, "?#");
    host = at;
    host_len = (size_t)(path - host);
    if (memchr(path, '@', path_len))
        return "has an @ after its first /: write / as %2F and @ as %40 in user and password";
    if (!is_host_and_port(host, host_len))
        return "must have a host, and a port from 1 to 65535 if any";
    show = shown_path(path, path_len);
    if (snprintf(shown, STORE_URL_SHOWN, "%.*s%.*s%s", (int)host_len, host, (int)show, path,
                 show < path_len ? "..." : "") >= STORE_URL_SHOWN)
        return "has a path that is too long (400 bytes)";
    return NULL;
}
