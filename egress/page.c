#include "egress/page.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "http/http.h"

static bool is_own(const char *origin, const char *authority)
{
    return strncmp(origin, "https://", 8) == 0 && authority &&
           strcasecmp(origin + 8, authority) == 0;
}

const char *page_choose(const char *origin, const char *embedder, const char *authority)
{
    if (origin && !is_own(origin, authority))
        return origin;
    return embedder && *embedder ? embedder : NULL;
}

const char *page_origin(const struct http_request *request)
{
    return page_choose(http_header(request, "origin"), http_header(request, "culvert-embedder"),
                       http_authority(request));
}
