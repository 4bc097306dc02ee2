/* WHEP (draft-ietf-wish-whep): an offer becomes a session, and the session's own address takes
 * PATCH (trickle, ICE restart) and DELETE, from whoever shows the token that it began with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "crypto/digest.h"
#include "egress/web.h"
#include "egress/webrtc/session.h"
#include "egress/webrtc/webrtc.h"
#include "http/router.h"

enum {
    ANSWER_MAX_BYTES = 32 * 1024,
    FRAGMENT_MAX_BYTES = 16 * 1024,
    PROBLEM_TEXT = 200,
    LOCATION_TEXT = 256
};

/* ---- answers that begin a session -------------------------------------------------------------
 */

static void finish(struct session *session)
{
    session->request = NULL;
    session_close(session, "refused");
}

static void refuse_offer(struct session *session, unsigned status, const char *rule,
                         const char *wrong)
{
    http_respond_problem(session->request, status, rule, wrong, 0);
    finish(session);
}

static void set_sender(struct sender *sender, const struct offer_media *media,
                       const struct choice *choice)
{
    sender->is_used = true;
    sender->is_transcoded = choice->is_transcoded;
    sender->track = (uint8_t)choice->track;
    sender->payload_type = choice->codec->payload_type;
    sender->rtx_payload_type = choice->rtx_ssrc ? choice->codec->rtx_payload_type : 0;
    sender->abs_send_time_id = media->abs_send_time_id;
    sender->transport_cc_id = choice->codec->has_transport_cc ? media->transport_cc_id : 0;
    sender->playout_delay_id = media->kind == OFFER_VIDEO ? media->playout_delay_id : 0;
    sender->ssrc = choice->ssrc;
    sender->rtx_ssrc = choice->rtx_ssrc;
    sender->seq = (uint16_t)random_u64();
    sender->rtx_seq = (uint16_t)random_u64();
}

static uint32_t random_ssrc(void)
{
    return (uint32_t)(1 + random_below(UINT32_MAX - 1));
}

static void take_choices(struct session *session, struct choice choices[OFFER_MEDIA_MAX])
{
    for (unsigned i = 0; i < session->offer->media_count; i++) {
        const struct offer_media *media = &session->offer->media[i];
        struct choice *choice = &choices[i];

        if (choice->is_data)
            session->wants_data = true;
        if (choice->is_data || choice->track < 0)
            continue;
        choice->ssrc = random_ssrc();
        if (media->kind == OFFER_VIDEO && choice->codec->rtx_payload_type)
            choice->rtx_ssrc = random_ssrc();
        set_sender(media->kind == OFFER_VIDEO ? &session->video : &session->audio, media, choice);
    }
}

static int write_answer(struct session *session, const struct choice *choices, struct buf **body)
{
    const struct egress_instance *instance = session->instance;
    const struct answer_terms terms = {
        .offer = session->offer,
        .choices = choices,
        .tracks = session->tracks,
        .ufrag = session->ice.ufrag,
        .password = session->ice.password,
        .fingerprint = dtls_identity_fingerprint(instance->identity),
        .candidates = instance->candidates,
        .candidate_count = instance->candidate_count,
        .session_id = random_u64() >> 2,
        .cname = "culvert",
    };
    struct writer text;
    int err;

    writer_init(&text, ANSWER_MAX_BYTES);
    answer_write(&text, &terms);
    err = writer_to_buf(&text, body);
    writer_fini(&text);
    return err;
}

static void send_answer(struct session *session, struct buf *body)
{
    char location[LOCATION_TEXT], etag[ICE_UFRAG_TEXT + 2];
    const struct http_header headers[] = {
        {"content-type", "application/sdp"},
        {"location", location},
        {"etag", etag},
        {"accept-patch", "application/trickle-ice-sdpfrag"},
        {"access-control-expose-headers", "location, etag, link"},
        {"cache-control", "no-store"},
        {NULL, NULL},
    };
    struct http_request *request = session->request;

    snprintf(location, sizeof(location), "/whep/%s/%s/%s", session->slug,
             session->instance->env->node_id, session->id);
    snprintf(etag, sizeof(etag), "\"%s\"", session->ice.ufrag);
    session->request = NULL;
    http_respond(request, 201, headers, body);
}

