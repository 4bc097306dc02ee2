/* What viewers may command, and what each does. */
#include <string.h>

#include "egress/rtmp/rtmp.h"
#include "egress/rtmp/session.h"
#include "rtmp/chunk.h"

enum { ANSWER_MAX_BYTES = 16 * 1024, WINDOW_BYTES = 2500000, STREAM_BEGIN = 0, STREAM_END = 1 };

#define STATE(state) (1u << (state))
#define CONNECTED (STATE(SESSION_CONNECTED) | STATE(SESSION_PLAYING) | STATE(SESSION_PAUSED))
#define ON_AIR (STATE(SESSION_PLAYING) | STATE(SESSION_PAUSED))

static void run_connect(struct session *session, const struct command *command);
static void run_create_stream(struct session *session, const struct command *command);
static void run_play(struct session *session, const struct command *command);
static void run_pause(struct session *session, const struct command *command);
static void run_seek(struct session *session, const struct command *command);
static void run_delete_stream(struct session *session, const struct command *command);
static void run_stream_length(struct session *session, const struct command *command);
static void run_publish(struct session *session, const struct command *command);
static void run_nothing(struct session *session, const struct command *command);

static const struct row {
    const char *name;
    void (*run)(struct session *session, const struct command *command);
    unsigned states;
} rows[] = {
    {"connect", run_connect, STATE(SESSION_OPEN)},
    {"createStream", run_create_stream, CONNECTED},
    {"play", run_play, CONNECTED},
    {"pause", run_pause, ON_AIR},
    {"pauseRaw", run_pause, ON_AIR},
    {"seek", run_seek, CONNECTED},
    {"deleteStream", run_delete_stream, CONNECTED},
    {"closeStream", run_delete_stream, CONNECTED},
    {"getStreamLength", run_stream_length, CONNECTED},
    {"publish", run_publish, CONNECTED},
    {"FCSubscribe", run_nothing, CONNECTED},
    {"FCPublish", run_nothing, CONNECTED},
    {"releaseStream", run_nothing, CONNECTED},
    {"receiveAudio", run_nothing, CONNECTED},
    {"receiveVideo", run_nothing, CONNECTED},
};

static struct writer begin(void)
{
    struct writer out;

    writer_init(&out, ANSWER_MAX_BYTES);
    return out;
}

static void say(struct session *session, const struct status *status)
{
    struct writer out = begin();

    wire_write_status(&out, status, session->slug);
    rtmp_session_send(session, &out);
}

static void run_connect(struct session *session, const struct command *command)
{
    static const struct status refused = {"NetConnection.Connect.Rejected",
                                          "The application's name or the URL is not understood.",
                                          true};
    struct writer out = begin();

    if (connect_parse(&session->connect, command) < 0) {
        wire_write_refused(&out, command->transaction, &refused);
        rtmp_session_send(session, &out);
        rtmp_session_close_flushed(session);
        return;
    }
    wire_write_number(&out, RTMP_WINDOW_SIZE, WINDOW_BYTES);
    wire_write_bandwidth(&out, WINDOW_BYTES);
    wire_write_connected(&out, command, &session->connect);
    rtmp_session_set_state(session, SESSION_CONNECTED);
    rtmp_session_send(session, &out);
}

/* The stream's number is in the shared chunks: a connection has one at a time. */
static void run_create_stream(struct session *session, const struct command *command)
{
    static const struct status refused = {"NetConnection.Call.Failed",
                                          "A connection has one stream at a time.", true};
    struct writer out = begin();

    if (session->has_stream)
        wire_write_refused(&out, command->transaction, &refused);
    else
        wire_write_result(&out, command->transaction, MESSAGE_STREAM);
    session->has_stream = true;
    rtmp_session_send(session, &out);
}

static const char *code_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ABSENT:
    case VERDICT_AWAY:
        return "NetStream.Play.StreamNotFound";
    case VERDICT_ALLOW:
    case VERDICT_NO_CREDENTIAL:
    case VERDICT_BAD_CREDENTIAL:
    case VERDICT_DENIED:
    case VERDICT_TOO_MANY:
    case VERDICT_OVERLOADED:
        return "NetStream.Play.Failed";
    }
    return "NetStream.Play.Failed";
}

