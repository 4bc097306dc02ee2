/* server/api_fixture.h: the API on a real Unix socket, with its loop on a thread of its own and
 * the live side made up; tests ask it as the command line does. */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "crypto/hpke.h"
#include "http/server.h"
#include "net/conn.h"
#include "net/listener.h"
#include "server/api/api.h"
#include "server/cli/cli.h"
#include "server/cli/client.h"

struct api_fixture {
    char folder[64], socket[96];
    struct loop *loop;
    struct store *store;
    struct store_reader *reader;
    struct auth *auth;
    struct tls_server *tls;
    struct http_router *router;
    struct http_server *http;
    struct listener *listener;
    struct api_env env;
    pthread_t thread;
    uint8_t seal_key[HPKE_PRIVATE_KEY]; /* of the agent agt_1 */
};

static inline int fixture_camera_state(void *owner, const char *camera_id,
                                       struct api_camera_state *out)
{
    (void)owner;
    (void)camera_id;
    *out = (struct api_camera_state){"live", "Pictures are coming."};
    return 0;
}

static inline bool fixture_agent_online(void *owner, const char *agent_id)
{
    (void)owner;
    return !strcmp(agent_id, "agt_1");
}

static inline size_t fixture_agents_online(void *owner)
{
    (void)owner;
    return 1;
}

/* Two are live, one is away. */
static inline const char *fixture_cameras_in(void *owner, unsigned i, size_t *count)
{
    static const char *const names[] = {"idle", "live", "agent-away", NULL};

    (void)owner;
    *count = (const size_t[]){0, 2, 1, 0}[i];
    return names[i];
}

static inline size_t fixture_viewers(void *owner, const char *protocol)
{
    (void)owner;
    return protocol ? 2 : 4;
}

static inline void fixture_urls(void *owner, const char *slug,
                                void (*each)(void *to, const struct egress_url *url), void *to)
{
    struct egress_url url = {.name = "rtsp", .passphrase = "&passphrase="};

    (void)owner;
    snprintf(url.text, sizeof(url.text), "rtsp://relay.test:8554/%s?token=%%s", slug);
    each(to, &url);
}

static inline void fixture_accept(void *owner, int fd, const struct addr *peer)
{
    struct api_fixture *fixture = owner;
    struct conn *conn;

    (void)peer;
    if (!conn_accept(&conn, fixture->loop, fd, NULL, &conn_limits_default))
        http_server_accept(fixture->http, conn);
}

static inline void *fixture_run(void *argument)
{
    struct api_fixture *fixture = argument;

    loop_run(fixture->loop);
    return NULL;
}

static inline const char *fixture_path(const struct api_fixture *fixture, const char *name,
                                       char out[128])
{
    snprintf(out, 128, "%s/%s", fixture->folder, name);
    return out;
}

static inline void fixture_make_agent(struct api_fixture *fixture, const char *id, const char *name)
{
    struct store_agent agent = {.created_s = 1};

    snprintf(agent.id, sizeof(agent.id), "%s", id);
    snprintf(agent.name, sizeof(agent.name), "%s", name);
    memset(agent.key, id[4], sizeof(agent.key));
    assert_int_equal(hpke_make_key(fixture->seal_key, agent.seal_key), 0);
    store_agent_put(fixture->store, &agent, (struct store_done){0});
}

static inline void fixture_open_parts(struct api_fixture *fixture)
{
    static const struct egress rtsp = {.name = "rtsp"}, hls = {.name = "hls"};
    static const struct egress *const egresses[] = {&rtsp, &hls, NULL};
    const char *const hosts[] = {"relay.test"};
    struct store_error error;
    char cert[128], key[128], path[128];

    fixture_path(fixture, "cert.pem", cert);
    fixture_path(fixture, "key.pem", key);
    assert_int_equal(tls_make_pair(cert, key, hosts, 1), 0);
    assert_int_equal(tls_server_new(&fixture->tls, cert, key, NULL), 0);
    assert_int_equal(auth_open(&fixture->auth, fixture_path(fixture, "token.key", path)), 0);
    assert_int_equal(store_open(&fixture->store, fixture_path(fixture, "culvert.db", path), &error),
                     0);
    fixture_make_agent(fixture, "agt_2", "Barn");
    fixture_make_agent(fixture, "agt_3", "Barn");
    fixture_make_agent(fixture, "agt_1", "Shed at home");
    store_close(fixture->store); /* waits for those writes */
    assert_int_equal(store_open(&fixture->store, fixture_path(fixture, "culvert.db", path), &error),
                     0);
    assert_int_equal(store_reader_open(&fixture->reader, fixture->store), 0);
    fixture->env = (struct api_env){.loop = fixture->loop,
                                    .store = fixture->store,
                                    .reader = fixture->reader,
                                    .auth = fixture->auth,
                                    .tls = fixture->tls,
                                    .public_address = "relay.test:443",
                                    .egresses = egresses,
                                    .loops = 3,
                                    .started_us = clock_mono_us(),
                                    .owner = fixture,
                                    .camera_state = fixture_camera_state,
                                    .agent_online = fixture_agent_online,
                                    .agents_online = fixture_agents_online,
                                    .cameras_in = fixture_cameras_in,
                                    .viewers = fixture_viewers,
                                    .camera_urls = fixture_urls};
}

static inline int api_setup(void **state)
{
    static const struct listener_handler handler = {fixture_accept};
    struct api_fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/culvert-api-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/api.sock", fixture->folder);
    assert_int_equal(loop_new(&fixture->loop, 0), 0);
    fixture_open_parts(fixture);
    assert_int_equal(http_router_new(&fixture->router), 0);
    assert_int_equal(api_add_routes(fixture->router, &fixture->env), 0);
    assert_int_equal(
        http_server_new(&fixture->http, fixture->loop, fixture->router, &http_limits_default, NULL),
        0);
    assert_int_equal(
        listener_open_unix(&fixture->listener, fixture->loop, fixture->socket, &handler, fixture),
        0);
    assert_int_equal(pthread_create(&fixture->thread, NULL, fixture_run, fixture), 0);
    *state = fixture;
    return 0;
}

static inline int api_teardown(void **state)
{
    struct api_fixture *fixture = *state;
    char command[128];

    loop_stop(fixture->loop);
    pthread_join(fixture->thread, NULL);
    listener_close(fixture->listener);
    http_server_free(fixture->http);
    store_close(fixture->store);
    loop_free(fixture->loop);
    store_reader_close(fixture->reader);
    http_router_free(fixture->router);
    auth_close(fixture->auth);
    tls_server_free(fixture->tls);
    snprintf(command, sizeof(command), "rm -r %s", fixture->folder);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

/* Asks with JSON written with ' for ", and returns the status; *out may be NULL. */
static inline unsigned api_ask(struct api_fixture *fixture, const char *method, const char *target,
                               const char *quoted, json_t **out)
{
    char *text = quoted ? strdup(quoted) : NULL;
    json_t *body = NULL;
    struct reply reply;

    for (char *at = text; at && *at; at++)
        *at = *at == '\'' ? '"' : *at;
    if (text) {
        body = json_loads(text, 0, NULL);
        assert_non_null(body);
    }
    if (client_ask(fixture->socket, method, target, body, &reply))
        fail_msg("%s %s: %s", method, target, reply.error);
    json_decref(body);
    free(text);
    if (out)
        *out = json_incref(reply.json);
    reply_fini(&reply);
    return reply.status;
}

static inline const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}
