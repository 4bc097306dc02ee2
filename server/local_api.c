#include "server/local_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/log_limit.h"
#include "server/api/api.h"
#include "server/server.h"

struct local_api {
    struct server *server;
    struct api_env env;
    struct http_router *router;
    struct http_server *http;
    struct listener *listener;
};

/* Only root and whoever runs the server may speak here, whatever the file's mode says. */
static bool is_administrator(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct local_api *api = owner;
    struct conn *conn;

    (void)peer;
    if (!is_administrator(fd)) {
        LOG_STRANGER(NULL, LOG_WARN, "api", NULL, "peer-refused");
        close(fd);
        return;
    }
    if (conn_accept(&conn, api->server->workers[0].loop, fd, NULL, &conn_limits_default) == 0)
        http_server_accept(api->http, conn);
}

static const struct listener_handler handler = {on_accept};

static int camera_state(void *owner, const char *camera_id, struct api_camera_state *out)
{
    struct local_api *api = owner;
    const char *text;

    out->state = camera_state_name(relay_camera_state_of(api->server->relay, camera_id, &text));
    out->text = text;
    return 0;
}

static bool agent_online(void *owner, const char *agent_id)
{
    struct local_api *api = owner;

    return relay_agent_is_online(api->server->relay, agent_id);
}

static size_t agents_online(void *owner)
{
    struct local_api *api = owner;

    return relay_agents_online(api->server->relay);
}

static const char *cameras_in(void *owner, unsigned i, size_t *count)
{
    struct local_api *api = owner;

    if (i >= CAMERA_STATES)
        return NULL;
    *count = relay_cameras_in(api->server->relay, (enum camera_state)i);
    return camera_state_name((enum camera_state)i);
}

static size_t viewers(void *owner, const char *protocol)
{
    struct local_api *api = owner;
    size_t sum = 0;

    for (unsigned i = 0; egress_all[i]; i++)
        if (!protocol || strcmp(protocol, egress_all[i]->name) == 0)
            sum += atomic_load(&api->server->viewers[i]);
    return sum;
}

static void camera_urls(void *owner, const char *slug,
                        void (*each)(void *to, const struct egress_url *url), void *to)
{
    struct local_api *api = owner;
    struct egress_url url;

    for (unsigned i = 0; egress_all[i]; i++)
        for (unsigned k = 0; egress_all[i]->url; k++) {
            url.passphrase = NULL;
            if (egress_all[i]->url(&api->server->workers[0].env, k, slug, &url) != 0)
                break;
            each(to, &url);
        }
}

static int listen_at_socket(struct local_api *api)
{
    char path[PATH_TEXT + 16];
    int err;

    snprintf(path, sizeof(path), "%s/api.sock", api->server->data_dir);
    err = listener_open_unix(&api->listener, api->server->workers[0].loop, path, &handler, api);
    if (err < 0)
        LOG(LOG_ERROR, "api", NULL, "cannot-listen", KV_S("path", path), KV_ERR(err),
            KV_S("text", err_text(err)));
    return err;
}

int local_api_open(struct local_api **out, struct server *server)
{
    struct local_api *api = calloc(1, sizeof(*api));
    struct worker *first = &server->workers[0];
    int err;

    if (!api)
        return -ENOMEM;
    api->server = server;
    api->env = (struct api_env){.loop = first->loop,
                                .store = server->store,
                                .reader = first->reader,
                                .auth = server->auth,
                                .tls = server->tls,
                                .public_address = server->public_address,
                                .egresses = egress_all,
                                .loops = server->worker_count,
                                .started_us = server->started_us,
                                .owner = api,
                                .camera_state = camera_state,
                                .agent_online = agent_online,
                                .agents_online = agents_online,
                                .cameras_in = cameras_in,
                                .viewers = viewers,
                                .camera_urls = camera_urls};
    err = http_router_new(&api->router);
    if (err == 0)
        err = api_add_routes(api->router, &api->env);
    if (err == 0)
        err = http_server_new(&api->http, first->loop, api->router, &http_limits_default, NULL);
    if (err == 0)
        err = listen_at_socket(api);
    if (err < 0) {
        local_api_close(api);
        return err;
    }
    *out = api;
    return 0;
}

void local_api_close(struct local_api *api)
{
    if (!api)
        return;
    listener_close(api->listener);
    http_server_free(api->http);
    http_router_free(api->router);
    free(api);
}