static const char b_frames[] =
    "The camera sends H.264 with B-frames, which browsers don't play over WebRTC. Set its profile "
    "to Baseline, or its number of B-frames to 0; HLS and RTSP play it as it is.";

static bool has_b_frames(const struct session *session)
{
    return session->video.is_used && session->tracks->track[session->video.track].has_b_frames;
}

/* Admitted, and the camera is live. */
static void answer_offer(struct session *session)
{
    struct choice choices[OFFER_MEDIA_MAX];
    const char *wrong = NULL;
    struct buf *body = NULL;

    session->tracks = tracks_ref(session->admission.view->tracks);
    if (sdp_choose(session->offer, session->tracks, true, choices, &wrong) < 0) {
        refuse_offer(session, 406, "codec", wrong);
        return;
    }
    take_choices(session, choices);
    if (has_b_frames(session)) {
        refuse_offer(session, 406, "b-frames", b_frames);
        return;
    }
    if (session_open(session) < 0 || write_answer(session, choices, &body) < 0) {
        http_respond_problem(session->request, 503, "memory", "The server is out of memory.", 5);
        finish(session);
        return;
    }
    send_answer(session, body);
    buf_unref(body);
    free(session->offer); /* its work is done, and it is large */
    session->offer = NULL;
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct session *session = list_entry(admission, struct session, admission);

    if (verdict == VERDICT_ALLOW && !admission->view->tracks)
        verdict = VERDICT_AWAY;
    web_allow_origin(session->request, admission->origins);
    if (verdict == VERDICT_ALLOW) {
        answer_offer(session);
        return;
    }
    web_refuse(session->request, admission, verdict);
    finish(session);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    session_close(list_entry(admission, struct session, admission), reason);
}

static void on_request_gone(void *owner)
{
    finish(owner);
}

/* ---- offers -----------------------------------------------------------------------------------
 */

static bool has_type(struct http_request *request, const char *type)
{
    const char *header = http_header(request, "content-type");
    size_t len = strlen(type);

    return header && strncasecmp(header, type, len) == 0 &&
           (header[len] == '\0' || header[len] == ';' || header[len] == ' ');
}

static int parse_offer(struct session *session, const char **wrong)
{
    const struct buf *body = http_body(session->request);

    *wrong = "The request has no body: an SDP offer is wanted.";
    if (!body)
        return -ERR_PROTOCOL;
    session->offer = malloc(sizeof(*session->offer));
    *wrong = "The server is out of memory.";
    if (!session->offer)
        return -ENOMEM;
    return offer_parse(session->offer, (const char *)body->bytes, body->len, wrong);
}

static void ask(struct session *session, const char *token)
{
    struct http_request *request = session->request;
    struct egress_env *env = session->instance->env;

    session->admission = (struct admission){.egress = &egress_webrtc,
                                            .slug = session->slug,
                                            .token = token,
                                            .origin = http_header(request, "origin"),
                                            .peer = *http_peer(request),
                                            .may_wait = true,
                                            .on_verdict = on_verdict,
                                            .on_revoked = on_revoked};
    env->admit(env, &session->admission);
    if (session->request)
        http_on_gone(request, on_request_gone, session);
}

/* A new session with its offer parsed, or NULL: the request was answered. */
static struct session *session_for(struct egress_instance *instance, struct http_request *request)
{
    const char *slug = http_path_value(request, "slug"), *wrong;
    struct session *session = instance->is_draining ? NULL : session_new(instance);
    int err;

    if (!session) {
        web_allow_origin(request, "");
        http_respond_problem(request, 503, "overloaded",
                             "The server takes no more viewers at the moment.", 5);
        return NULL;
    }
    session->request = request;
    err = parse_offer(session, &wrong);
    if (err == 0 && strlen(slug) >= SLUG_MAX) {
        err = -ERR_TOO_LONG;
        wrong = "No stream has such a long name.";
    }
    if (err == 0) {
        snprintf(session->slug, sizeof(session->slug), "%s", slug);
        return session;
    }
    web_allow_origin(request, "");
    refuse_offer(session, err == -ENOMEM ? 503 : 400, "offer", wrong);
    return NULL;
}

