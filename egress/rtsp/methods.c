#include "egress/rtsp/methods.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "egress/rtsp/credential.h"
#include "egress/rtsp/describe.h"
#include "egress/rtsp/rtsp.h"
#include "media/profile.h"
#include "rtsp/digest.h"
#include "rtsp/url.h"

enum { ANSWER_MAX_BYTES = 64 * 1024 };

#define STATE(state) (1u << (state))
#define ANY (STATE(SESSION_OPEN) | STATE(SESSION_READY) | STATE(SESSION_PLAYING))

static void run_options(struct session *session, const struct rtsp_message *request);
static void run_describe(struct session *session, const struct rtsp_message *request);
static void run_setup(struct session *session, const struct rtsp_message *request);
static void run_play(struct session *session, const struct rtsp_message *request);
static void run_pause(struct session *session, const struct rtsp_message *request);
static void run_parameter(struct session *session, const struct rtsp_message *request);
static void run_teardown(struct session *session, const struct rtsp_message *request);

/* Where the stream must be known, the request is run after its admission. */
static const struct method {
    const char *name;
    void (*run)(struct session *session, const struct rtsp_message *request);
    unsigned states;
    bool needs_admission, needs_session;
} methods[] = {
    {"OPTIONS", run_options, ANY, false, false},
    {"DESCRIBE", run_describe, ANY, true, false},
    {"SETUP", run_setup, STATE(SESSION_OPEN) | STATE(SESSION_READY), true, false},
    {"PLAY", run_play, STATE(SESSION_READY) | STATE(SESSION_PLAYING), false, true},
    {"PAUSE", run_pause, STATE(SESSION_READY) | STATE(SESSION_PLAYING), false, true},
    {"GET_PARAMETER", run_parameter, ANY, false, false},
    {"SET_PARAMETER", run_parameter, ANY, false, false},
    {"TEARDOWN", run_teardown, STATE(SESSION_READY) | STATE(SESSION_PLAYING), false, true},
};

/* Methods that exist, but not for those who only watch. */
static const char *const refused_methods[] = {"ANNOUNCE", "RECORD", "REDIRECT"};

static const char public_methods[] =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

static void answer_begin(struct session *session, struct writer *out,
                         const struct rtsp_message *request, unsigned status)
{
    writer_init(out, ANSWER_MAX_BYTES);
    rtsp_write_response(out, status, rtsp_cseq(request));
    if (session->id[0])
        rtsp_write_header(out, "Session", "%s", session->id);
}

static void answer_end(struct session *session, struct writer *out, const char *type,
                       const struct writer *body)
{
    rtsp_write_end(out, type, body ? body->bytes : NULL, body ? body->len : 0);
    if (out->err || conn_write_copy(session->conn, out->bytes, out->len) < 0)
        session_close(session);
    writer_fini(out);
}

void method_answer(struct session *session, const struct rtsp_message *request, unsigned status)
{
    struct writer out;

    answer_begin(session, &out, request, status);
    if (status == 405 || status == 501)
        rtsp_write_header(&out, "Allow", "%s", public_methods);
    answer_end(session, &out, NULL, NULL);
}

/* 401 with what may be answered: Digest, and over TLS Basic too. */
static void answer_challenge(struct session *session, const struct rtsp_message *request,
                             bool is_stale)
{
    static const char *const algorithms[] = {"SHA-256", "MD5"};
    char nonce[DIGEST_NONCE];
    struct writer out;

    answer_begin(session, &out, request, 401);
    if (nonce_make(session->instance->nonce_key, clock_mono_us(), nonce) == 0)
        for (unsigned i = 0; i < 2; i++)
            rtsp_write_header(&out, "WWW-Authenticate",
                              "Digest realm=\"culvert\", nonce=\"%s\", algorithm=%s%s", nonce,
                              algorithms[i], is_stale ? ", stale=true" : "");
    if (conn_is_tls(session->conn))
        rtsp_write_header(&out, "WWW-Authenticate", "Basic realm=\"culvert\"");
    answer_end(session, &out, NULL, NULL);
}

static void run_options(struct session *session, const struct rtsp_message *request)
{
    struct writer out;

    answer_begin(session, &out, request, 200);
    rtsp_write_header(&out, "Public", "%s", public_methods);
    answer_end(session, &out, NULL, NULL);
}

/* rtsp://host:port/slug/ without the query: the token has done its work, and stays secret. */
static void write_content_base(struct writer *out, const struct session *session,
                               const struct rtsp_message *request)
{
    struct rtsp_url url;

    if (rtsp_url_parse(&url, request->url) < 0)
        return;
    rtsp_write_header(out, "Content-Base", "%s://%s%s%s:%u/%s/", url.is_tls ? "rtsps" : "rtsp",
                      strchr(url.host, ':') ? "[" : "", url.host, strchr(url.host, ':') ? "]" : "",
                      url.port, session->slug);
}

