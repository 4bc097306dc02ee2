/* WHEP (draft-ietf-wish-whep): an offer becomes a session, and that session's own address takes
 * PATCH (trickle, ICE restart) and DELETE, from whoever shows the token that it began with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "egress/page.h"
#include "egress/web.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/webrtc.h"
#include "http/router.h"
#include "media/profile.h"

enum {
    ANSWER_MAX_BYTES = 32 * 1024,
    FRAGMENT_MAX_BYTES = 16 * 1024,
    PROBLEM_TEXT = 200,
    LOCATION_TEXT = 256
};

/* ---- answers that begin a peer -------------------------------------------------------------
 */

static void finish(struct peer *peer)
{
    peer->request = NULL;
    peer_close(peer, "refused");
}

static void refuse_offer(struct peer *peer, unsigned status, const char *rule, const char *wrong)
{
    http_respond_problem(peer->request, status, rule, wrong, 0);
    finish(peer);
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

static void take_choices(struct peer *peer, struct choice choices[OFFER_MEDIA_MAX])
{
    for (unsigned i = 0; i < peer->offer->media_count; i++) {
        const struct offer_media *media = &peer->offer->media[i];
        struct choice *choice = &choices[i];

        if (choice->is_data)
            peer->sctp_port = media->sctp_port;
        if (choice->is_data || choice->track < 0)
            continue;
        choice->ssrc = random_ssrc();
        if (media->kind == OFFER_VIDEO && choice->codec->rtx_payload_type)
            choice->rtx_ssrc = random_ssrc();
        set_sender(media->kind == OFFER_VIDEO ? &peer->video : &peer->audio, media, choice);
    }
}

static int write_answer(struct peer *peer, const struct choice *choices, struct buf **body)
{
    const struct egress_instance *instance = peer->instance;
    const struct answer_terms terms = {
        .offer = peer->offer,
        .choices = choices,
        .tracks = peer->tracks,
        .ufrag = peer->ice.ufrag,
        .password = peer->ice.password,
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

static void send_answer(struct peer *peer, struct buf *body)
{
    char location[LOCATION_TEXT], etag[ICE_UFRAG_TEXT + 2];
    size_t slug_len;
    const char *stun_link = peer->instance->stun_link;
    const struct http_header headers[] = {
        {"content-type", "application/sdp"},
        {"location", location},
        {"etag", etag},
        {"accept-patch", "application/trickle-ice-sdpfrag"},
        {"access-control-expose-headers", "location, etag, link"},
        {"cache-control", "no-store"},
        {*stun_link ? "link" : NULL, stun_link}, /* the last if there is none */
        {NULL, NULL},
    };
    struct http_request *request = peer->request;

    (void)profile_of_stream(peer->slug, &slug_len);
    snprintf(location, sizeof(location), "/whep/%.*s/%s/%s", (int)slug_len, peer->slug,
             peer->instance->env->node_id, peer->id);
    snprintf(etag, sizeof(etag), "\"%s\"", peer->ice.ufrag);
    peer->request = NULL;
    http_respond(request, 201, headers, body);
}

static const char b_frames[] =
    "The camera sends H.264 with B-frames, which browsers don't play over WebRTC. Set its profile "
    "to Baseline, or its number of B-frames to 0; HLS and RTSP play it as it is.";

static bool has_b_frames(const struct peer *peer)
{
    return peer->video.is_used && peer->tracks->track[peer->video.track].has_b_frames;
}

/* Admitted, and the camera is live. */
static void answer_offer(struct peer *peer)
{
    struct choice choices[OFFER_MEDIA_MAX];
    const char *wrong = NULL;
    struct buf *body = NULL;

    peer->tracks = tracks_ref(peer->admission.view->tracks);
    if (sdp_choose(peer->offer, peer->tracks, true, choices, &wrong) < 0) {
        refuse_offer(peer, 406, "codec", wrong);
        return;
    }
    take_choices(peer, choices);
    if (has_b_frames(peer)) {
        refuse_offer(peer, 406, "b-frames", b_frames);
        return;
    }
    if (peer_open(peer, offer_ufrag(peer->offer, choices)) < 0 ||
        write_answer(peer, choices, &body) < 0) {
        http_respond_problem(peer->request, 503, "memory", "The server is out of memory.", 5);
        finish(peer);
        return;
    }
    send_answer(peer, body);
    buf_unref(body);
    free(peer->offer); /* its work is done, and it is large */
    peer->offer = NULL;
}

/* Do these tracks have pictures, and can this player be sent them? */
static bool can_show(const struct offer *offer, const struct tracks *tracks)
{
    struct choice choices[OFFER_MEDIA_MAX];
    int video = tracks_find_video(tracks);
    const char *wrong;

    if (video < 0 || sdp_choose(offer, tracks, false, choices, &wrong) < 0)
        return false;
    for (unsigned i = 0; i < offer->media_count; i++)
        if (choices[i].track == video)
            return !tracks->track[video].has_b_frames;
    return false;
}

static void ask(struct peer *peer, const char *token);

/* The camera's smaller stream in place of a main one that this player can't be sent: true if that
 * was asked for. */
static bool fall_back(struct peer *peer)
{
    struct egress_env *env = peer->instance->env;
    char stream[SLUG_MAX], token[TOKEN_TEXT];
    size_t len;

    if (profile_of_stream(peer->slug, &len) == PROFILE_SUB ||
        can_show(peer->offer, peer->admission.view->tracks) ||
        profile_stream(stream, sizeof(stream), peer->slug, PROFILE_SUB) < 0 ||
        !env->view(env, stream))
        return false;
    LOG(LOG_INFO, "viewer", peer->admission.viewer_id, "falls-back", KV_S("stream", stream));
    env->leave(env, &peer->admission);
    memcpy(peer->slug, stream, sizeof(stream));
    web_find_token(peer->request, token);
    ask(peer, token);
    explicit_bzero(token, sizeof(token));
    return true;
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct peer *peer = list_entry(admission, struct peer, admission);

    if (verdict == VERDICT_ALLOW && !admission->view->tracks)
        verdict = VERDICT_AWAY;
    if (verdict == VERDICT_ALLOW && fall_back(peer))
        return;
    web_allow_origin(peer->request, admission->origins);
    if (verdict == VERDICT_ALLOW) {
        answer_offer(peer);
        return;
    }
    web_refuse(peer->request, admission, verdict);
    finish(peer);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    peer_close(list_entry(admission, struct peer, admission), reason);
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

static int parse_offer(struct peer *peer, const char **wrong)
{
    const struct buf *body = http_body(peer->request);

    *wrong = "The request has no body: an SDP offer is wanted.";
    if (!body)
        return -ERR_PROTOCOL;
    peer->offer = malloc(sizeof(*peer->offer));
    *wrong = "The server is out of memory.";
    if (!peer->offer)
        return -ENOMEM;
    return offer_parse(peer->offer, (const char *)body->bytes, body->len, wrong);
}

static void ask(struct peer *peer, const char *token)
{
    struct http_request *request = peer->request;
    struct egress_env *env = peer->instance->env;

    peer->admission = (struct admission){.egress = &egress_webrtc,
                                         .slug = peer->slug,
                                         .token = token,
                                         .origin = page_origin(request),
                                         .peer = *http_peer(request),
                                         .may_be_early = true,
                                         .on_verdict = on_verdict,
                                         .on_revoked = on_revoked};
    env->admit(env, &peer->admission);
    if (peer->request)
        http_on_gone(request, on_request_gone, peer);
}

/* A new peer with its offer parsed, or NULL: the request was answered. */
static struct peer *peer_for(struct egress_instance *instance, struct http_request *request)
{
    struct peer *peer;
    char stream[SLUG_MAX];
    const char *wrong;
    int err;

    if (!web_find_stream(request, stream))
        return NULL;
    peer = instance->is_draining ? NULL : peer_new(instance);
    if (!peer) {
        web_allow_origin(request, "");
        http_respond_problem(request, 503, "overloaded",
                             "The server takes no more viewers at the moment.", 5);
        return NULL;
    }
    peer->request = request;
    err = parse_offer(peer, &wrong);
    if (err == 0) {
        memcpy(peer->slug, stream, sizeof(stream));
        return peer;
    }
    web_allow_origin(request, "");
    refuse_offer(peer, err == -ENOMEM ? 503 : 400, "offer", wrong);
    return NULL;
}

static void post_offer(void *owner, struct http_request *request)
{
    struct peer *peer;
    char token[TOKEN_TEXT];

    if (!has_type(request, "application/sdp")) {
        web_allow_origin(request, "");
        http_respond_problem(request, 415, "type", "An offer is application/sdp.", 0);
        return;
    }
    peer = peer_for(owner, request);
    if (!peer)
        return;
    web_find_token(request, token);
    if (sha256_make(token, strlen(token), peer->token_digest) < 0)
        refuse_offer(peer, 503, "memory", "The server is out of memory.");
    else
        ask(peer, token);
    explicit_bzero(token, sizeof(token));
}

/* ---- errands: PATCH and DELETE, on the loop where the peer lives -----------------------------
 */

struct errand {
    struct loop_task task;
    struct http_request *request; /* borrowed; NULL once its peer is gone; the asking loop's */
    struct egress_instance *from, *to;
    bool is_delete;
    char id[PEER_ID];
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

static void write_restart(struct errand *errand, const struct peer *peer)
{
    struct writer text;

    writer_init(&text, FRAGMENT_MAX_BYTES);
    writer_printf(&text, "a=ice-lite\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", peer->ice.ufrag,
                  peer->ice.password);
    if (writer_to_buf(&text, &errand->answer) < 0)
        errand_refuse(errand, 503, "memory", "The server is out of memory.");
    else
        errand->status = 200;
    writer_fini(&text);
    snprintf(errand->etag, sizeof(errand->etag), "\"%s\"", peer->ice.ufrag);
}

static void restart_ice(struct errand *errand, struct peer *peer, const char *remote_ufrag)
{
    struct egress_instance *instance = peer->instance;
    int err;

    map_remove(&instance->by_ufrag, &peer->by_ufrag);
    err = ice_restart(&peer->ice, loop_index(instance->env->loop), remote_ufrag);
    map_insert(&instance->by_ufrag, &peer->by_ufrag, peer->ice.ufrag);
    if (err < 0)
        errand_refuse(errand, 503, "memory", "The server is out of memory.");
    else
        write_restart(errand, peer);
}

static void patch(struct errand *errand, struct peer *peer)
{
    struct fragment fragment;

    if (!errand->body ||
        fragment_parse(&fragment, (const char *)errand->body->bytes, errand->body->len) < 0)
        errand_refuse(errand, 400, "fragment", "The body is not an SDP fragment (RFC 8840).");
    else if (*fragment.ufrag && strcmp(fragment.ufrag, peer->ice.remote_ufrag) != 0)
        restart_ice(errand, peer, fragment.ufrag);
    else
        errand->status = 204; /* candidates are of no use to an ICE-lite server */
}

static void errand_work(struct errand *errand)
{
    struct peer *peer = peer_find(errand->to, errand->id);

    if (!peer || peer->state == PEER_CLOSED) {
        errand_refuse(errand, 404, "session", "There is no such session, or it has ended.");
    } else if (!secret_is_equal(peer->token_digest, errand->token_digest, TOKEN_DIGEST)) {
        errand_refuse(errand, 403, "token", "This is not the token that the peer began with.");
    } else if (errand->is_delete) {
        peer_close(peer, "deleted");
        errand->status = 200;
    } else {
        patch(errand, peer);
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
    errand->to = index >= 0 ? webrtc_instance_at((unsigned)index) : NULL;
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
