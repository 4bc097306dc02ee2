#include "egress/rtsp/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "egress/rtsp/methods.h"
#include "egress/rtsp/udp.h"

enum {
    IDLE_US = 60 * 1000000,    /* without a request, while nothing plays over TCP */
    REQUEST_US = 10 * 1000000, /* from a request's first byte to its last */
    FLUSH_US = 2 * 1000000,
    AWAY_US = 60 * 1000000 /* a viewer is held so long while its stream is away */
};

static void session_free(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, gone);

    tracks_unref(session->tracks);
    rtsp_message_free(session->pending);
    free(session);
}

static void session_end(struct session *session)
{
    struct egress_instance *instance = session->instance;

    session->state = SESSION_CLOSED;
    play_fini(session);
    view_watch_stop(&session->watch);
    loop_timer_stop(&session->away);
    instance->env->leave(instance->env, &session->admission);
    list_remove(&session->link);
    instance->session_count--;
    session->gone.run = session_free;
    loop_defer(instance->env->loop, &session->gone);
}

void session_close(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    conn_close(session->conn);
    session_end(session);
}

void session_close_flushed(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    conn_uncork(session->conn);
    conn_close_flushed(session->conn, FLUSH_US);
    session_end(session);
}

/* The one place where the state changes; it also says how long the viewer may be silent. */
void session_set_state(struct session *session, enum session_state state)
{
    bool is_over_udp = false;

    session->state = state;
    if (session->has_part)
        return; /* a request that has begun keeps its own deadline */
    for (unsigned i = 0; i < SETUP_TRACKS; i++)
        is_over_udp |= session->track[i].transport == TRANSPORT_UDP;
    /* Over TCP taking the media is life enough; over UDP nothing else shows that someone is
     * there. A request that waits for its admission has the server's own deadline. */
    if (state == SESSION_ASKING || (state == SESSION_PLAYING && !is_over_udp))
        conn_set_deadline(session->conn, 0);
    else
        conn_set_deadline(session->conn, IDLE_US);
}

static void refuse_input(struct session *session, unsigned status)
{
    struct writer out;

    writer_init(&out, 1024);
    rtsp_write_response(&out, status, -1);
    rtsp_write_end(&out, NULL, NULL, 0);
    if (!out.err && conn_write_copy(session->conn, out.bytes, out.len) == 0)
        session_close_flushed(session);
    else
        session_close(session);
    writer_fini(&out);
}

static void on_message(struct session *session, struct rtsp_message *message)
{
    if (message->is_request)
        method_run(session, message);
    else
        rtsp_message_free(message); /* answers mean nothing to us: we never ask */
}

/* Part of a request, or of a frame: the rest must follow, in whatever state, and more parts
 * don't make it later. */
static void expect_rest(struct session *session)
{
    if (session->has_part)
        return;
    session->has_part = true;
    conn_set_deadline(session->conn, REQUEST_US);
}

static bool is_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct session *session = owner;
    size_t used = 0;

    (void)conn;
    while (used < len && session->state != SESSION_ASKING && session->state != SESSION_CLOSED) {
        struct rtsp_parsed parsed;

        if (is_line_end(bytes[used])) { /* between messages: no part of any */
            used++;
            continue;
        }
        parsed = rtsp_parse(bytes + used, len - used);
        if (parsed.piece == RTSP_BAD) {
            refuse_input(session, parsed.status);
            return (ssize_t)len;
        }
        if (parsed.piece == RTSP_NEEDS_MORE) {
            expect_rest(session);
            break;
        }
        used += parsed.used;
        session->has_part = false;
        session_set_state(session, session->state); /* it lives: receiver reports say so too */
        if (parsed.piece == RTSP_MESSAGE)
            on_message(session, parsed.message);
    }
    return (ssize_t)used;
}

static void on_drained(void *owner, struct conn *conn)
{
    (void)conn;
    play_resume(owner);
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct session *session = owner;

    (void)conn;
    if (session->is_admitted)
        LOG(LOG_DEBUG, "viewer", session->admission.viewer_id, "connection-closed", KV_ERR(err));
    session_end(session);
}

static const struct conn_handler session_handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

void session_continue(struct session *session)
{
    if (session->state != SESSION_CLOSED)
        conn_set_handler(session->conn, &session_handler, session); /* offers input that waits */
}

static void on_away_over(struct loop_timer *timer)
{
    session_close_flushed(list_entry(timer, struct session, away));
}

static void on_view_away(struct view_watch *watch)
{
    loop_timer_start(&list_entry(watch, struct session, watch)->away, AWAY_US);
}

static void on_view_live(struct view_watch *watch)
{
    loop_timer_stop(&list_entry(watch, struct session, watch)->away);
}

void session_accept(struct egress_instance *instance, struct conn *conn)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session) {
        conn_close(conn);
        return;
    }
    session->instance = instance;
    session->conn = conn;
    session->admission.egress = NULL;
    session->watch.on_away = on_view_away;
    session->watch.on_live = on_view_live;
    list_init(&session->watch.link);
    loop_timer_init(&session->away, instance->env->loop, on_away_over);
    play_init(session);
    list_append(&instance->sessions, &session->link);
    instance->session_count++;
    conn_set_deadline(conn, IDLE_US);
    session_continue(session);
}

/* The track whose port this is; else, as NATs change ports, the first that waits for its proof. */
static struct session_track *find_unproven(struct session *session, bool is_rtcp,
                                           const struct addr *from)
{
    struct session_track *waiting = NULL;

    for (unsigned i = 0; i < SETUP_TRACKS; i++) {
        struct session_track *track = &session->track[i];
        const struct addr *named = is_rtcp ? &track->rtcp : &track->rtp;

        if (track->transport != TRANSPORT_UDP)
            continue;
        if (addr_port(named) == addr_port(from))
            return track;
        if (!track->is_proven && !waiting && !is_rtcp)
            waiting = track;
    }
    return waiting;
}

bool session_prove_address(struct session *session, bool is_rtcp, const struct addr *from)
{
    struct session_track *track;

    if (!addr_is_same_host(conn_peer(session->conn), from))
        return false;
    track = find_unproven(session, is_rtcp, from);
    if (!track)
        return false;
    if (!is_rtcp && !track->is_proven)
        track->rtp = *from;
    track->is_proven = true;
    session_set_state(session, session->state);
    if (session->state == SESSION_PLAYING && play_start(session) < 0)
        session_close_flushed(session);
    return true;
}