static void begin_playing(struct session *session)
{
    static const struct status reset = {"NetStream.Play.Reset", "Playing anew.", false};
    static const struct status start = {"NetStream.Play.Start", "Playing.", false};
    struct writer out = begin();

    wire_write_user_control(&out, STREAM_BEGIN, MESSAGE_STREAM);
    if (session->wants_reset)
        wire_write_status(&out, &reset, session->slug);
    wire_write_status(&out, &start, session->slug);
    rtmp_session_send(session, &out);
    if (session->state == SESSION_CLOSED)
        return;
    rtmp_session_set_state(session, SESSION_PLAYING);
    view_watch_start(session->admission.view, &session->watch);
    if (rtmp_play_start(session) < 0)
        rtmp_session_close_flushed(session);
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct session *session = list_entry(admission, struct session, admission);
    struct status refused = {code_of(verdict), verdict_detail(verdict), true};
    const struct status *why = &refused;

    if (verdict != VERDICT_ALLOW && admission->detail && *admission->detail)
        refused.text = admission->detail;
    session->is_admitted = verdict == VERDICT_ALLOW;
    rtmp_session_set_state(session, SESSION_CONNECTED);
    if (session->is_admitted && admission->view->tracks)
        why = rtmp_play_choose(session, admission->view->tracks);
    if (why)
        rtmp_session_close_saying(session, why);
    else
        begin_playing(session);
    rtmp_session_continue(session);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    struct status ended = {"NetStream.Play.Failed", reason, true};

    rtmp_session_close_saying(list_entry(admission, struct session, admission), &ended);
}

static void run_play(struct session *session, const struct command *command)
{
    static const struct status bad_name = {"NetStream.Play.StreamNotFound",
                                           "The stream's name is not understood: SLUG?token=TOKEN.",
                                           true};
    struct egress_env *env = session->instance->env;
    struct play_request request;

    rtmp_session_leave(session);
    session->slug[0] = '\0';
    if (play_parse(&request, command, &session->connect) < 0) {
        rtmp_session_close_saying(session, &bad_name);
        return;
    }
    memcpy(session->slug, request.slug, sizeof(session->slug));
    session->wants_reset = request.wants_reset;
    session->admission = (struct admission){.egress = &egress_rtmp,
                                            .slug = session->slug,
                                            .token = request.token,
                                            .peer = *conn_peer(session->conn),
                                            .on_verdict = on_verdict,
                                            .on_revoked = on_revoked};
    rtmp_session_set_state(session, SESSION_ASKING);
    env->admit(env, &session->admission);
    explicit_bzero(&request, sizeof(request));
}

static void run_pause(struct session *session, const struct command *command)
{
    static const struct status paused = {"NetStream.Pause.Notify", "Paused.", false};
    static const struct status resumed = {"NetStream.Unpause.Notify", "Playing.", false};
    struct reader in = command->arguments;
    bool wants_pause = amf_read(&in).number != 0;

    say(session, wants_pause ? &paused : &resumed);
    if (session->state == SESSION_CLOSED)
        return;
    rtmp_session_set_state(session, wants_pause ? SESSION_PAUSED : SESSION_PLAYING);
    if (wants_pause)
        rtmp_play_stop(session);
    else if (rtmp_play_start(session) < 0)
        rtmp_session_close_flushed(session);
}

static void run_seek(struct session *session, const struct command *command)
{
    static const struct status refused = {"NetStream.Seek.Failed",
                                          "The stream is live: there is nothing to seek to.", true};

    (void)command;
    say(session, &refused);
}

/* deleteStream names the stream; closeStream is sent on it. */
static void run_delete_stream(struct session *session, const struct command *command)
{
    struct reader in = command->arguments;
    struct amf_value id = amf_read(&in);
    bool is_ours =
        id.type == AMF_NUMBER ? id.number == MESSAGE_STREAM : command->stream_id == MESSAGE_STREAM;
    struct writer out;

    if (!is_ours || !session->has_stream)
        return; /* another's: there is none on this connection */
    rtmp_session_leave(session);
    session->has_stream = strcmp(command->name, "closeStream") == 0;
    out = begin();
    wire_write_user_control(&out, STREAM_END, MESSAGE_STREAM);
    rtmp_session_set_state(session, SESSION_CONNECTED);
    rtmp_session_send(session, &out);
}

static void run_stream_length(struct session *session, const struct command *command)
{
    struct writer out = begin();

    wire_write_result(&out, command->transaction, 0); /* live */
    rtmp_session_send(session, &out);
}

static void run_publish(struct session *session, const struct command *command)
{
    static const struct status refused = {"NetStream.Publish.BadName",
                                          "Cameras come by agents: nothing can be published here.",
                                          true};

    (void)command;
    rtmp_session_close_saying(session, &refused);
}

static void run_nothing(struct session *session, const struct command *command)
{
    struct writer out = begin();

    if (command->transaction != 0)
        wire_write_result(&out, command->transaction, 0);
    rtmp_session_send(session, &out);
}

static void refuse(struct session *session, const struct command *command)
{
    static const struct status unknown = {"NetConnection.Call.Failed",
                                          "There is no such command, or not now.", true};
    struct writer out = begin();

    if (command->transaction != 0)
        wire_write_refused(&out, command->transaction, &unknown);
    rtmp_session_send(session, &out);
}

void command_run(struct session *session, const struct command *command)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].name, command->name) != 0)
            continue;
        if (rows[i].states & STATE(session->state))
            rows[i].run(session, command);
        else
            refuse(session, command);
        return;
    }
    refuse(session, command);
}
