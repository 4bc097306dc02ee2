#include "server/tunnel/tunnel.h"

#include <errno.h>
#include <stdlib.h>

#include "agent-proto/message.h"
#include "base/log.h"
#include "server/tunnel/internal.h"

enum { PREFACE_US = 10 * 1000000 };

/* A connection that has not said what it is. */
struct stranger {
    struct tunnel *tunnel;
    struct conn *conn;
    struct list link;
    struct loop_task gone;
};

static void free_stranger(struct loop_task *task)
{
    free(list_entry(task, struct stranger, gone));
}

static void stranger_end(struct stranger *stranger)
{
    list_remove(&stranger->link);
    stranger->tunnel->unproved--;
    stranger->gone.run = free_stranger;
    loop_defer(stranger->tunnel->env.loop, &stranger->gone);
}

static ssize_t on_preface(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct stranger *stranger = owner;
    struct tunnel *tunnel = stranger->tunnel;
    enum proto_kind kind;
    int err = proto_kind_of(bytes, len, &kind);

    if (err == -EAGAIN)
        return 0;
    if (err < 0)
        return err;
    stranger_end(stranger);
    if (kind == PROTO_CONTROL)
        agent_session_open(tunnel, conn);
    else
        ingest_open(tunnel, conn);
    return 0;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct stranger *stranger = owner;

    (void)conn;
    if (err != -ERR_CLOSED)
        stranger->tunnel->counters.refused++;
    stranger_end(stranger);
}

static const struct conn_handler stranger_handler = {
    .on_input = on_preface,
    .on_closed = on_closed,
};

void tunnel_accept(struct tunnel *tunnel, struct conn *conn)
{
    struct stranger *stranger = NULL;

    if (tunnel->unproved < TUNNEL_STRANGERS_MAX && !tunnel->is_draining)
        stranger = calloc(1, sizeof(*stranger));
    if (!stranger) {
        tunnel->counters.refused++;
        conn_close(conn);
        return;
    }
    stranger->tunnel = tunnel;
    stranger->conn = conn;
    list_append(&tunnel->strangers, &stranger->link);
    tunnel->unproved++;
    conn_set_deadline(conn, PREFACE_US);
    conn_set_handler(conn, &stranger_handler, stranger);
}

/* Revoked keys and removed cameras: the change log says when to look. */
static void follow_changes(struct tunnel *tunnel)
{
    uint64_t last = store_last_change(tunnel->env.reader);

    if (last == tunnel->last_change)
        return;
    tunnel->last_change = last;
    list_for_each (link, after, &tunnel->sessions)
        agent_session_review(agent_session_of(link));
    list_for_each (link, after, &tunnel->lanes)
        ingest_review(ingest_of(link));
}

static void on_tick(struct loop_timer *timer)
{
    struct tunnel *tunnel = list_entry(timer, struct tunnel, tick);
    int64_t now_us = loop_now_us(tunnel->env.loop);

    list_for_each (link, after, &tunnel->sessions)
        agent_session_tick(agent_session_of(link), now_us);
    follow_changes(tunnel);
    loop_timer_start(&tunnel->tick, TUNNEL_TICK_US);
}

int tunnel_new(struct tunnel **out, const struct tunnel_env *env)
{
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

    if (!tunnel)
        return -ENOMEM;
    tunnel->env = *env;
    list_init(&tunnel->strangers);
    list_init(&tunnel->sessions);
    list_init(&tunnel->lanes);
    tunnel->last_change = store_last_change(env->reader);
    loop_timer_init(&tunnel->tick, env->loop, on_tick);
    loop_timer_start(&tunnel->tick, TUNNEL_TICK_US);
    *out = tunnel;
    return 0;
}

void tunnel_free(struct tunnel *tunnel)
{
    if (!tunnel)
        return;
    loop_timer_stop(&tunnel->tick);
    tunnel->is_closing = true;
    list_for_each (link, after, &tunnel->lanes)
        ingest_close(ingest_of(link));
    list_for_each (link, after, &tunnel->sessions)
        agent_session_close(agent_session_of(link));
    list_for_each (link, after, &tunnel->strangers) {
        struct stranger *stranger = list_entry(link, struct stranger, link);

        conn_close(stranger->conn);
        stranger_end(stranger);
    }
    free(tunnel);
}

void tunnel_drain(struct tunnel *tunnel)
{
    tunnel->is_draining = true;
    list_for_each (link, after, &tunnel->sessions)
        agent_session_drain(agent_session_of(link));
}

struct tunnel_counters tunnel_counters(const struct tunnel *tunnel)
{
    return tunnel->counters;
}

static struct wrong_codes *wrong_codes_of(struct tunnel *tunnel, const struct addr *host)
{
    for (unsigned i = 0; i < TUNNEL_SOURCES; i++)
        if (tunnel->wrong[i].count && addr_is_same_host(&tunnel->wrong[i].host, host))
            return &tunnel->wrong[i];
    return NULL;
}

bool wrong_codes_is_over(struct tunnel *tunnel, const struct addr *host)
{
    struct wrong_codes *wrong = wrong_codes_of(tunnel, host);
    const int64_t forget_us = 15 * 60 * 1000000LL;

    if (wrong && loop_now_us(tunnel->env.loop) - wrong->since_us > forget_us)
        wrong->count = 0;
    return wrong && wrong->count >= TUNNEL_WRONG_CODES_MAX;
}

/* A new source takes the place of the one that was wrong the longest ago. */
void wrong_codes_add(struct tunnel *tunnel, const struct addr *host)
{
    struct wrong_codes *wrong = wrong_codes_of(tunnel, host);

    if (!wrong) {
        wrong = &tunnel->wrong[0];
        for (unsigned i = 1; i < TUNNEL_SOURCES; i++)
            if (tunnel->wrong[i].since_us < wrong->since_us)
                wrong = &tunnel->wrong[i];
        *wrong = (struct wrong_codes){.host = *host};
    }
    wrong->count++;
    wrong->since_us = loop_now_us(tunnel->env.loop);
}
