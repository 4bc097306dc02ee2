/* db/store_fixture.h: a store in a folder of its own, and a loop that waits for its writes. */
#pragma once

#include <errno.h>
#include <fcntl.h>
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

#include "base/clock.h"
#include "db/store.h"

struct fixture {
    char folder[64], path[96];
    struct loop *loop;
    struct store *store;
    struct store_reader *reader;
    int waiting, err; /* of the last write */
};

static inline void fixture_open(struct fixture *fixture)
{
    struct store_error error;

    assert_int_equal(store_open(&fixture->store, fixture->path, &error), 0);
    assert_int_equal(store_reader_open(&fixture->reader, fixture->store), 0);
}

static inline void fixture_close(struct fixture *fixture)
{
    store_reader_close(fixture->reader);
    store_close(fixture->store);
    fixture->reader = NULL;
    fixture->store = NULL;
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/culvert-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/culvert.db", fixture->folder);
    assert_int_equal(loop_new(&fixture->loop, 0), 0);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"", "-wal", "-shm", ".copy", ".copy-wal", ".copy-shm"};
    char path[128];

    fixture_close(fixture);
    loop_free(fixture->loop);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", fixture->path, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static inline void fixture_on_done(void *owner, int err)
{
    struct fixture *fixture = owner;

    assert_ptr_equal(loop_current(), fixture->loop);
    fixture->err = err;
    if (--fixture->waiting == 0)
        loop_stop(fixture->loop);
}

/* To be given to a write; fixture_wait then gives its result. */
static inline struct store_done fixture_done(struct fixture *fixture)
{
    fixture->waiting++;
    return (struct store_done){fixture->loop, fixture_on_done, fixture};
}

static inline int fixture_wait(struct fixture *fixture)
{
    while (fixture->waiting)
        loop_run(fixture->loop);
    return fixture->err;
}

static inline struct store_agent fixture_agent(const char *id)
{
    struct store_agent agent = {.epoch = 7, .version = "1.0", .system = "linux"};

    snprintf(agent.id, sizeof(agent.id), "%s", id);
    snprintf(agent.name, sizeof(agent.name), "Shed");
    memset(agent.key, id[strlen(id) - 1], sizeof(agent.key));
    memset(agent.seal_key, 4, sizeof(agent.seal_key));
    return agent;
}

static inline struct store_camera fixture_camera(const char *id, const char *agent_id,
                                                 const char *slug)
{
    struct store_camera camera = {.is_always_on = true};

    snprintf(camera.id, sizeof(camera.id), "%s", id);
    snprintf(camera.agent_id, sizeof(camera.agent_id), "%s", agent_id);
    snprintf(camera.slug, sizeof(camera.slug), "%s", slug);
    snprintf(camera.name, sizeof(camera.name), "Front door");
    snprintf(camera.url_shown, sizeof(camera.url_shown), "192.168.1.10:554/main");
    memset(camera.sealed.bytes, 9, camera.sealed.len = 100);
    return camera;
}

static inline int fixture_put_agent(struct fixture *fixture, const char *id)
{
    struct store_agent agent = fixture_agent(id);

    store_agent_put(fixture->store, &agent, fixture_done(fixture));
    return fixture_wait(fixture);
}

static inline int fixture_put_camera(struct fixture *fixture, const struct store_camera *camera)
{
    store_camera_put(fixture->store, camera, fixture_done(fixture));
    return fixture_wait(fixture);
}