static void post_offer(void *owner, struct http_request *request)
{
    struct session *session;
    char token[TOKEN_TEXT];

    if (!has_type(request, "application/sdp")) {
        web_allow_origin(request, "");
        http_respond_problem(request, 415, "type", "An offer is application/sdp.", 0);
        return;
    }
    session = session_for(owner, request);
    if (!session)
        return;
    web_find_token(request, token);
    if (sha256_make(token, strlen(token), session->token_digest) < 0)
        refuse_offer(session, 503, "memory", "The server is out of memory.");
    else
        ask(session, token);
    explicit_bzero(token, sizeof(token));
}

/* ---- errands: PATCH and DELETE, on the loop where the session lives -----------------------------
 */

struct errand {
    struct loop_task task;
    struct http_request *request; /* borrowed; NULL once its peer is gone; the asking loop's */
    struct egress_instance *from, *to;
    bool is_delete;
    char id[SESSION_ID];
    uint8_t token_digest[TOKEN_DIGEST];
    struct buf *body;   /* owned reference: the fragment */
    struct buf *answer; /* owned: of an ICE restart */
    char etag[ICE_UFRAG_TEXT + 2];
    unsigned status;
    const char *rule, *detail; /* static, of a refusal */
};

static void errand_refuse(struct errand *errand, unsigned status, const char *rule,
                          const char *detail)
{
    errand->status = status;
    errand->rule = rule;
    errand->detail = detail;
}

static void write_restart(struct errand *errand, const struct session *session)
{
    struct writer text;

    writer_init(&text, FRAGMENT_MAX_BYTES);
    writer_printf(&text, "a=ice-lite\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", session->ice.ufrag,
                  session->ice.password);
    if (writer_to_buf(&text, &errand->answer) < 0)
        errand_refuse(errand, 503, "memory", "The server is out of memory.");
    else
        errand->status = 200;
    writer_fini(&text);
    snprintf(errand->etag, sizeof(errand->etag), "\"%s\"", session->ice.ufrag);
}

static void restart_ice(struct errand *errand, struct session *session, const char *remote_ufrag)
{
    struct egress_instance *instance = session->instance;
    int err;

    map_remove(&instance->by_ufrag, &session->by_ufrag);
    err = ice_restart(&session->ice, loop_index(instance->env->loop), remote_ufrag);
    map_insert(&instance->by_ufrag, &session->by_ufrag, session->ice.ufrag);
    if (err < 0)
        errand_refuse(errand, 503, "memory", "The server is out of memory.");
    else
        write_restart(errand, session);
}

static void patch(struct errand *errand, struct session *session)
{
    struct fragment fragment;

    if (!errand->body ||
        fragment_parse(&fragment, (const char *)errand->body->bytes, errand->body->len) < 0)
        errand_refuse(errand, 400, "fragment", "The body is not an SDP fragment (RFC 8840).");
    else if (*fragment.ufrag && strcmp(fragment.ufrag, session->ice.remote_ufrag) != 0)
        restart_ice(errand, session, fragment.ufrag);
    else
        errand->status = 204; /* candidates are of no use to an ICE-lite server */
}

static void errand_work(struct errand *errand)
{
    struct session *session = session_find(errand->to, errand->id);

    if (!session || session->state == SESSION_CLOSED) {
        errand_refuse(errand, 404, "session", "There is no such session, or it has ended.");
    } else if (!secret_is_equal(session->token_digest, errand->token_digest, TOKEN_DIGEST)) {
        errand_refuse(errand, 403, "token", "This is not the token that the session began with.");
    } else if (errand->is_delete) {
        session_close(session, "deleted");
        errand->status = 200;
    } else {
        patch(errand, session);
    }
}

static void errand_free(struct errand *errand)
{
    buf_unref(errand->body);
    buf_unref(errand->answer);
    free(errand);
}