static void run_describe(struct session *session, const struct rtsp_message *request)
{
    char host[ADDR_TEXT];
    struct writer out, body;

    writer_init(&body, ANSWER_MAX_BYTES / 2);
    describe_write(&body, session->tracks, session->slug,
                   addr_format_host(conn_local(session->conn), host));
    answer_begin(session, &out, request, body.err ? 500 : 200);
    write_content_base(&out, session, request);
    answer_end(session, &out, "application/sdp", &body);
    writer_fini(&body);
}

static void run_setup(struct session *session, const struct rtsp_message *request)
{
    setup_run(session, request);
    if (session->state == SESSION_OPEN && session->id[0])
        session_set_state(session, SESSION_READY);
}

/* Where in the shared packets this viewer begins, per track (RFC 2326 section 12.33). */
static void write_rtp_info(struct writer *out, const struct session *session, const char *base)
{
    struct view_feed *slot = &session->admission.view->feeds[PACKET_RTP];
    uint64_t seq = slot->feed ? feed_newest_key(slot->feed) : 0;
    bool is_told[SETUP_TRACKS] = {false};
    char text[1024] = "";
    size_t len = 0;

    for (; slot->feed && seq < feed_end(slot->feed); seq++) {
        const struct packet *packet = feed_at(slot->feed, seq);
        const uint8_t *head;

        if (is_told[packet->track] || session->track[packet->track].transport == TRANSPORT_NONE ||
            !packet->span_count)
            continue;
        head = packet->buf->bytes + packet->span[0].offset;
        is_told[packet->track] = true;
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%surl=%.300s/trackID=%u;seq=%u;rtptime=%u", len ? "," : "", base,
                                packet->track, (unsigned)head[2] << 8 | head[3], packet->rtp_time);
        if (len >= sizeof(text) - 400)
            break;
    }
    if (len)
        rtsp_write_header(out, "RTP-Info", "%s", text);
}

static void run_play(struct session *session, const struct rtsp_message *request)
{
    char base[512];
    struct rtsp_url url;
    struct writer out;

    if (!session->has_feed && !view_feed_use(session->admission.view, PACKET_RTP)) {
        method_answer(session, request, 503);
        return;
    }
    session->has_feed = true;
    answer_begin(session, &out, request, 200);
    rtsp_write_header(&out, "Range", "npt=now-");
    if (rtsp_url_parse(&url, request->url) == 0) {
        snprintf(base, sizeof(base), "%s://%.200s:%u/%s", url.is_tls ? "rtsps" : "rtsp", url.host,
                 url.port, session->slug);
        write_rtp_info(&out, session, base);
    }
    answer_end(session, &out, NULL, NULL);
    if (session->state == SESSION_CLOSED)
        return;
    session_set_state(session, SESSION_PLAYING);
    if (play_start(session) < 0)
        session_close_flushed(session);
}

static void run_pause(struct session *session, const struct rtsp_message *request)
{
    play_stop(session);
    session_set_state(session, SESSION_READY);
    method_answer(session, request, 200);
}

/* We have no parameters: an empty request is how viewers say that they are still there. */
static void run_parameter(struct session *session, const struct rtsp_message *request)
{
    method_answer(session, request, request->body_len ? 451 : 200);
}

static void run_teardown(struct session *session, const struct rtsp_message *request)
{
    method_answer(session, request, 200);
    session_close_flushed(session);
}

static unsigned status_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ALLOW:
        return 200;
    case VERDICT_NO_CREDENTIAL:
    case VERDICT_BAD_CREDENTIAL:
        return 401;
    case VERDICT_DENIED:
        return 403;
    case VERDICT_TOO_MANY:
        return 453;
    case VERDICT_ABSENT:
        return 404;
    case VERDICT_AWAY:
    case VERDICT_OVERLOADED:
        return 503;
    }
    return 500;
}

static void answer_refusal(struct session *session, const struct rtsp_message *request,
                           enum verdict verdict)
{
    unsigned status = status_of(verdict);
    struct writer out, body;

    if (status == 401) {
        answer_challenge(session, request, false);
        return;
    }
    writer_init(&body, 1024);
    writer_printf(&body, "%s\r\n",
                  session->admission.detail ? session->admission.detail : verdict_detail(verdict));
    answer_begin(session, &out, request, status);
    if (status == 503)
        rtsp_write_header(&out, "Retry-After", "5");
    answer_end(session, &out, "text/plain", &body);
    writer_fini(&body);
}

