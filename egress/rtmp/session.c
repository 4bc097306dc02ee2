#include "egress/rtmp/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "rtmp/chunk.h"
#include "rtmp/handshake.h"

enum {
    HANDSHAKE_US = 10 * 1000000,
    CONNECT_US = 10 * 1000000, /* from the handshake's end to connect */
    IDLE_US = 60 * 1000000,    /* without a message, while nothing plays */
    MESSAGE_US = 10 * 1000000, /* from a message's first byte to its last */
    FLUSH_US = 500 * 1000,
    AWAY_US = 60 * 1000000, /* a viewer is held so long while its stream is away */
    IDLE_MESSAGES_MAX = 100,
    WINDOW_MIN_BYTES = 4096,
    PING_REQUEST = 6,
    PING_RESPONSE = 7,
    ANSWER_MAX_BYTES = 16 * 1024
};

static void session_free(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, gone);

    rtmp_chunk_reader_fini(&session->reader);
    explicit_bzero(&session->connect, sizeof(session->connect));
    free(session);
}

void rtmp_session_leave(struct session *session)
{
    struct egress_env *env = session->instance->env;

    rtmp_play_fini(session);
    view_watch_stop(&session->watch);
    loop_timer_stop(&session->away);
    env->leave(env, &session->admission);
    session->is_admitted = false;
    tracks_unref(session->tracks);
    session->tracks = NULL;
    session->last_ms = 0;
}

static void session_end(struct session *session)
{
    struct egress_instance *instance = session->instance;

    session->state = SESSION_CLOSED;
    rtmp_session_leave(session);
    list_remove(&session->link);
    instance->session_count--;
    session->gone.run = session_free;
    loop_defer(instance->env->loop, &session->gone);
}

void rtmp_session_close(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    conn_close(session->conn);
    session_end(session);
}

void rtmp_session_close_flushed(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    conn_uncork(session->conn);
    conn_close_flushed(session->conn, FLUSH_US);
    session_end(session);
}

void rtmp_session_send(struct session *session, struct writer *out)
{
    if (session->state != SESSION_CLOSED &&
        (out->err || conn_write_copy(session->conn, out->bytes, out->len) < 0))
        rtmp_session_close(session);
    writer_fini(out);
}

void rtmp_session_close_saying(struct session *session, const struct status *status)
{
    struct writer out;

    writer_init(&out, ANSWER_MAX_BYTES);
    wire_write_status(&out, status, session->slug);
    rtmp_session_send(session, &out);
    rtmp_session_close_flushed(session);
}

static int64_t patience_us(enum session_state state)
{
    switch (state) {
    case SESSION_HELLO:
        return HANDSHAKE_US;
    case SESSION_OPEN:
        return CONNECT_US;
    case SESSION_CONNECTED:
    case SESSION_PAUSED:
        return IDLE_US;
    case SESSION_GREETED:
    case SESSION_ASKING:  /* the server has its own deadline */
    case SESSION_PLAYING: /* taking the media is life enough */
    case SESSION_CLOSED:
        break;
    }
    return 0;
}

/* The one place where the state changes; it also says how long the viewer may be silent. */
void rtmp_session_set_state(struct session *session, enum session_state state)
{
    session->state = state;
    if (state == SESSION_GREETED || state == SESSION_CLOSED)
        return;             /* the handshake's deadline covers it whole */
    if (!session->has_part) /* a message that has begun keeps its own */
        conn_set_deadline(session->conn, patience_us(state));
}

/* How much a step took of what there is; 0: it waits for more. */
static size_t read_hello(struct session *session, const uint8_t *bytes, size_t len)
{
    uint8_t answer[RTMP_ANSWER];

    if (bytes[0] != RTMP_VERSION) {
        rtmp_session_close(session);
        return 0;
    }
    if (len < RTMP_HELLO)
        return 0;
    if (rtmp_handshake(bytes, answer) < 0 ||
        conn_write_copy(session->conn, answer, sizeof(answer)) < 0)
        rtmp_session_close(session);
    else
        rtmp_session_set_state(session, SESSION_GREETED);
    return RTMP_HELLO;
}

/* The chunk size comes before all else: refusals are longer than what peers expect until then. */
static size_t read_c2(struct session *session, size_t len)
{
    struct writer out;

    if (len < RTMP_HANDSHAKE)
        return 0;
    rtmp_session_set_state(session, SESSION_OPEN);
    writer_init(&out, ANSWER_MAX_BYTES);
    wire_write_number(&out, RTMP_SET_CHUNK_SIZE, RTMP_CHUNK_BYTES);
    rtmp_session_send(session, &out);
    return RTMP_HANDSHAKE;
}

static void on_user_control(struct session *session, const struct rtmp_message *message)
{
    struct writer out;

    if (message->len < 6 || bytes_u16(message->bytes) != PING_REQUEST)
        return; /* a buffer's length, or an answer: nothing to do */
    writer_init(&out, ANSWER_MAX_BYTES);
    wire_write_user_control(&out, PING_RESPONSE, bytes_u32(message->bytes + 2));
    rtmp_session_send(session, &out);
}

static void on_command(struct session *session, const struct rtmp_message *message)
{
    struct command command;

    if (command_parse(&command, message) < 0)
        rtmp_session_close_flushed(session);
    else
        command_run(session, &command);
}

