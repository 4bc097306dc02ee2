/* HTTP routes: the multivariant playlist, which takes the token and makes the session, and what
 * lies below the session's path. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "egress/hls/hls.h"
#include "egress/hls/playlist.h"
#include "egress/hls/session.h"
#include "egress/page.h"
#include "egress/web.h"
#include "http/router.h"
#include "media/profile.h"

enum { AWAY_RETRY_S = 5 };

/* A first request while it waits for its admission. */
struct arrival {
    struct hls_session *session;  /* owned until it begins */
    struct http_request *request; /* borrowed */
    struct loop_task gone;
    bool is_over;
};

static const struct http_header multivariant_headers[] = {
    {"content-type", "application/vnd.apple.mpegurl"},
    {"cache-control", "no-store"},
    {NULL, NULL},
};

static bool has_playable_track(const struct tracks *tracks, enum packet_kind kind)
{
    for (unsigned i = 0; i < tracks->count; i++)
        if (tracks->track[i].codec == CODEC_H264 || tracks->track[i].codec == CODEC_H265 ||
            tracks->track[i].codec == CODEC_AAC || tracks->track[i].codec == CODEC_OPUS ||
            (tracks->track[i].codec == CODEC_MP3 && kind == PACKET_TS_SEGMENT))
            return true;
    return false;
}

static void send_multivariant(struct hls_session *session, struct http_request *request)
{
    struct hls_feed *feed = feed_use_by(session);
    char uri[SESSION_ID + 32];
    struct writer text;
    struct buf *body = NULL;

    snprintf(uri, sizeof(uri), "s/%s/media.m3u8", session->id);
    writer_init(&text, PLAYLIST_MAX_BYTES);
    if (feed)
        playlist_write_multivariant(&text, session->admission.view->tracks, &feed->window, uri);
    if (feed && writer_to_buf(&text, &body) == 0)
        http_respond(request, 200, multivariant_headers, body);
    else
        http_respond_problem(request, 503, "memory", "The server is out of memory.", 1);
    buf_unref(body);
    writer_fini(&text);
}

static void refuse_codec(struct http_request *request, const struct tracks *tracks)
{
    char text[160];

    snprintf(text, sizeof(text), "The camera sends %s, which HLS can't carry: play it over RTSP.",
             tracks && tracks->count ? codec_name(tracks->track[0].codec) : "nothing");
    http_respond_problem(request, 406, "codec", text, 0);
}

static void arrival_free(struct loop_task *task)
{
    struct arrival *arrival = list_entry(task, struct arrival, gone);

    free(arrival->session);
    free(arrival);
}

static void arrival_end(struct arrival *arrival)
{
    arrival->is_over = true;
    arrival->gone.run = arrival_free;
    loop_defer(loop_current(), &arrival->gone);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    (void)reason;
    session_end(list_entry(admission, struct hls_session, admission));
}

static void settle(struct arrival *arrival, enum verdict verdict)
{
    struct hls_session *session = arrival->session;
    struct http_request *request = arrival->request;
    struct tracks *tracks = verdict == VERDICT_ALLOW ? session->admission.view->tracks : NULL;

    /* A page that may embed reads why it was refused; one that may not reads nothing. */
    if (strcmp(session->admission.rule, "origin") != 0)
        web_allow_origin(request, session->admission.origins);
    if (verdict != VERDICT_ALLOW) {
        web_refuse(request, &session->admission, verdict);
    } else if (!tracks || !has_playable_track(tracks, session->kind)) {
        refuse_codec(request, tracks);
        session->admission.env->leave(session->admission.env, &session->admission);
    } else {
        arrival->session = NULL; /* it lives on its own from here */
        session_begin(session);
        send_multivariant(session, request);
    }
    arrival_end(arrival);
}

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct hls_session *session = list_entry(admission, struct hls_session, admission);
    struct arrival *arrival = session->arrival;

    session->arrival = NULL;
    settle(arrival, verdict);
}

static void on_gone(void *owner)
{
    struct arrival *arrival = owner;
    struct admission *admission = &arrival->session->admission;

    admission->env->leave(admission->env, admission);
    arrival_end(arrival);
}