static const struct method *method_find(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

void method_resume(struct session *session, enum verdict verdict)
{
    struct rtsp_message *request = session->pending;
    const struct method *method = method_find(request->method);

    session->pending = NULL;
    session->is_admitted = verdict == VERDICT_ALLOW;
    session_set_state(session, SESSION_OPEN);
    if (session->is_admitted && session->admission.view->tracks) {
        session->tracks = tracks_ref(session->admission.view->tracks);
        view_watch_start(session->admission.view, &session->watch);
        if (view_feed_use(session->admission.view, PACKET_RTP))
            session->has_feed = true; /* so that PLAY finds the current group there */
        method->run(session, request);
    } else {
        answer_refusal(session, request, verdict);
    }
    rtsp_message_free(request);
    session_continue(session);
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    method_resume(list_entry(admission, struct session, admission), verdict);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    (void)reason;
    session_close_flushed(list_entry(admission, struct session, admission));
}

/* Is the word at, which ends with a slash or the text, this one? */
static bool is_word(const char *at, const char *word)
{
    size_t len = strlen(word);

    return strncmp(at, word, len) == 0 && (at[len] == '/' || at[len] == '\0');
}

/* The stream's name in a URL: SLUG or SLUG/sub, up to a track's name, without slashes around it; or
 * SLUG?profile=sub. */
static bool take_slug(const struct rtsp_url *url, char out[SLUG_MAX])
{
    const char *at = url->path + strspn(url->path, "/");
    size_t len = strcspn(at, "/");
    enum profile profile = PROFILE_MAIN;
    char slug[SLUG_MAX], text[16];

    if (!len || len >= SLUG_MAX)
        return false;
    memcpy(slug, at, len);
    slug[len] = '\0';
    if (at[len] && is_word(at + len + 1, "sub"))
        profile = PROFILE_SUB;
    else if (rtsp_query_value(url->query, "profile", text, sizeof(text)) &&
             profile_parse(&profile, text) < 0)
        return false;
    return profile_stream(out, SLUG_MAX, slug, profile) == 0;
}

/* The token that the request shows, and the stream it names; false: it was answered. */
static bool read_request(struct session *session, const struct rtsp_message *request,
                         char token[TOKEN_TEXT])
{
    struct rtsp_url url;

    if (rtsp_url_parse(&url, request->url) < 0 || !take_slug(&url, session->slug)) {
        method_answer(session, request, 400);
        return false;
    }
    switch (credential_find(session, request, &url, token)) {
    case CREDENTIAL_STALE:
        answer_challenge(session, request, true);
        return false;
    case CREDENTIAL_WRONG:
        answer_challenge(session, request, false);
        return false;
    case CREDENTIAL_NONE:
    case CREDENTIAL_FOUND:
        break;
    }
    return true;
}

/* Takes the request: it waits in the session for its verdict, which may come at once. */
static void ask(struct session *session, struct rtsp_message *request)
{
    struct egress_env *env = session->instance->env;
    char token[TOKEN_TEXT];

    if (!read_request(session, request, token)) {
        rtsp_message_free(request);
        return;
    }
    session->admission = (struct admission){.egress = &egress_rtsp,
                                            .slug = session->slug,
                                            .token = token,
                                            .peer = *conn_peer(session->conn),
                                            .on_verdict = on_verdict,
                                            .on_revoked = on_revoked};
    session->pending = request;
    session_set_state(session, SESSION_ASKING);
    env->admit(env, &session->admission);
    explicit_bzero(token, sizeof(token));
}

/* An admitted session is bound to its stream: another one needs another connection. */
static bool is_same_stream(const struct session *session, const struct rtsp_message *request)
{
    struct rtsp_url url;
    char slug[SLUG_MAX];

    return rtsp_url_parse(&url, request->url) == 0 && take_slug(&url, slug) &&
           strcmp(slug, session->slug) == 0;
}

static bool has_session_id(const struct session *session, const struct rtsp_message *request)
{
    const char *id = rtsp_header(request, "Session");

    return id && session->id[0] && strncmp(id, session->id, strlen(session->id)) == 0;
}

static unsigned check(const struct session *session, const struct rtsp_message *request,
                      const struct method *method)
{
    if (!method) {
        for (size_t i = 0; i < sizeof(refused_methods) / sizeof(*refused_methods); i++)
            if (strcmp(refused_methods[i], request->method) == 0)
                return 405;
        return 501;
    }
    if (rtsp_cseq(request) < 0)
        return 400;
    if (rtsp_header(request, "Require") || rtsp_header(request, "Proxy-Require"))
        return 551;
    if (method->needs_session && !has_session_id(session, request))
        return 454;
    if (!(method->states & STATE(session->state)))
        return 455;
    if (method->needs_admission && session->is_admitted && !is_same_stream(session, request))
        return 459;
    return 0;
}

void method_run(struct session *session, struct rtsp_message *request)
{
    const struct method *method = method_find(request->method);
    unsigned status = check(session, request, method);

    if (status == 0 && method->needs_admission && !session->is_admitted) {
        ask(session, request);
        return;
    }
    if (status)
        method_answer(session, request, status);
    else
        method->run(session, request);
    rtsp_message_free(request);
}
