#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "media/view.h"
#include "server/admit.h"
#include "server/directory.h"
#include "server/local_api.h"
#include "server/server.h"
#include "server/web.h"

static const char *const alpn_names[] = {"culvert/1", "h2", "http/1.1", NULL};

/* One line that names what is wrong, for whoever started the program. */
static int fail(const char *what, const char *name, int err)
{
    fprintf(stderr, "culvert: %s %s: %s\n", what, name, err_text(err));
    return err;
}

static int path_in(const struct server *server, const char *name, char out[PATH_TEXT])
{
    int len = snprintf(out, PATH_TEXT, "%s/%s", server->data_dir, name);

    return len < 0 || len >= PATH_TEXT ? -ENAMETOOLONG : 0;
}

static int open_data_dir(struct server *server)
{
    const char *path = option_text(server->options, "data-dir");

    if (snprintf(server->data_dir, sizeof(server->data_dir), "%s", path) >= PATH_TEXT - 32)
        return fail("data-dir", path, -ENAMETOOLONG);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fail("cannot make data-dir", path, -errno);
    if (access(path, R_OK | W_OK | X_OK) < 0)
        return fail("cannot write to data-dir", path, -errno);
    return 0;
}

static int open_store(struct server *server)
{
    struct store_error error = {.text = ""};
    char path[PATH_TEXT];
    int err = path_in(server, "culvert.db", path);

    if (err == 0)
        err = store_open(&server->store, path, &error);
    if (err < 0)
        fprintf(stderr, "culvert: %s: %s\n", path, error.text[0] ? error.text : err_text(err));
    return err;
}

static int open_keys(struct server *server)
{
    char path[PATH_TEXT];
    int err = path_in(server, "token.key", path);

    if (err == 0)
        err = auth_open(&server->auth, path);
    return err < 0 ? fail("token key", path, err) : 0;
}

/* The pair that is named, or our own self-signed one, made at first start. */
static int open_tls(struct server *server)
{
    const char *cert = option_text(server->options, "tls-cert");
    const char *key = option_text(server->options, "tls-key");
    const char *hosts[] = {option_text(server->options, "public-host"), "localhost"};
    char own_cert[PATH_TEXT], own_key[PATH_TEXT];
    int err = path_in(server, "tls.crt", own_cert);

    if (!*cert != !*key)
        return fail("tls-cert and tls-key", "belong together", -EINVAL);
    if (err == 0)
        err = path_in(server, "tls.key", own_key);
    if (err < 0)
        return fail("data-dir", server->data_dir, err);
    if (!*cert) {
        cert = own_cert;
        key = own_key;
        if (access(cert, F_OK) < 0 && (err = tls_make_pair(cert, key, hosts, 2)) < 0)
            return fail("cannot make a certificate", cert, err);
    }
    err = tls_server_new(&server->tls, cert, key, alpn_names);
    return err < 0 ? fail("cannot load certificate", cert, err) : 0;
}

static void set_public_names(struct server *server)
{
    const char *host = option_text(server->options, "public-host");
    int64_t port = option_int(server->options, "public-port");
    bool is_v6 = strchr(host, ':') != NULL;

    if (!port)
        port = option_int(server->options, "https-port");
    snprintf(server->public_address, sizeof(server->public_address),
             is_v6 ? "[%.250s]:%d" : "%.250s:%d", host, (int)port);
    snprintf(server->public_authority, sizeof(server->public_authority), "%s",
             server->public_address);
    if (port == 443)
        *strrchr(server->public_authority, ':') = '\0';
}

static void run_state(struct worker *worker, const void *arg)
{
    const struct directory_entry *news = arg;

    if (!hub_find(worker->hub, news->slug))
        return;
    directory_put(worker, news->slug, news->state, news->text);
    admit_camera_failed(worker, news->slug);
}

static void on_state(void *owner, const char *slug, enum camera_state state, const char *text)
{
    struct directory_entry news = {.state = state};

    snprintf(news.slug, sizeof(news.slug), "%s", slug);
    snprintf(news.text, sizeof(news.text), "%s", text);
    server_tell_all(owner, run_state, &news, sizeof(news));
}

