#include "http/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/router_private.h"

/* A tree of segments: literal children, one for "{name}", one for "{name...}". */
struct node {
    struct node *children, *next; /* owned: literals */
    struct node *any, *rest;      /* owned */
    const char *segment;          /* of a pattern, borrowed; a name for any and rest */
    size_t len;
    const struct http_route *routes[HTTP_OTHER];
    void *owners[HTTP_OTHER];
};

struct http_router {
    struct node root;
};

static void free_children(struct node *node);

static void free_node(struct node *node)
{
    if (!node)
        return;
    free_children(node);
    free(node);
}

static void free_children(struct node *node)
{
    while (node->children) {
        struct node *child = node->children;

        node->children = child->next;
        free_node(child);
    }
    free_node(node->any);
    free_node(node->rest);
}

int http_router_new(struct http_router **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void http_router_free(struct http_router *router)
{
    if (!router)
        return;
    free_children(&router->root);
    free(router);
}

/* The node of segment behind *slot, made if there is none. */
static struct node *node_at(struct node **slot, const char *segment, size_t len)
{
    if (!*slot)
        *slot = calloc(1, sizeof(**slot));
    if (*slot && !(*slot)->segment) {
        (*slot)->segment = segment;
        (*slot)->len = len;
    }
    return *slot;
}

static struct node *literal_child(struct node *node, const char *segment, size_t len)
{
    struct node **slot = &node->children;

    while (*slot && ((*slot)->len != len || memcmp((*slot)->segment, segment, len) != 0))
        slot = &(*slot)->next;
    return node_at(slot, segment, len);
}

static struct node *pattern_child(struct node *node, const char *segment, size_t len)
{
    if (len < 3 || segment[0] != '{' || segment[len - 1] != '}')
        return literal_child(node, segment, len);
    if (len > 5 && memcmp(segment + len - 4, "...}", 4) == 0)
        return node_at(&node->rest, segment + 1, len - 5);
    return node_at(&node->any, segment + 1, len - 2);
}

static int add_row(struct http_router *router, const struct http_route *row, void *owner)
{
    struct node *node = &router->root;
    const char *at = row->pattern;

    if (*at != '/' || row->method >= HTTP_OTHER)
        return -ERR_UNSUPPORTED;
    while (*at == '/') {
        size_t len = strcspn(++at, "/");

        node = pattern_child(node, at, len);
        if (!node)
            return -ENOMEM;
        at += len;
    }
    if (node->routes[row->method])
        return -ERR_EXISTS;
    node->routes[row->method] = row;
    node->owners[row->method] = owner;
    return 0;
}

int http_router_add(struct http_router *router, const struct http_route *rows, void *owner)
{
    int err = 0;

    for (; rows->pattern && !err; rows++)
        err = add_row(router, rows, owner);
    return err;
}

/* ---- matching ---------------------------------------------------------------------------------
 */

struct match {
    struct {
        const struct node *node;
        const char *value;
        size_t len;
    } params[REQUEST_PARAMS_MAX];
    size_t count;
};

static bool has_route(const struct node *node)
{
    for (unsigned i = 0; i < HTTP_OTHER; i++)
        if (node->routes[i])
            return true;
    return false;
}

static const struct node *find(const struct node *node, const char *at, struct match *match,
                               unsigned depth);

static const struct node *find_param(const struct node *node, const char *value, size_t len,
                                     struct match *match, unsigned depth)
{
    const struct node *found;

    if (!node || len == 0 || match->count == REQUEST_PARAMS_MAX)
        return NULL;
    match->params[match->count].node = node;
    match->params[match->count].value = value;
    match->params[match->count++].len = len;
    found = find(node, value + len, match, depth);
    if (!found)
        match->count--;
    return found;
}

/* at: "" at the path's end, or "/rest". Literals first, then "{name}", then "{name...}". */
static const struct node *find(const struct node *node, const char *at, struct match *match,
                               unsigned depth)
{
    const struct node *found = NULL;
    size_t len;

    if (*at == '\0')
        return has_route(node) ? node : NULL;
    if (depth == ROUTER_DEPTH_MAX)
        return NULL;
    len = strcspn(++at, "/");
    for (const struct node *child = node->children; child; child = child->next)
        if (child->len == len && memcmp(child->segment, at, len) == 0)
            found = find(child, at + len, match, depth + 1);
    if (!found)
        found = find_param(node->any, at, len, match, depth + 1);
    if (!found)
        found = find_param(node->rest, at, strlen(at), match, depth + 1);
    return found;
}

static int keep_params(struct http_request *request, const struct match *match)
{
    request->params = request_alloc(request, sizeof(struct http_header) * (match->count + 1));
    if (!request->params)
        return -ENOMEM;
    request->param_count = match->count;
    for (size_t i = 0; i < match->count; i++) {
        const struct node *node = match->params[i].node;

        request->params[i].name = request_text(request, node->segment, node->len);
        request->params[i].value =
            request_text(request, match->params[i].value, match->params[i].len);
        if (!request->params[i].name || !request->params[i].value)
            return -ENOMEM;
    }
    return 0;
}

static void list_methods(const struct node *node, char allow[ROUTER_ALLOW_MAX])
{
    static const char *const names[HTTP_OTHER] = {"GET",   "HEAD",   "POST",   "PUT",
                                                  "PATCH", "DELETE", "OPTIONS"};
    size_t len = 0;

    for (unsigned i = 0; i < HTTP_OTHER; i++) {
        bool is_implied = i == HTTP_OPTIONS || (i == HTTP_HEAD && node->routes[HTTP_GET]);
        int put;

        if (!node->routes[i] && !is_implied)
            continue;
        put = snprintf(allow + len, ROUTER_ALLOW_MAX - len, "%s%s", len ? ", " : "", names[i]);
        len += put > 0 ? (size_t)put : 0;
    }
}

unsigned router_match(const struct http_router *router, struct http_request *request,
                      char allow[ROUTER_ALLOW_MAX])
{
    struct match match = {.count = 0};
    enum http_method method = request->method;
    const struct node *node;

    allow[0] = '\0';
    if (method == HTTP_OTHER)
        return 501;
    if (strcmp(request->path, "*") == 0) {
        snprintf(allow, ROUTER_ALLOW_MAX, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return method == HTTP_OPTIONS ? 204 : 400;
    }
    node = find(&router->root, request->path, &match, 0);
    if (!node)
        return 404;
    if (method == HTTP_HEAD && !node->routes[HTTP_HEAD])
        method = HTTP_GET;
    if (!node->routes[method]) {
        list_methods(node, allow);
        return method == HTTP_OPTIONS ? 204 : 405;
    }
    request->route = node->routes[method];
    request->route_owner = node->owners[method];
    return keep_params(request, &match) < 0 ? 503 : 0;
}
