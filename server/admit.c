#include "server/admit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "media/profile.h"
#include "net/log_limit.h"
#include "server/directory.h"
#include "server/grant.h"
#include "server/usage.h"

enum {
    WAIT_US = 10 * 1000000,         /* a request is held so long while its camera starts */
    AGENTS_RETURN_US = 15 * 1000000 /* after our own start agents are still on their way back */
};

static struct worker *worker_of(struct egress_env *env)
{
    return env->owner;
}

static void grant_free(struct loop_task *task)
{
    struct grant *grant = list_entry(task, struct grant, gone);

    free(grant->origins);
    free(grant);
}

/* Gives everything back; the memory goes after the turn. */
static void grant_close(struct grant *grant)
{
    list_remove(&grant->link);
    loop_timer_stop(&grant->wait);
    view_watch_stop(&grant->watch);
    if (grant->view)
        view_release(grant->view);
    grant->view = NULL;
    if (grant->is_counted)
        viewer_count_leave(grant);
    if (grant->is_watching)
        atomic_fetch_sub(&grant->worker->server->viewers[grant->egress_index], 1);
    grant->is_watching = false;
    grant->gone.run = grant_free;
    if (!grant->is_counting)
        loop_defer(grant->worker->loop, &grant->gone);
}

static void refuse(struct admission *admission, enum verdict verdict, const char *rule,
                   const char *detail)
{
    struct grant *grant = admission->grant;
    char from[ADDR_TEXT];

    admission->grant = NULL;
    admission->view = NULL;
    admission->origins = "";
    admission->rule = rule;
    admission->detail = detail;
    if (grant) {
        LOG_STRANGER(&admission->peer, LOG_INFO, "viewer", admission->viewer_id, "refused",
                     KV_S("protocol", admission->egress->name), KV_S("token", grant->token_id),
                     KV_S("rule", rule), KV_S("from", addr_format_host(&admission->peer, from)));
        grant_close(grant);
    }
    admission->on_verdict(admission, verdict);
}

static void allow(struct grant *grant)
{
    struct admission *admission = grant->admission;

    grant->is_watching = true;
    grant->since_us = loop_now_us(grant->worker->loop);
    atomic_fetch_add(&grant->worker->server->viewers[grant->egress_index], 1);
    admission->view = grant->view;
    admission->rule = "allowed";
    admission->detail = "";
    LOG(LOG_INFO, "viewer", admission->viewer_id, "admitted",
        KV_S("protocol", admission->egress->name), KV_S("stream", grant->view->slug),
        KV_S("token", grant->token_id));
    admission->on_verdict(admission, VERDICT_ALLOW);
}

static void refuse_away(struct grant *grant)
{
    struct directory_entry *entry = directory_find(grant->worker, grant->view->slug);

    refuse(grant->admission, VERDICT_AWAY,
           camera_state_name(entry ? entry->state : CAMERA_STARTING),
           entry && *entry->text ? entry->text : "The camera did not start in time.");
}

static void grant_end(struct grant *grant, const char *reason)
{
    struct admission *admission = grant->admission;

    if (!grant->is_watching) {
        refuse(admission, VERDICT_BAD_CREDENTIAL, "revoked", reason);
        return;
    }
    LOG(LOG_INFO, "viewer", admission->viewer_id, "ended", KV_S("reason", reason));
    admission->on_revoked(admission, reason);
    if (admission->grant == grant)
        grant->is_told = true; /* the egress may leave now or later */
}

/* The camera doesn't come: also for who was let in early. */
static void end_wait(struct grant *grant)
{
    loop_timer_stop(&grant->wait);
    if (grant->is_watching)
        grant_end(grant, "The camera did not start in time.");
    else
        refuse_away(grant);
}

static void on_wait_over(struct loop_timer *timer)
{
    end_wait(list_entry(timer, struct grant, wait));
}

static void on_camera_live(struct view_watch *watch)
{
    struct grant *grant = list_entry(watch, struct grant, watch);

    loop_timer_stop(&grant->wait);
    view_watch_stop(&grant->watch);
    if (!grant->is_watching)
        allow(grant);
}

/* No use in waiting: what is wrong does not mend itself within seconds. */
static bool is_hopeless(const struct worker *worker, const struct directory_entry *entry)
{
    int64_t up_us = loop_now_us(worker->loop) - worker->server->started_us;

    if (!entry)
        return false;
    if (entry->state == CAMERA_AGENT_AWAY)
        return up_us > AGENTS_RETURN_US;
    return entry->state == CAMERA_UNAUTHORISED || entry->state == CAMERA_UNSUPPORTED;
}

