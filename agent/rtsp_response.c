/* What a camera's answers lead to. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/rtsp_client_private.h"
#include "rtsp/transport.h"

enum { AUTH_TRIES_MAX = 3, REDIRECTS_MAX = 2 };

/* The strongest of the challenges that we can answer. */
static bool take_challenge(struct rtsp_client *client, const struct rtsp_message *response)
{
    struct digest_challenge challenge, best = {.scheme = AUTH_SCHEME_NONE};
    const char *value = rtsp_header(response, "WWW-Authenticate");

    for (; value; value = rtsp_header_next(response, "WWW-Authenticate", value))
        if (digest_challenge_parse(&challenge, value) == 0 && challenge.scheme > best.scheme)
            best = challenge;
    if (best.scheme == AUTH_SCHEME_NONE)
        return false;
    client->challenge = best;
    client->nonce_count = 0;
    return true;
}

/* A second refusal is final, unless the nonce alone was too old. Not every camera says so: one
 * that took an answer before is believed to have changed its nonce. */
static bool may_try_again(struct rtsp_client *client, const struct rtsp_message *response)
{
    bool is_first = client->challenge.scheme == AUTH_SCHEME_NONE, was_good = client->is_accepted;

    if (!client->url.user[0] || !take_challenge(client, response))
        return false;
    client->is_accepted = false;
    return ++client->auth_tries < AUTH_TRIES_MAX &&
           (is_first || was_good || client->challenge.is_stale);
}

static void on_unauthorised(struct rtsp_client *client, const struct rtsp_message *response)
{
    if (may_try_again(client, response))
        client_send_step(client);
    else if (client->step == STEP_PLAYING)
        return; /* a sign of life was not liked: the media says whether the session lives */
    else if (!client->url.user[0])
        client_fail(client, RTSP_UNAUTHORISED, "The camera at %s:%u wants a user and a password.",
                    client->url.host, client->url.port);
    else
        client_fail(client, RTSP_UNAUTHORISED,
                    "The camera at %s:%u refused the user name or the password.", client->url.host,
                    client->url.port);
}

static void on_redirect(struct rtsp_client *client, const struct rtsp_message *response)
{
    const char *location = rtsp_header(response, "Location");
    struct rtsp_url url;

    if (!location || rtsp_url_parse(&url, location) < 0 || ++client->redirects > REDIRECTS_MAX) {
        client_fail(client, RTSP_REFUSED, "The camera at %s:%u sends the agent round in circles.",
                    client->url.host, client->url.port);
        return;
    }
    memcpy(url.user, client->url.user, sizeof(url.user));
    memcpy(url.password, client->url.password, sizeof(url.password));
    client->url = url;
    client->challenge.scheme = AUTH_SCHEME_NONE;
    client->is_accepted = false;
    client->keepalive_method = "OPTIONS";
    conn_close(client->conn);
    client->conn = NULL;
    if (client_connect(client) < 0)
        client_fail(client, RTSP_UNREACHABLE, "The agent can't connect to %s:%u.", client->url.host,
                    client->url.port);
}

static void next_step(struct rtsp_client *client, enum client_step step)
{
    client->auth_tries = 0;
    client_set_step(client, step);
    if (client->step == step)
        client_send_step(client);
}

/* Content-Base, else Content-Location, else what was asked. What they say of the host is not
 * believed (rtsp/control.h). */
static void take_base(struct rtsp_client *client, const struct rtsp_message *response)
{
    const char *value = rtsp_header(response, "Content-Base");

    if (!value)
        value = rtsp_header(response, "Content-Location");
    snprintf(client->base, sizeof(client->base), "%s", value ? value : client->request_url);
}

/* How to say that we are still there: the first of these that the camera says it has. */
static void choose_keepalive(struct rtsp_client *client, const char *methods)
{
    static const char *const names[] = {"GET_PARAMETER", "SET_PARAMETER"};

    for (unsigned i = 0; i < 2; i++)
        if (strcasestr(methods, names[i])) {
            client->keepalive_method = names[i];
            return;
        }
}

static void on_options(struct rtsp_client *client, const struct rtsp_message *response)
{
    const char *methods = rtsp_header(response, "Public");

    choose_keepalive(client, methods ? methods : "");
    next_step(client, STEP_DESCRIBE);
}

static void on_describe(struct rtsp_client *client, const struct rtsp_message *response)
{
    take_base(client, response);
    if (sdp_parse(&client->sdp, response->body, response->body_len) < 0) {
        client_fail(client, RTSP_BROKEN, "The camera at %s:%u describes no media.",
                    client->url.host, client->url.port);
        return;
    }
    if (client_choose_tracks(client))
        next_step(client, STEP_SETUP);
}

