#include "agent/allow.h"

#include <string.h>
#include <strings.h>

#include "crypto/digest.h"
#include "rtsp/url.h"

int allow_add_net(struct allow *allow, const char *cidr)
{
    int err;

    if (allow->count == ALLOW_NETS_MAX)
        return -ERR_TOO_MANY;
    err = addr_net_parse(&allow->nets[allow->count], cidr);
    if (err == 0)
        allow->count++;
    return err;
}

static bool is_any_address(const struct addr *addr)
{
    char text[ADDR_TEXT];

    addr_format_host(addr, text);
    return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0 ||
           strcmp(text, "255.255.255.255") == 0;
}

bool allow_has(const struct allow *allow, const struct addr *addr)
{
    struct addr plain = addr_canonical(addr);

    if (addr_is_multicast(&plain) || is_any_address(&plain))
        return false;
    if (addr_is_loopback(&plain))
        return allow->has_loopback;
    for (size_t i = 0; i < allow->count; i++)
        if (addr_net_has(&allow->nets[i], &plain))
            return true;
    return allow->count == 0 && !addr_is_link_local(&plain);
}

const char *allow_url_fault(const struct allow *allow, const char *text)
{
    struct rtsp_url url;
    struct addr addr;
    char bracketed[RTSP_HOST_MAX + 2];
    int err = rtsp_url_parse(&url, text);

    secret_wipe(url.password, sizeof(url.password));
    if (err < 0)
        return "the camera's URL is not a good rtsp:// or rtsps:// URL";
    if (strcasecmp(url.host, "localhost") == 0 && !allow->has_loopback)
        return "the camera's address is this machine itself: allow it with --allow-loopback";
    (void)snprintf(bracketed, sizeof(bracketed), "[%s]", url.host);
    if (addr_parse(&addr, url.host) < 0 && addr_parse(&addr, bracketed) < 0)
        return NULL;
    if (allow_has(allow, &addr))
        return NULL;
    if (addr_is_loopback(&addr))
        return "the camera's address is this machine itself: allow it with --allow-loopback";
    return "the camera's address is not one that this agent may open (--allow-camera-net)";
}
