/* GET /s/SLUG/snapshot.jpg: the newest key frame as a picture, made once for all who ask until the
 * next key frame comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/page.h"
#include "egress/web.h"
#include "egress/webrtc/painter.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/webrtc.h"
#include "http/router.h"

enum { WAIT_US = 10 * 1000000, LINGER_US = 10 * 1000000, ASKERS_MAX = 1000 };

/* A stream of which a picture was asked for lately. */
struct shot {
    struct map_node node;
    struct egress_instance *instance; /* borrowed */
    char slug[SLUG_MAX];
    struct view *view; /* held */
    bool has_feed;
    struct cursor cursor;
    struct packet *newest; /* owned reference: a key frame; NULL before the first */
    struct buf *jpeg;      /* owned; of jpeg_us */
    int64_t jpeg_us;       /* the key frame's dts */
    struct painting painting;
    struct packet *painted; /* owned reference: what is being painted; NULL: nothing */
    struct list askers;
    int64_t used_us;
    bool is_closed; /* freed when its painting is back */
    struct loop_task gone;
};

/* A request that waits: for its admission, then for the picture. */
struct asker {
    struct list link; /* on the shot's askers */
    struct egress_instance *instance;
    struct http_request *request; /* borrowed */
    struct admission admission;
    char slug[SLUG_MAX];
    int64_t since_us;
    bool is_over;
    struct loop_task gone;
};

/* ---- askers ------------------------------------------------------------------------------------
 */

static void free_asker(struct loop_task *task)
{
    free(list_entry(task, struct asker, gone));
}

static void asker_end(struct asker *asker)
{
    if (asker->is_over)
        return;
    asker->is_over = true;
    list_remove(&asker->link);
    asker->instance->asker_count--;
    asker->instance->env->leave(asker->instance->env, &asker->admission);
    asker->gone.run = free_asker;
    loop_defer(asker->instance->env->loop, &asker->gone);
}

static void asker_refuse(struct asker *asker, unsigned status, const char *rule, const char *detail)
{
    http_respond_problem(asker->request, status, rule, detail, status == 503 ? 5 : 0);
    asker_end(asker);
}

static void asker_answer(struct asker *asker, const struct shot *shot)
{
    char etag[32];
    const struct http_header headers[] = {{"content-type", "image/jpeg"},
                                          {"cache-control", "private, no-cache"},
                                          {"etag", etag},
                                          {NULL, NULL}};

    snprintf(etag, sizeof(etag), "\"%llx\"", (unsigned long long)shot->jpeg_us);
    asker->admission.out_bytes += shot->jpeg->len;
    http_respond(asker->request, 200, headers, shot->jpeg);
    asker_end(asker);
}

/* ---- shots -------------------------------------------------------------------------------------
 */

static void free_shot(struct loop_task *task)
{
    struct shot *shot = list_entry(task, struct shot, gone);

    packet_unref(shot->newest);
    packet_unref(shot->painted);
    buf_unref(shot->jpeg);
    free(shot);
}

static void shot_close(struct shot *shot)
{
    if (shot->is_closed)
        return;
    shot->is_closed = true;
    while (!list_is_empty(&shot->askers))
        asker_refuse(list_entry(shot->askers.next, struct asker, link), 503, "away",
                     "The camera can't be reached now.");
    map_remove(&shot->instance->shots, &shot->node);
    cursor_detach(&shot->cursor);
    if (shot->has_feed)
        view_feed_leave(shot->view, PACKET_KEY);
    view_release(shot->view);
    shot->gone.run = free_shot;
    if (!shot->painted)
        loop_defer(shot->instance->env->loop, &shot->gone);
}

static bool is_fresh(const struct shot *shot)
{
    return shot->jpeg && shot->newest && shot->jpeg_us == shot->newest->dts_us;
}

static void answer_all(struct shot *shot)
{
    while (!list_is_empty(&shot->askers))
        asker_answer(list_entry(shot->askers.next, struct asker, link), shot);
}

static void refuse_all(struct shot *shot, unsigned status, const char *rule, const char *detail)
{
    while (!list_is_empty(&shot->askers))
        asker_refuse(list_entry(shot->askers.next, struct asker, link), status, rule, detail);
}

static void on_painted(struct painting *painting)
{
    struct shot *shot = list_entry(painting, struct shot, painting);
    int64_t key_us = shot->painted->dts_us;

    if (painting->jpeg) {
        buf_unref(shot->jpeg);
        shot->jpeg = painting->jpeg;
        shot->jpeg_us = key_us;
    }
    packet_unref(shot->painted);
    shot->painted = NULL;
    if (shot->is_closed)
        loop_defer(painting->home, &shot->gone); /* the instance may be gone as well */
    else if (painting->jpeg)
        answer_all(shot);
    else
        refuse_all(shot, 503, "picture", "The camera's picture could not be decoded.");
}

/* Pictures are made for those who wait, not for every key frame. */
static void shot_go_on(struct shot *shot)
{
    if (is_fresh(shot)) {
        answer_all(shot);
        return;
    }
    if (shot->painted || !shot->newest || list_is_empty(&shot->askers))
        return;
    shot->painted = packet_ref(shot->newest);
    shot->painting = (struct painting){
        .key = shot->painted, .home = shot->instance->env->loop, .on_done = on_painted};
    if (painter_paint(shot->instance->painter, &shot->painting) == 0)
        return;
    packet_unref(shot->painted);
    shot->painted = NULL;
    refuse_all(shot, 503, "overloaded", "Too many pictures are being made now.");
}