static struct arrival *arrival_new(struct egress_instance *instance, struct http_request *request)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    if (arrival)
        arrival->session = session_new(instance);
    if (!arrival || !arrival->session) {
        free(arrival);
        return NULL;
    }
    arrival->request = request;
    return arrival;
}

static void get_multivariant(void *owner, struct http_request *request, enum packet_kind kind)
{
    struct egress_instance *instance = owner;
    char token[TOKEN_TEXT], stream[SLUG_MAX];
    struct arrival *arrival;

    if (!web_find_stream(request, stream))
        return;
    arrival = arrival_new(instance, request);
    if (!arrival) {
        http_respond_problem(request, 503, "overloaded", "The server has too many viewers now.",
                             AWAY_RETRY_S);
        return;
    }
    memcpy(arrival->session->slug, stream, sizeof(stream));
    arrival->session->kind = kind;
    web_find_token(request, token);
    arrival->session->admission = (struct admission){.egress = &egress_hls,
                                                     .slug = arrival->session->slug,
                                                     .token = token,
                                                     .origin = page_origin(request),
                                                     .peer = *http_peer(request),
                                                     .on_verdict = on_verdict,
                                                     .on_revoked = on_revoked};
    arrival->session->arrival = arrival;
    instance->env->admit(instance->env, &arrival->session->admission);
    explicit_bzero(token, sizeof(token));
    if (!arrival->is_over)
        http_on_gone(request, on_gone, arrival);
}

static void get_index(void *owner, struct http_request *request)
{
    get_multivariant(owner, request, PACKET_CMAF);
}

static void get_ts(void *owner, struct http_request *request)
{
    get_multivariant(owner, request, PACKET_TS_SEGMENT);
}

/* The session that the path names, or NULL. */
static struct hls_session *session_of(struct egress_instance *instance,
                                      struct http_request *request)
{
    struct hls_session *session = session_find(instance, http_path_value(request, "session"));
    const char *slug = http_path_value(request, "slug");
    size_t len;

    if (!session)
        return NULL;
    (void)profile_of_stream(session->slug, &len);
    return strlen(slug) == len && strncmp(session->slug, slug, len) == 0 ? session : NULL;
}

static void get_below_session(void *owner, struct http_request *request)
{
    struct hls_session *session = session_of(owner, request);
    struct hls_request wish;

    if (!session) {
        web_allow_origin(request, "");
        http_respond_problem(request, 403, "session",
                             "This viewer's session is not known here, or has ended: begin again "
                             "with its first playlist and a token.",
                             0);
        return;
    }
    web_allow_origin(request, session_origins(session));
    if (hls_file_parse(&wish, http_path_value(request, "file")) < 0)
        http_respond_problem(request, 404, "name", "There is no such file in a session.", 0);
    else
        answer_request(session, request, &wish);
}

static void answer_preflight(struct http_request *request, const char *origins)
{
    static const struct http_header headers[] = {
        {"access-control-allow-methods", "GET, HEAD, OPTIONS"},
        {"access-control-allow-headers", "authorization, range"},
        {"access-control-max-age", "86400"},
        {NULL, NULL},
    };

    web_allow_origin(request, origins);
    http_respond(request, 204, headers, NULL);
}

/* A page asks before it asks, without its token: who may is decided by the answer to the request
 * itself. */
static void ask_multivariant(void *owner, struct http_request *request)
{
    (void)owner;
    answer_preflight(request, "");
}

static void ask_below_session(void *owner, struct http_request *request)
{
    struct hls_session *session = session_of(owner, request);

    answer_preflight(request, session ? session_origins(session) : "");
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hls/{slug}/index.m3u8", get_index, 0},
    {HTTP_GET, "/hls/{slug}/ts.m3u8", get_ts, 0},
    {HTTP_GET, "/hls/{slug}/s/{session}/{file}", get_below_session, 0},
    {HTTP_OPTIONS, "/hls/{slug}/index.m3u8", ask_multivariant, 0},
    {HTTP_OPTIONS, "/hls/{slug}/ts.m3u8", ask_multivariant, 0},
    {HTTP_OPTIONS, "/hls/{slug}/s/{session}/{file}", ask_below_session, 0},
    {.pattern = NULL},
};

int routes_add(struct egress_instance *instance)
{
    return http_router_add(instance->env->router, routes, instance);
}