static int open_workers(struct server *server)
{
    struct relay_env env = {.owner = server, .on_state = on_state};
    int64_t wanted = option_int(server->options, "workers");
    int err = 0;

    server->worker_count = (unsigned)(wanted ? wanted : sysconf(_SC_NPROCESSORS_ONLN));
    if (server->worker_count > HUBS_MAX)
        server->worker_count = HUBS_MAX;
    server->workers = calloc(server->worker_count, sizeof(*server->workers));
    server->hubs = calloc(server->worker_count, sizeof(struct hub *));
    if (!server->workers || !server->hubs)
        return -ENOMEM;
    for (unsigned i = 0; i < server->worker_count && err == 0; i++) {
        err = worker_open(&server->workers[i], server, i);
        server->hubs[i] = server->workers[i].hub;
    }
    if (err < 0)
        return err;
    hub_join(server->hubs, server->worker_count);
    env.loop = server->workers[0].loop;
    err = relay_new(&server->relay, &env);
    for (unsigned i = 0; i < server->worker_count && err == 0; i++)
        err = worker_open_parts(&server->workers[i]);
    return err;
}

/* The threads of all loops but the first, which runs here, on the main thread. */
static int run(struct server *server)
{
    unsigned started = 1;
    int err = 0;

    while (started < server->worker_count && err == 0) {
        err = worker_start(&server->workers[started]);
        started += err == 0;
    }
    if (err == 0)
        loop_run(server->workers[0].loop);
    server_stop(server);
    while (started-- > 1)
        pthread_join(server->workers[started].thread, NULL);
    return err;
}

/* Streams that end and views that go tell every loop's hub: nothing may still be on its way to
 * one that is freed. */
static void drain_all(struct server *server)
{
    for (unsigned i = 0; i < 2 * server->worker_count; i++)
        loop_drain(server->workers[i % server->worker_count].loop);
}

static void free_hubs(struct server *server)
{
    struct view *view;

    drain_all(server);
    for (unsigned i = 0; i < server->worker_count; i++)
        while (server->workers[i].hub && (view = hub_next(server->workers[i].hub, NULL)))
            hub_remove(server->workers[i].hub, view->slug);
    drain_all(server);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_free_hub(&server->workers[i]);
}

/* Workers' callbacks may still post to each other's loops: those go last. */
static void close_all(struct server *server)
{
    signals_stop(server);
    local_api_close(server->local_api);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_close(&server->workers[i]);
    free_hubs(server);
    store_close(server->store);
    relay_free(server->relay);
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_free(server->workers[i].loop);
    map_fini(&server->token_viewers);
    tls_server_free(server->tls);
    auth_close(server->auth);
    web_free(server->web);
    free(server->hubs);
    free(server->workers);
}

/* As many descriptors as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        LOG(LOG_WARN, "server", NULL, "descriptor-limit-kept", KV_ERR(errno));
}

static int open_all(struct server *server)
{
    int err = open_data_dir(server);

    if (err == 0)
        err = open_store(server);
    if (err == 0)
        err = open_keys(server);
    if (err == 0)
        err = open_tls(server);
    if (err == 0)
        err = map_init(&server->token_viewers);
    if (err == 0)
        err = web_new(&server->web);
    if (err < 0)
        return err;
    set_public_names(server);
    err = open_workers(server);
    if (err == 0)
        err = follow_start(server);
    if (err == 0)
        err = local_api_open(&server->local_api, server);
    if (err < 0)
        return fail("cannot start", server->public_address, err);
    signals_start(server);
    return 0;
}

int server_serve(struct options *options, const struct command_line *line)
{
    struct server server = {.options = options, .line = line, .started_us = clock_mono_us()};
    int err;

    options_apply_log(options);
    raise_descriptor_limit();
    snprintf(server.node_id, sizeof(server.node_id), "%016llx", (unsigned long long)random_u64());
    err = open_all(&server);
    if (err == 0) {
        LOG(LOG_INFO, "server", NULL, "ready", KV_S("version", CULVERT_VERSION),
            KV_S("address", server.public_address), KV_I("workers", server.worker_count));
        err = run(&server);
    }
    close_all(&server);
    LOG(LOG_INFO, "server", NULL, "ended", KV_ERR(err));
    return err < 0 ? 1 : 0;
}