static void on_ready(struct cursor *cursor)
{
    struct shot *shot = list_entry(cursor, struct shot, cursor);
    struct packet *packet;

    while ((packet = cursor_next(cursor)) != NULL) {
        packet_unref(shot->newest);
        shot->newest = packet_ref(packet);
    }
    shot_go_on(shot);
}

static void on_end(struct cursor *cursor)
{
    shot_close(list_entry(cursor, struct shot, cursor));
}

static struct shot *shot_new(struct egress_instance *instance, struct view *view)
{
    struct shot *shot = calloc(1, sizeof(*shot));
    struct feed *feed;

    if (!shot)
        return NULL;
    shot->instance = instance;
    shot->view = view;
    shot->cursor = (struct cursor){.on_ready = on_ready, .on_end = on_end};
    list_init(&shot->askers);
    memcpy(shot->slug, view->slug, sizeof(shot->slug));
    view_hold(view);
    map_insert(&instance->shots, &shot->node, shot->slug);
    feed = view_feed_use(view, PACKET_KEY);
    shot->has_feed = feed != NULL;
    if (feed)
        cursor_attach(&shot->cursor, feed);
    else
        shot_close(shot);
    return feed ? shot : NULL;
}

static struct shot *shot_of(struct asker *asker)
{
    struct map_node *node = map_find(&asker->instance->shots, asker->slug);

    return node ? map_entry(node, struct shot, node)
                : shot_new(asker->instance, asker->admission.view);
}

static void refuse_late(struct shot *shot, int64_t now_us)
{
    list_for_each (link, after, &shot->askers) {
        struct asker *asker = list_entry(link, struct asker, link);

        if (now_us - asker->since_us > WAIT_US)
            asker_refuse(asker, 503, "away", "No picture came from the camera in time.");
    }
}

void snapshot_tick(struct egress_instance *instance, int64_t now_us)
{
    for (struct map_node *node = map_next(&instance->shots, NULL), *next; node; node = next) {
        struct shot *shot = map_entry(node, struct shot, node);

        next = map_next(&instance->shots, node);
        refuse_late(shot, now_us);
        if (list_is_empty(&shot->askers) && now_us - shot->used_us > LINGER_US)
            shot_close(shot);
    }
}

void snapshot_close_all(struct egress_instance *instance)
{
    struct map_node *node;

    while ((node = map_next(&instance->shots, NULL)) != NULL)
        shot_close(map_entry(node, struct shot, node));
}

/* ---- the request --------------------------------------------------------------------------------
 */

static void on_verdict(struct admission *admission, enum verdict verdict)
{
    struct asker *asker = list_entry(admission, struct asker, admission);
    struct shot *shot;

    web_allow_origin(asker->request, admission->origins);
    if (verdict != VERDICT_ALLOW) {
        web_refuse(asker->request, admission, verdict);
        asker_end(asker);
        return;
    }
    if (!admission->view->tracks || tracks_find_video(admission->view->tracks) < 0) {
        asker_refuse(asker, 406, "codec", "The camera sends no picture.");
        return;
    }
    shot = shot_of(asker);
    if (!shot) {
        asker_refuse(asker, 503, "memory", "The server is out of memory.");
        return;
    }
    shot->used_us = asker->since_us = loop_now_us(asker->instance->env->loop);
    list_append(&shot->askers, &asker->link);
    shot_go_on(shot);
}

static void on_revoked(struct admission *admission, const char *reason)
{
    (void)reason;
    asker_refuse(list_entry(admission, struct asker, admission), 401, "revoked",
                 "The token is not valid any more.");
}

static void on_gone(void *owner)
{
    asker_end(owner);
}

static struct asker *asker_new(struct egress_instance *instance, struct http_request *request,
                               const char *stream)
{
    struct asker *asker = NULL;

    if (!instance->is_draining && instance->asker_count < ASKERS_MAX)
        asker = calloc(1, sizeof(*asker));
    if (!asker)
        return NULL;
    asker->instance = instance;
    asker->request = request;
    snprintf(asker->slug, sizeof(asker->slug), "%s", stream);
    list_init(&asker->link);
    instance->asker_count++;
    return asker;
}

static void get_snapshot(void *owner, struct http_request *request)
{
    char token[TOKEN_TEXT], stream[SLUG_MAX];
    struct asker *asker;

    if (!web_find_stream(request, stream))
        return;
    asker = asker_new(owner, request, stream);
    if (!asker) {
        http_respond_problem(request, 503, "overloaded", "The server can't do that now.", 5);
        return;
    }
    web_find_token(request, token);
    asker->admission = (struct admission){.egress = &egress_webrtc,
                                          .slug = asker->slug,
                                          .token = token,
                                          .origin = page_origin(request),
                                          .peer = *http_peer(request),
                                          .on_verdict = on_verdict,
                                          .on_revoked = on_revoked};
    asker->instance->env->admit(asker->instance->env, &asker->admission);
    explicit_bzero(token, sizeof(token));
    if (!asker->is_over)
        http_on_gone(request, on_gone, asker);
}

static void answer_preflight(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {
        {"access-control-allow-methods", "GET, HEAD, OPTIONS"},
        {"access-control-allow-headers", "authorization"},
        {"access-control-max-age", "86400"},
        {NULL, NULL},
    };

    (void)owner;
    web_allow_origin(request, "");
    http_respond(request, 204, headers, NULL);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/s/{slug}/snapshot.jpg", get_snapshot, 0},
    {HTTP_OPTIONS, "/s/{slug}/snapshot.jpg", answer_preflight, 0},
    {.pattern = NULL},
};

int snapshot_add(struct egress_instance *instance)
{
    return http_router_add(instance->env->router, routes, instance);
}
