#include "egress/srt/session.h"

#include "egress/srt/libsrt.h" /* before base/log.h, see there */

#include <stdlib.h>
#include <string.h>

#include "egress/srt/gate.h"
#include "egress/srt/srt.h"

enum { STALL_US = 10 * 1000000 }; /* nothing acknowledged although there is something to */

static void session_free(struct loop_task *task)
{
    struct session *session = list_entry(task, struct session, gone);

    explicit_bzero(&session->request, sizeof(session->request));
    free(session);
}

void srt_session_finish(struct session *session)
{
    loop_timer_stop(&session->poll);
    session->state = SESSION_CLOSED;
    list_remove(&session->link);
    session->instance->session_count--;
    session->gone.run = session_free;
    loop_defer(session->instance->env->loop, &session->gone);
}

/* False: too late, the caller was refused meanwhile. */
static bool answer(struct session *session, enum srt_code code)
{
    bool is_heard = question_answer(session->question, code, session->admission.passphrase);

    explicit_bzero(session->admission.passphrase, sizeof(session->admission.passphrase));
    question_unref(session->question);
    session->question = NULL;
    return is_heard;
}

/* Gives back all that is not libsrt's. */
static void leave(struct session *session)
{
    if (session->question)
        (void)answer(session, SRT_CODE_OVERLOAD);
    figures_leave(session->place);
    session->place = NULL;
    cursor_detach(&session->cursor);
    if (session->feed)
        view_feed_leave(session->admission.view, PACKET_TS);
    session->feed = NULL;
    view_watch_stop(&session->watch);
    loop_timer_stop(&session->away);
    session->instance->env->leave(session->instance->env, &session->admission);
}

/* libsrt must not be told to close what its own thread is still setting up. */
void srt_session_close(struct session *session)
{
    enum session_state state = session->state;

    if (state == SESSION_CLOSED || state == SESSION_LEAVING)
        return;
    if (state == SESSION_PLAYING)
        srt_figures_log(session, LOG_INFO);
    leave(session);
    session->state = SESSION_LEAVING;
    if (state == SESSION_CONNECTING)
        return;
    if (state != SESSION_ASKING)
        srt_close(session->socket);
    srt_session_finish(session);
}

void srt_session_abort(struct session *session)
{
    srt_session_close(session);
    if (session->state != SESSION_LEAVING)
        return;
    srt_close(session->socket);
    srt_session_finish(session);
}

static void let_in(struct session *session)
{
    if (!answer(session, SRT_CODE_OK)) {
        srt_session_close(session);
        return;
    }
    srt_connect_start(session);
}

/* Whether MPEG-TS can carry any of them. */
static bool has_track(const struct tracks *tracks)
{
    for (unsigned i = 0; tracks && i < tracks->count; i++)
        if (tracks->track[i].codec != CODEC_MJPEG && tracks->track[i].codec != CODEC_PCMU &&
            tracks->track[i].codec != CODEC_PCMA && tracks->track[i].codec != CODEC_L16)
            return true;
    return false;
}

/* The token is good: libsrt's thread needs to wait no longer, although the camera still starts. */
static void on_wait(struct admission *admission)
{
    let_in(list_entry(admission, struct session, admission));
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct session *session = list_entry(admission, struct session, admission);
    enum srt_code code = srt_code_of(verdict);

    if (code == SRT_CODE_OK && !has_track(admission->view->tracks))
        code = SRT_CODE_UNACCEPTABLE;
    session->is_allowed = code == SRT_CODE_OK;
    if (!session->is_allowed) {
        if (session->state == SESSION_ASKING)
            (void)answer(session, code);
        srt_session_close(session);
    } else if (session->state == SESSION_ASKING) {
        let_in(session);
    } else if (session->state == SESSION_WAITING) {
        srt_send_start(session);
    }
}

static void on_revoked(struct admission *admission, const char *reason)
{
    (void)reason;
    srt_session_close(list_entry(admission, struct session, admission));
}

static struct session *session_new(struct egress_instance *instance, struct question *question)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->instance = instance;
    session->question = question;
    session->socket = question->socket;
    session->request = question->request;
    srt_send_init(session);
    srt_connect_init(session);
    list_append(&instance->sessions, &session->link);
    instance->session_count++;
    return session;
}

void srt_session_ask(struct egress_instance *instance, struct question *question)
{
    struct session *session = session_new(instance, question);

    if (!session) {
        (void)question_answer(question, SRT_CODE_OVERLOAD, "");
        question_unref(question);
        return;
    }
    session->admission = (struct admission){.egress = &egress_srt,
                                            .slug = session->request.slug,
                                            .token = session->request.token,
                                            .peer = question->peer,
                                            .on_wait = on_wait,
                                            .on_verdict = on_verdict,
                                            .on_revoked = on_revoked};
    instance->env->admit(instance->env, &session->admission);
}

/* libsrt finds out on its own threads that a viewer has gone; here it is seen. */
void srt_session_tick(struct egress_instance *instance)
{
    int64_t now_us = loop_now_us(instance->env->loop);

    list_for_each (link, after, &instance->sessions) {
        struct session *session = list_entry(link, struct session, link);

        if (session->state < SESSION_PROBING || session->state > SESSION_PLAYING)
            continue;
        srt_figures_take(session, now_us);
        if (srt_getsockstate(session->socket) != SRTS_CONNECTED ||
            now_us - session->progress_us > STALL_US)
            srt_session_close(session);
    }
}