/* What viewers have no business to send. */
static void on_media(struct session *session)
{
    static const struct status refused = {"NetStream.Publish.BadName",
                                          "Cameras come by agents: nothing can be published here.",
                                          true};

    rtmp_session_close_saying(session, &refused);
}

static void on_message(struct session *session, const struct rtmp_message *message)
{
    if (session->state != SESSION_PLAYING && ++session->idle_messages > IDLE_MESSAGES_MAX) {
        rtmp_session_close_flushed(session);
        return;
    }
    switch ((enum rtmp_message_type)message->type) {
    case RTMP_COMMAND:
    case RTMP_COMMAND_AMF3:
        on_command(session, message);
        return;
    case RTMP_USER_CONTROL:
        on_user_control(session, message);
        return;
    case RTMP_WINDOW_SIZE:
        if (message->len >= 4)
            session->window_bytes = bytes_u32(message->bytes);
        if (session->window_bytes && session->window_bytes < WINDOW_MIN_BYTES)
            session->window_bytes = WINDOW_MIN_BYTES;
        return;
    case RTMP_AUDIO:
    case RTMP_VIDEO:
    case RTMP_AGGREGATE:
        on_media(session);
        return;
    case RTMP_SET_CHUNK_SIZE:
    case RTMP_ABORT:
    case RTMP_ACKNOWLEDGEMENT:
    case RTMP_PEER_BANDWIDTH:
    case RTMP_DATA:
    case RTMP_DATA_AMF3:
    default: /* or a type that nobody has heard of */
        return;
    }
}

/* Part of a message: the rest must follow, in whatever state, and more parts don't make it
 * later. */
static void expect_rest(struct session *session)
{
    if (session->has_part)
        return;
    session->has_part = true;
    conn_set_deadline(session->conn, MESSAGE_US);
}

static size_t read_chunks(struct session *session, const uint8_t *bytes, size_t len)
{
    struct rtmp_message message;
    size_t used;
    int got = rtmp_chunk_read(&session->reader, bytes, len, &used, &message);

    if (got < 0) {
        if (session->is_admitted)
            LOG(LOG_DEBUG, "viewer", session->admission.viewer_id, "bad-input", KV_ERR(got));
        rtmp_session_close_flushed(session);
        return 0;
    }
    if (got == 0) {
        expect_rest(session);
        return used;
    }
    session->has_part = false;
    rtmp_session_set_state(session, session->state);
    on_message(session, &message);
    return used;
}

static size_t read_step(struct session *session, const uint8_t *bytes, size_t len)
{
    switch (session->state) {
    case SESSION_HELLO:
        return read_hello(session, bytes, len);
    case SESSION_GREETED:
        return read_c2(session, len);
    case SESSION_OPEN:
    case SESSION_CONNECTED:
    case SESSION_PLAYING:
    case SESSION_PAUSED:
        return read_chunks(session, bytes, len);
    case SESSION_ASKING:
    case SESSION_CLOSED:
        break;
    }
    return 0;
}

static void tell_received(struct session *session)
{
    struct writer out;

    if (session->state == SESSION_CLOSED || !session->window_bytes ||
        session->in_bytes - session->told_bytes < session->window_bytes)
        return;
    session->told_bytes = session->in_bytes;
    writer_init(&out, ANSWER_MAX_BYTES);
    wire_write_number(&out, RTMP_ACKNOWLEDGEMENT, session->in_bytes);
    rtmp_session_send(session, &out);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct session *session = owner;
    size_t used = 0, step;

    (void)conn;
    do {
        step = used < len ? read_step(session, bytes + used, len - used) : 0;
        used += step;
    } while (step > 0 && session->state != SESSION_CLOSED);
    if (session->state == SESSION_CLOSED)
        return (ssize_t)len;
    session->in_bytes += (uint32_t)used;
    tell_received(session);
    return (ssize_t)used;
}

static void on_drained(void *owner, struct conn *conn)
{
    (void)conn;
    rtmp_play_resume(owner);
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

void rtmp_session_continue(struct session *session)
{
    if (session->state != SESSION_CLOSED)
        conn_set_handler(session->conn, &session_handler, session); /* offers input that waits */
}

static void on_away_over(struct loop_timer *timer)
{
    static const struct status gone = {"NetStream.Play.UnpublishNotify",
                                       "The camera can't be reached now.", false};

    rtmp_session_close_saying(list_entry(timer, struct session, away), &gone);
}

static void on_view_away(struct view_watch *watch)
{
    loop_timer_start(&list_entry(watch, struct session, watch)->away, AWAY_US);
}

static void on_view_live(struct view_watch *watch)
{
    loop_timer_stop(&list_entry(watch, struct session, watch)->away);
}

void rtmp_session_accept(struct egress_instance *instance, struct conn *conn)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session) {
        conn_close(conn);
        return;
    }
    session->instance = instance;
    session->conn = conn;
    session->watch.on_away = on_view_away;
    session->watch.on_live = on_view_live;
    list_init(&session->watch.link);
    loop_timer_init(&session->away, instance->env->loop, on_away_over);
    rtmp_chunk_reader_init(&session->reader);
    rtmp_play_init(session);
    list_append(&instance->sessions, &session->link);
    instance->session_count++;
    rtmp_session_set_state(session, SESSION_HELLO);
    rtmp_session_continue(session);
}