static void errand_answer(struct errand *errand)
{
    const struct http_header headers[] = {
        {"content-type", "application/trickle-ice-sdpfrag"},
        {"etag", errand->etag},
        {NULL, NULL},
    };

    if (errand->request && errand->detail)
        http_respond_problem(errand->request, errand->status, errand->rule, errand->detail, 0);
    else if (errand->request)
        http_respond(errand->request, errand->status, errand->answer ? headers : NULL,
                     errand->answer);
    errand_free(errand);
}

static void run_back(struct loop_task *task)
{
    errand_answer(list_entry(task, struct errand, task));
}

static void run_errand(struct loop_task *task)
{
    struct errand *errand = list_entry(task, struct errand, task);

    errand_work(errand);
    errand->task.run = run_back;
    loop_post(errand->from->env->loop, &errand->task);
}

static void on_errand_gone(void *owner)
{
    struct errand *errand = owner;

    errand->request = NULL;
}

static struct errand *errand_new(struct egress_instance *instance, struct http_request *request)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    char token[TOKEN_TEXT];
    int err;

    if (!errand)
        return NULL;
    errand->request = request;
    errand->from = instance;
    errand->is_delete = http_method(request) == HTTP_DELETE;
    errand->body = buf_ref(http_body(request));
    snprintf(errand->id, sizeof(errand->id), "%s", http_path_value(request, "session"));
    web_find_token(request, token);
    err = sha256_make(token, strlen(token), errand->token_digest);
    explicit_bzero(token, sizeof(token));
    if (err < 0) {
        errand_free(errand);
        return NULL;
    }
    return errand;
}

/* A session's id begins with its loop, as a local ufrag does. */
static void go(struct egress_instance *instance, struct http_request *request)
{
    int index = ice_loop_of(http_path_value(request, "session"));
    struct errand *errand = errand_new(instance, request);

    if (!errand) {
        http_respond_problem(request, 503, "memory", "The server is out of memory.", 5);
        return;
    }
    errand->to = index >= 0 ? instance_at((unsigned)index) : NULL;
    if (!errand->to || strcmp(http_path_value(request, "node"), instance->env->node_id) != 0) {
        errand_refuse(errand, 404, "session", "There is no such session, or it has ended.");
        errand_answer(errand);
    } else if (errand->to == instance) {
        errand_work(errand);
        errand_answer(errand);
    } else {
        http_on_gone(request, on_errand_gone, errand);
        errand->task.run = run_errand;
        loop_post(errand->to->env->loop, &errand->task);
    }
}

static void patch_session(void *owner, struct http_request *request)
{
    web_allow_origin(request, "");
    if (has_type(request, "application/trickle-ice-sdpfrag"))
        go(owner, request);
    else
        http_respond_problem(request, 415, "type", "A fragment is application/trickle-ice-sdpfrag.",
                             0);
}

static void delete_session(void *owner, struct http_request *request)
{
    web_allow_origin(request, "");
    go(owner, request);
}

/* A page asks before it asks, without its token: who may is decided by the request itself. */
static void answer_preflight(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {
        {"access-control-allow-methods", "POST, PATCH, DELETE, OPTIONS"},
        {"access-control-allow-headers", "authorization, content-type, if-match"},
        {"access-control-max-age", "86400"},
        {"accept-post", "application/sdp"},
        {NULL, NULL},
    };

    (void)owner;
    web_allow_origin(request, "");
    http_respond(request, 204, headers, NULL);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/whep/{slug}", post_offer, OFFER_MAX_BYTES},
    {HTTP_PATCH, "/whep/{slug}/{node}/{session}", patch_session, FRAGMENT_MAX_BYTES},
    {HTTP_DELETE, "/whep/{slug}/{node}/{session}", delete_session, 0},
    {HTTP_OPTIONS, "/whep/{slug}", answer_preflight, 0},
    {HTTP_OPTIONS, "/whep/{slug}/{node}/{session}", answer_preflight, 0},
    {.pattern = NULL},
};

int whep_add(struct egress_instance *instance)
{
    return http_router_add(instance->env->router, routes, instance);
}
