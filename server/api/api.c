#include "server/api/api.h"

#include "server/api/call.h"

static const struct http_route routes[] = {
    {HTTP_POST, "/api/v1/agents/codes", codes_post, FIELDS_BYTES},
    {HTTP_GET, "/api/v1/agents", agents_list, 0},
    {HTTP_GET, "/api/v1/agents/{id}", agents_get, 0},
    {HTTP_DELETE, "/api/v1/agents/{id}", agents_delete, 0},
    {HTTP_POST, "/api/v1/cameras", cameras_post, FIELDS_BYTES},
    {HTTP_GET, "/api/v1/cameras", cameras_list, 0},
    {HTTP_GET, "/api/v1/cameras/{id}", cameras_get, 0},
    {HTTP_PATCH, "/api/v1/cameras/{id}", cameras_patch, FIELDS_BYTES},
    {HTTP_DELETE, "/api/v1/cameras/{id}", cameras_delete, 0},
    {HTTP_POST, "/api/v1/tokens", tokens_post, FIELDS_BYTES},
    {HTTP_GET, "/api/v1/tokens", tokens_list, 0},
    {HTTP_GET, "/api/v1/tokens/{id}", tokens_get, 0},
    {HTTP_DELETE, "/api/v1/tokens/{id}", tokens_delete, 0},
    {HTTP_GET, "/api/v1/status", status_get, 0},
    {HTTP_POST, "/api/v1/backup", backup_post, FIELDS_BYTES},
    {.pattern = NULL},
};

int api_add_routes(struct http_router *router, struct api_env *env)
{
    return http_router_add(router, routes, env);
}