static void take_session(struct rtsp_client *client, const struct rtsp_message *response)
{
    const char *value = rtsp_header(response, "Session"), *timeout;
    size_t len = value ? strcspn(value, "; ") : 0;
    unsigned seconds;

    if (!len || len >= sizeof(client->session))
        return;
    memcpy(client->session, value, len);
    client->session[len] = '\0';
    timeout = strcasestr(value, "timeout=");
    if (timeout && sscanf(timeout + 8, "%5u", &seconds) == 1 && seconds >= 5 && seconds < 3600)
        client->timeout_s = seconds;
}

static bool is_channel_taken(const struct rtsp_client *client, uint8_t channel)
{
    for (unsigned i = 0; i < client->setup_index; i++)
        if (client->tracks[i].channel == channel)
            return true;
    return false;
}

/* Cameras answer with other channels than asked, and some with none: theirs count. But one that
 * says the same for all of its tracks means what was asked. */
static void take_transport(struct rtsp_client *client, const struct rtsp_message *response)
{
    struct client_track *track = &client->tracks[client->setup_index];
    struct rtsp_transport transports[RTSP_TRANSPORTS_MAX];
    const char *value = rtsp_header(response, "Transport");
    int count = value ? rtsp_transport_parse(transports, value) : 0;

    if (count < 1)
        return;
    if (transports[0].has_channels && !is_channel_taken(client, transports[0].channel))
        track->channel = transports[0].channel;
    if (track->udp && transports[0].has_server_port)
        camera_udp_connect(track->udp, transports[0].server_rtp, transports[0].server_rtcp);
}

static void on_setup(struct rtsp_client *client, const struct rtsp_message *response)
{
    take_session(client, response);
    take_transport(client, response);
    client->setup_index++;
    next_step(client, client->setup_index < client->track_count ? STEP_SETUP : STEP_PLAY);
}

/* TCP first; a camera that does not know it is asked for UDP. */
static bool try_other_transport(struct rtsp_client *client)
{
    if (client->step != STEP_SETUP || client->is_udp_tried || client->setup_index > 0)
        return false;
    client->is_udp = true;
    client->is_udp_tried = true;
    client_send_step(client);
    return true;
}

static void on_refused(struct rtsp_client *client, const struct rtsp_message *response)
{
    if (client->step == STEP_OPTIONS) { /* some know nothing of it: never mind */
        next_step(client, STEP_DESCRIBE);
        return;
    }
    if (client->step == STEP_PLAYING) {
        client->keepalive_method = "OPTIONS"; /* what it does not know is not asked twice */
        return;
    }
    if (try_other_transport(client))
        return;
    if (response->status == 404)
        client_fail(client, RTSP_REFUSED, "The camera at %s:%u has no stream %.64s.",
                    client->url.host, client->url.port, client->url.path);
    else
        client_fail(client, RTSP_REFUSED, "The camera at %s:%u answered %u %.48s to %s.",
                    client->url.host, client->url.port, response->status, response->reason,
                    client->answered);
}

static void on_ok(struct rtsp_client *client, const struct rtsp_message *response)
{
    client->is_accepted = client->challenge.scheme != AUTH_SCHEME_NONE;
    switch (client->step) {
    case STEP_OPTIONS:
        on_options(client, response);
        return;
    case STEP_DESCRIBE:
        on_describe(client, response);
        return;
    case STEP_SETUP:
        on_setup(client, response);
        return;
    case STEP_PLAY:
        client_set_step(client, STEP_PLAYING);
        return;
    case STEP_PLAYING:
        client->auth_tries = 0;
        return;
    case STEP_CONNECT:
    case STEP_CLOSED:
        return;
    }
}

/* Elsewhere only before anything is set up: what is would be left behind. */
static bool may_go_elsewhere(const struct rtsp_client *client, const struct rtsp_message *response)
{
    return response->status / 100 == 3 &&
           (client->step == STEP_OPTIONS || client->step == STEP_DESCRIBE);
}

/* Answers come in order, whatever their CSeq says: some cameras count wrong. One that nothing
 * was asked for is passed over. */
void client_on_response(struct rtsp_client *client, const struct rtsp_message *response)
{
    unsigned status = response->status;

    if (!client->method || status < 200)
        return;
    client->answered = client->method;
    client->method = NULL;
    if (status == 401 || (status == 403 && client->step != STEP_PLAYING))
        on_unauthorised(client, response);
    else if (may_go_elsewhere(client, response))
        on_redirect(client, response);
    else if (status / 100 == 2)
        on_ok(client, response);
    else
        on_refused(client, response);
}