static void wait_for_camera(struct grant *grant)
{
    struct worker *worker = grant->worker;
    const struct directory_entry *entry = directory_find(worker, grant->view->slug);

    if (grant->view->is_live) {
        allow(grant);
        return;
    }
    if (is_hopeless(worker, entry)) {
        refuse_away(grant);
        return;
    }
    grant->watch.on_live = on_camera_live;
    view_watch_start(grant->view, &grant->watch);
    loop_timer_start(&grant->wait, WAIT_US);
    if (grant->admission->may_be_early && grant->view->tracks && entry && entry->was_live)
        allow(grant);
    else if (grant->admission->on_wait)
        grant->admission->on_wait(grant->admission);
}

static void on_counted(struct grant *grant, bool is_allowed)
{
    grant->is_counting = false;
    grant->is_counted = is_allowed;
    if (!grant->admission) { /* left meanwhile */
        if (is_allowed)
            viewer_count_leave(grant);
        loop_defer(grant->worker->loop, &grant->gone);
        return;
    }
    if (is_allowed)
        wait_for_camera(grant);
    else
        refuse(grant->admission, VERDICT_TOO_MANY, "viewers",
               "As many viewers as this token allows are watching already.");
}

static enum verdict verdict_of(enum auth_answer answer)
{
    switch (answer) {
    case AUTH_ALLOW:
        return VERDICT_ALLOW;
    case AUTH_NO_CREDENTIAL:
        return VERDICT_NO_CREDENTIAL;
    case AUTH_UNKNOWN:
    case AUTH_REVOKED:
    case AUTH_EXPIRED:
    case AUTH_NOT_YET:
        return VERDICT_BAD_CREDENTIAL;
    case AUTH_SCOPE:
    case AUTH_PROTOCOL:
    case AUTH_NETWORK:
    case AUTH_ORIGIN:
    case AUTH_ANSWERS:
        return VERDICT_DENIED;
    }
    return VERDICT_DENIED;
}

static int fill_grant(struct grant *grant, const struct store_token *token,
                      const struct store_camera *camera)
{
    grant->origins = strdup(token->origins);
    if (!grant->origins)
        return -ENOMEM;
    grant->admission->origins = grant->origins;
    memcpy(grant->token_id, token->id, sizeof(grant->token_id));
    memcpy(grant->camera_id, camera->id, sizeof(grant->camera_id));
    grant->expires_s = token->expires_s;
    grant->viewers_max = token->viewers_max;
    if (token->has_srt_passphrase)
        auth_passphrase_text(grant->worker->server->auth, token->id, grant->admission->passphrase);
    return 0;
}

/* The camera whose stream is asked for: -ERR_NOT_FOUND if there is none. */
static int find_camera(struct grant *grant, struct store_camera *camera, enum profile *profile)
{
    char slug[SLUG_MAX];
    size_t len;

    *profile = profile_of_stream(grant->admission->slug, &len);
    if (len >= sizeof(slug))
        return -ERR_NOT_FOUND;
    memcpy(slug, grant->admission->slug, len);
    slug[len] = '\0';
    return store_camera_find_by_slug(grant->worker->reader, slug, camera);
}

/* Who asks is checked against the store; what is allowed then goes on to be counted. */
static void check(struct grant *grant)
{
    struct worker *worker = grant->worker;
    struct admission *admission = grant->admission;
    struct store_camera *camera = malloc(sizeof(*camera));
    struct store_token token = {.id = ""};
    struct auth_question question = {.token = admission->token,
                                     .protocol = admission->egress->name,
                                     .peer = &admission->peer,
                                     .origin = admission->origin,
                                     .now_s = clock_wall_us() / 1000000};
    enum auth_answer answer;
    enum profile profile;
    bool is_absent;
    int err = 0;

    if (!camera) {
        refuse(admission, VERDICT_OVERLOADED, "memory", "The server is out of memory.");
        return;
    }
    if (find_camera(grant, camera, &profile) == 0)
        question.camera = camera;
    answer = auth_ask(worker->server->auth, worker->reader, &question, &token);
    if (answer == AUTH_ALLOW)
        err = fill_grant(grant, &token, camera);
    is_absent = profile == PROFILE_SUB && !camera->sealed_sub.len;
    free(camera);
    if (err < 0) {
        refuse(admission, VERDICT_OVERLOADED, "memory", "The server is out of memory.");
        return;
    }
    if (answer != AUTH_ALLOW) {
        refuse(admission, verdict_of(answer), auth_answer_rule(answer), auth_answer_text(answer));
        return;
    }
    if (is_absent) {
        refuse(admission, VERDICT_ABSENT, "profile", "This camera has no sub stream.");
        return;
    }
    grant->view = hub_find(worker->hub, admission->slug);
    if (!grant->view) {
        refuse(admission, VERDICT_AWAY, "starting", "The camera was added just now.");
        return;
    }
    view_hold(grant->view);
    if (!grant->viewers_max) {
        wait_for_camera(grant);
        return;
    }
    grant->is_counting = true;
    if (viewer_count_ask(grant, on_counted) < 0) {
        grant->is_counting = false;
        refuse(admission, VERDICT_OVERLOADED, "memory", "The server is out of memory.");
    }
}

