#include "server/web.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "http/router.h"

struct web_asset {
    const char *name, *etag, *packed_etag;
    const uint8_t *plain, *plain_end, *packed, *packed_end;
};

#include "web/assets.inc"

enum { ASSETS = sizeof(assets) / sizeof(assets[0]), HEADERS_MAX = 12 };

struct web {
    struct {
        struct buf *plain, *packed; /* owned */
    } bodies[ASSETS];
};

/* Modules are fetched by CORS, and these are the same for everybody: any website may have them. */
static const struct http_header script_headers[] = {
    {"content-type", "text/javascript; charset=utf-8"},
    {"cache-control", "public, max-age=600"},
    {"access-control-allow-origin", "*"},
    {"cross-origin-resource-policy", "cross-origin"},
    {NULL, NULL},
};

static struct buf *body_of(const uint8_t *from, const uint8_t *end)
{
    return buf_copy(from, (size_t)(end - from));
}

int web_new(struct web **out)
{
    struct web *web = calloc(1, sizeof(*web));
    bool is_whole = web != NULL;

    for (size_t i = 0; i < ASSETS && is_whole; i++) {
        web->bodies[i].plain = body_of(assets[i].plain, assets[i].plain_end);
        web->bodies[i].packed = body_of(assets[i].packed, assets[i].packed_end);
        is_whole = web->bodies[i].plain && web->bodies[i].packed;
    }
    if (!is_whole) {
        web_free(web);
        return -ENOMEM;
    }
    *out = web;
    return 0;
}

void web_free(struct web *web)
{
    if (!web)
        return;
    for (size_t i = 0; i < ASSETS; i++) {
        buf_unref(web->bodies[i].plain);
        buf_unref(web->bodies[i].packed);
    }
    free(web);
}

/* Sends an asset with these headers; 404 where the build had none of this name. */
static void send_asset(const struct web *web, struct http_request *request, const char *name,
                       const struct http_header *headers)
{
    struct http_header all[HEADERS_MAX] = {{NULL, NULL}};
    bool is_packed = http_accepts_gzip(request);
    size_t i = 0, count = 0;

    while (i < ASSETS && strcmp(assets[i].name, name) != 0)
        i++;
    if (i == ASSETS) {
        http_respond_problem(request, 404, "left-out", "This server was built without it.", 0);
        return;
    }
    while (headers[count].name) {
        all[count] = headers[count];
        count++;
    }
    all[count++] = (struct http_header){"vary", "accept-encoding"};
    all[count++] = (struct http_header){"content-encoding", is_packed ? "gzip" : "identity"};
    all[count] = (struct http_header){"etag", is_packed ? assets[i].packed_etag : assets[i].etag};
    http_respond(request, 200, all, is_packed ? web->bodies[i].packed : web->bodies[i].plain);
}

static bool is_origin_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr(".-*:[]", c) != NULL;
}

bool web_is_origin(const char *text)
{
    const char *host = NULL;

    if (strncmp(text, "https://", 8) == 0)
        host = text + 8;
    else if (strncmp(text, "http://", 7) == 0)
        host = text + 7;
    if (!host || !*host || strlen(text) >= WEB_ORIGIN)
        return false;
    for (; *host; host++)
        if (!is_origin_char(*host))
            return false;
    return true;
}

void web_write_policy(char out[WEB_POLICY], const char *ancestors)
{
    snprintf(out, WEB_POLICY,
             "default-src 'none'; script-src 'self'; connect-src 'self'; media-src 'self' blob:; "
             "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
             "require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors %s",
             ancestors);
}

static void send_page(const struct web *web, struct http_request *request, const char *ancestors)
{
    char policy[WEB_POLICY];
    const struct http_header headers[] = {
        {"content-type", "text/html; charset=utf-8"},
        {"cache-control", "no-cache"},
        {"content-security-policy", policy},
        {"permissions-policy", "camera=(), microphone=(), geolocation=()"},
        {NULL, NULL},
    };

    web_write_policy(policy, ancestors);
    send_asset(web, request, "page.html", headers);
}

static void get_page(void *owner, struct http_request *request)
{
    send_page(owner, request, "'none'");
}

/* Which pages may embed it depends on the token, which rides in the fragment and isn't seen here:
 * who serves the pictures decides by it. A site that names itself (?o=https://example.org) gets a
 * page that shows nowhere else. */
static void get_embed(void *owner, struct http_request *request)
{
    char origin[WEB_ORIGIN];
    bool is_named = http_query_value(request, "o", origin, sizeof(origin));

    if (is_named && !web_is_origin(origin))
        http_respond_problem(request, 400, "origin",
                             "o= must be a web origin such as https://example.org.", 0);
    else
        send_page(owner, request, is_named ? origin : "*");
}

static void get_script(void *owner, struct http_request *request)
{
    send_asset(owner, request, strrchr(http_path(request), '/') + 1, script_headers);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/s/{slug}", get_page, 0},
    {HTTP_GET, "/embed/{slug}", get_embed, 0},
    {HTTP_GET, "/player.js", get_script, 0},
    {HTTP_GET, "/hls.js", get_script, 0},
    {.pattern = NULL},
};

int web_add(struct web *web, struct http_router *router)
{
    return http_router_add(router, routes, web);
}