void admit(struct egress_env *env, struct admission *admission)
{
    struct worker *worker = worker_of(env);
    struct grant *grant = worker->is_draining ? NULL : calloc(1, sizeof(*grant));

    admission->env = env;
    admission->grant = grant;
    admission->origins = "";
    snprintf(admission->viewer_id, sizeof(admission->viewer_id), "%016llx",
             (unsigned long long)random_u64());
    if (!grant) {
        refuse(admission, VERDICT_OVERLOADED, "overloaded",
               worker->is_draining ? "The server is shutting down."
                                   : "The server is out of memory.");
        return;
    }
    grant->worker = worker;
    grant->admission = admission;
    while (egress_all[grant->egress_index] != admission->egress)
        grant->egress_index++;
    loop_timer_init(&grant->wait, worker->loop, on_wait_over);
    list_append(&worker->grants, &grant->link);
    check(grant);
}

void admit_leave(struct egress_env *env, struct admission *admission)
{
    struct grant *grant = admission->grant;

    (void)env;
    if (!grant)
        return;
    if (grant->is_watching) {
        usage_add(grant);
        LOG(LOG_INFO, "viewer", admission->viewer_id, "left",
            KV_S("protocol", admission->egress->name), KV_I("bytes", admission->out_bytes));
    }
    admission->grant = NULL;
    admission->view = NULL;
    grant->admission = NULL;
    grant_close(grant);
}

struct view *admit_view(struct egress_env *env, const char *slug)
{
    return hub_find(worker_of(env)->hub, slug);
}

bool admit_token_by_id(struct egress_env *env, const char *id, char *out)
{
    struct worker *worker = worker_of(env);
    struct store_token token;

    if (store_token_find(worker->reader, id, &token) < 0)
        return false;
    auth_token_text(worker->server->auth, id, out);
    return true;
}

static bool is_of(const struct grant *grant, const char *token_id, const char *slug)
{
    if (token_id && strcmp(grant->token_id, token_id) != 0)
        return false;
    return !slug || (grant->view && strcmp(grant->view->slug, slug) == 0);
}

/* The first that fits, for walks whose callbacks may remove any of the list. */
static struct grant *grant_first(struct worker *worker, bool (*fits)(struct grant *, const void *),
                                 const void *arg)
{
    list_for_each (link, after, &worker->grants) {
        struct grant *grant = list_entry(link, struct grant, link);

        if (grant->admission && fits(grant, arg))
            return grant;
    }
    return NULL;
}

struct revocation {
    const char *token_id, *slug;
};

static bool fits_revocation(struct grant *grant, const void *arg)
{
    const struct revocation *revocation = arg;

    return !grant->is_told && is_of(grant, revocation->token_id, revocation->slug);
}

void admit_revoke(struct worker *worker, const char *token_id, const char *slug, const char *reason)
{
    struct revocation revocation = {token_id, slug};
    struct grant *grant;

    while ((grant = grant_first(worker, fits_revocation, &revocation)))
        grant_end(grant, reason);
}

static bool fits_waiting(struct grant *grant, const void *slug)
{
    return loop_timer_is_active(&grant->wait) && is_of(grant, NULL, slug);
}

void admit_camera_failed(struct worker *worker, const char *slug)
{
    struct grant *grant;

    if (!is_hopeless(worker, directory_find(worker, slug)))
        return;
    while ((grant = grant_first(worker, fits_waiting, slug)))
        end_wait(grant);
}

static bool fits_expired(struct grant *grant, const void *now_s)
{
    return !grant->is_told && grant->expires_s && grant->expires_s <= *(const int64_t *)now_s;
}

void admit_tick(struct worker *worker)
{
    int64_t now_s = clock_wall_us() / 1000000;
    struct grant *grant;

    while ((grant = grant_first(worker, fits_expired, &now_s)))
        grant_end(grant, "The token has expired.");
}
