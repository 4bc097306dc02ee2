#include "agent/camera.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/lane.h"
#include "agent-proto/segmenter.h"
#include "agent-proto/text.h"
#include "agent/lane.h"
#include "agent/uplink.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "media/profile.h"

enum { ID = 32, NAME = 128, SENTENCE = 192, CAMERAS_MAX = 1024, WAIT_US = 60 * 1000000 };

struct camera {
    struct source *source; /* owned; NULL while not wanted */
    struct lane *lane;     /* owned: what frames go to */
    struct lane *next;     /* owned: takes over at a key frame */
    struct tracks *tracks; /* owned reference: the source's newest */
    struct agent *agent;   /* borrowed */
    struct list link;
    struct loop_timer wait; /* without a lane: how long the source stays */
    struct segmenter segmenter;
    uint64_t revision;
    char id[ID], name[NAME];
    char url[ALLOW_URL_MAX]; /* a secret; "" when there is none to use */
    char text[SENTENCE];
    Culvert__CameraState__State state;
    bool is_listed; /* in the list that is being taken */
};

static struct camera *camera_of(struct list *link)
{
    return list_entry(link, struct camera, link);
}

static struct camera *find(struct agent *agent, const char *id)
{
    list_for_each (link, after, &agent->cameras)
        if (strcmp(camera_of(link)->id, id) == 0)
            return camera_of(link);
    return NULL;
}

static void tell_state(struct camera *camera)
{
    uplink_send_state(camera->agent,
                      &(struct camera_words){camera->id, camera->state, camera->text});
}

static void set_state(struct camera *camera, Culvert__CameraState__State state, const char *text)
{
    camera->state = state;
    (void)snprintf(camera->text, sizeof(camera->text), "%s", text);
    camera->agent->is_status_due = true;
    tell_state(camera);
}

/* ---- from the source ---- */

static void on_tracks(void *owner, struct tracks *tracks)
{
    struct camera *camera = owner;
    struct tracks *old = camera->tracks;

    camera->tracks = tracks_ref(tracks);
    tracks_unref(old);
    segmenter_break(&camera->segmenter);
    if (camera->lane)
        lane_set_tracks(camera->lane, tracks);
    if (camera->next)
        lane_set_tracks(camera->next, tracks);
}

/* The new lane takes over where decoding can start. */
static void switch_lanes(struct camera *camera, const struct frame *frame)
{
    bool has_video = tracks_find_video(camera->tracks) >= 0;
    bool is_start =
        frame->is_key && (!has_video || codec_is_video(camera->tracks->track[frame->track].codec));

    if (!camera->next || !lane_is_accepted(camera->next) || !is_start)
        return;
    lane_close(camera->lane);
    camera->lane = camera->next;
    camera->next = NULL;
}

static void on_frame(void *owner, struct frame *frame)
{
    struct camera *camera = owner;

    if (!camera->tracks || frame->track >= camera->tracks->count)
        return;
    frame->segment = segmenter_frame(&camera->segmenter, camera->tracks, frame);
    if (frame->segment != SEGMENT_NONE)
        state_keep_segment(camera->agent->state, camera->id, camera->segmenter.next);
    switch_lanes(camera, frame);
    if (camera->lane)
        lane_push(camera->lane, frame);
}

static void on_state(void *owner, enum source_state state, const char *text)
{
    static const Culvert__CameraState__State states[] = {
        [SOURCE_CONNECTING] = CULVERT__CAMERA_STATE__STATE__CONNECTING,
        [SOURCE_LIVE] = CULVERT__CAMERA_STATE__STATE__LIVE,
        [SOURCE_UNREACHABLE] = CULVERT__CAMERA_STATE__STATE__UNREACHABLE,
        [SOURCE_UNAUTHORISED] = CULVERT__CAMERA_STATE__STATE__UNAUTHORISED,
        [SOURCE_UNSUPPORTED] = CULVERT__CAMERA_STATE__STATE__UNSUPPORTED,
        [SOURCE_STALLED] = CULVERT__CAMERA_STATE__STATE__STALLED,
    };
    struct camera *camera = owner;

    set_state(camera, states[state], text);
}

static const struct source_handler source_handler = {
    .on_tracks = on_tracks,
    .on_frame = on_frame,
    .on_state = on_state,
};

/* ---- the pull ---- */

static void close_source(struct camera *camera)
{
    source_close(camera->source);
    camera->source = NULL;
    tracks_unref(camera->tracks);
    camera->tracks = NULL;
    loop_timer_stop(&camera->wait);
}

static void stop(struct camera *camera)
{
    lane_close(camera->lane);
    lane_close(camera->next);
    camera->lane = NULL;
    camera->next = NULL;
    if (camera->source)
        LOG(LOG_INFO, "camera", camera->id, "stopped");
    close_source(camera);
    camera->state = CULVERT__CAMERA_STATE__STATE__IDLE;
    camera->text[0] = '\0';
    camera->agent->is_status_due = true;
}

static void on_waited(struct loop_timer *timer)
{
    stop(list_entry(timer, struct camera, wait));
}

static int open_source(struct camera *camera)
{
    struct agent *agent = camera->agent;
    const char *fault = camera->url[0] ? allow_url_fault(&agent->allow, camera->url)
                                       : "the camera's URL is not sealed to this agent: set it "
                                         "again in the dashboard";
    struct source_config config = {
        .loop = agent->loop, .name = camera->id, .url = camera->url, .allow = &agent->allow};
    int err;

    if (fault) {
        LOG(LOG_WARN, "camera", camera->id, "url-refused", KV_S("reason", fault));
        set_state(camera, CULVERT__CAMERA_STATE__STATE__UNREACHABLE, fault);
        return -ERR_DENIED;
    }
    segmenter_init(&camera->segmenter,
                   state_first_segment(agent->state, camera->id, clock_wall_us()));
    LOG(LOG_INFO, "camera", camera->id, "started");
    err = source_open(&camera->source, &config, &source_handler, camera);
    if (err < 0)
        set_state(camera, CULVERT__CAMERA_STATE__STATE__UNREACHABLE, err_text(err));
    return err;
}

static void on_accepted(void *owner, struct lane *lane)
{
    struct camera *camera = owner;

    (void)lane;
    loop_timer_stop(&camera->wait);
    LOG(LOG_INFO, "camera", camera->id, "lane-open");
}

static void on_lost(void *owner, struct lane *lane, int err, const char *text)
{
    struct camera *camera = owner;

    LOG(LOG_WARN, "camera", camera->id, "lane-lost", KV_ERR(err),
        KV_S("reason", text ? text : err_text(err)));
    if (lane == camera->next)
        camera->next = NULL;
    if (lane != camera->lane)
        return;
    camera->lane = camera->next;
    camera->next = NULL;
    if (!camera->lane && camera->source)
        loop_timer_start(&camera->wait, WAIT_US); /* for the next Start */
}

static const struct lane_events lane_events = {.on_accepted = on_accepted, .on_lost = on_lost};

static int new_lane(struct camera *camera, const Culvert__Start *start, struct lane **out)
{
    struct agent *agent = camera->agent;
    char host[256];
    uint16_t port = agent->port;
    struct lane_open how;

    (void)snprintf(host, sizeof(host), "%s", agent->host);
    if (start->address[0] && agent_parse_address(start->address, host, sizeof(host), &port) < 0)
        return -ERR_PROTOCOL;
    how = (struct lane_open){
        .target = {.loop = agent->loop,
                   .ways = &agent->ways,
                   .host = host,
                   .port = port,
                   .device = agent_device(agent)},
        .camera_id = camera->id,
        .agent_id = agent->identity.agent_id,
        .ticket = start->ticket.data,
        .budget_us = option_int(agent->options, "latency-budget"),
    };
    return lane_open(out, &how, &lane_events, camera);
}

void cameras_start(struct agent *agent, const Culvert__Start *start)
{
    struct camera *camera = find(agent, start->camera_id);
    struct lane *lane = NULL;
    int err;

    if (!camera || start->ticket.len != LANE_TICKET) {
        LOG(LOG_WARN, "agent", NULL, "start-ignored", KV_S("reason", "no such camera"));
        return;
    }
    if (!camera->source && open_source(camera) < 0)
        return;
    err = new_lane(camera, start, &lane);
    if (err < 0) {
        LOG(LOG_WARN, "camera", camera->id, "no-lane", KV_ERR(err));
        return;
    }
    lane_close(camera->next);
    camera->next = NULL;
    if (camera->tracks)
        lane_set_tracks(lane, camera->tracks);
    if (camera->lane && lane_is_accepted(camera->lane)) {
        camera->next = lane;
        return;
    }
    lane_close(camera->lane);
    camera->lane = lane;
}

void cameras_stop(struct agent *agent, const char *camera_id)
{
    struct camera *camera = find(agent, camera_id);

    if (camera)
        stop(camera);
}

/* ---- the list ---- */

static void free_camera(struct camera *camera)
{
    stop(camera);
    list_remove(&camera->link);
    secret_wipe(camera->url, sizeof(camera->url));
    free(camera);
}

void cameras_close(struct agent *agent)
{
    list_for_each (link, after, &agent->cameras)
        free_camera(camera_of(link));
}

/* The URL in clear, which never leaves this process. */
static void open_url(struct camera *camera, struct hpke_bytes sealed)
{
    const struct hpke_context context = hpke_camera_url(camera->agent->identity.agent_id);
    int err;

    secret_wipe(camera->url, sizeof(camera->url));
    if (sealed.len <= HPKE_OVERHEAD || sealed.len - HPKE_OVERHEAD >= sizeof(camera->url))
        return;
    err = hpke_open(&context, camera->agent->identity.seal_key, sealed, (uint8_t *)camera->url);
    if (err < 0)
        LOG(LOG_WARN, "camera", camera->id, "url-not-ours", KV_ERR(err));
    if (err < 0 || strlen(camera->url) != sealed.len - HPKE_OVERHEAD)
        secret_wipe(camera->url, sizeof(camera->url));
}

static struct camera *add(struct agent *agent, const char *id)
{
    struct camera *camera = calloc(1, sizeof(*camera));

    if (!camera)
        return NULL;
    camera->agent = agent;
    (void)snprintf(camera->id, sizeof(camera->id), "%s", id);
    loop_timer_init(&camera->wait, agent->loop, on_waited);
    list_append(&agent->cameras, &camera->link);
    return camera;
}

static void take_source(struct agent *agent, const Culvert__Camera *row, enum profile profile)
{
    const ProtobufCBinaryData *sealed = profile == PROFILE_SUB ? &row->sealed_sub : &row->sealed;
    struct camera *camera;
    char id[ID];

    if (!row->id[0] || profile_source(id, sizeof(id), row->id, profile) < 0)
        return;
    camera = find(agent, id);
    if (!camera)
        camera = add(agent, id);
    if (!camera)
        return;
    camera->is_listed = true;
    text_clean(camera->name, sizeof(camera->name), row->name);
    if (camera->revision == row->revision && camera->url[0])
        return;
    camera->revision = row->revision;
    open_url(camera, (struct hpke_bytes){sealed->data, sealed->len});
    if (!camera->source)
        return;
    /* Its URL may have changed while it is being pulled: again from the start, same lane. */
    close_source(camera);
    (void)!open_source(camera); /* the state says why not */
}

void cameras_take(struct agent *agent, Culvert__Camera *const *rows, size_t count)
{
    list_for_each (link, after, &agent->cameras)
        camera_of(link)->is_listed = false;
    for (size_t i = 0; i < count && i < CAMERAS_MAX; i++) {
        take_source(agent, rows[i], PROFILE_MAIN);
        if (rows[i]->sealed_sub.len)
            take_source(agent, rows[i], PROFILE_SUB);
    }
    list_for_each (link, after, &agent->cameras)
        if (!camera_of(link)->is_listed)
            free_camera(camera_of(link));
    agent->is_status_due = true;
}

void cameras_tell_states(struct agent *agent)
{
    list_for_each (link, after, &agent->cameras)
        if (camera_of(link)->source)
            tell_state(camera_of(link));
}

static const char *state_word(Culvert__CameraState__State state)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&culvert__camera_state__state__descriptor, (int)state);

    return value ? value->name : "?";
}

void cameras_report(const struct agent *agent,
                    void (*each)(void *owner, const struct camera_report *report), void *owner)
{
    list_for_each (link, after, &agent->cameras) {
        const struct camera *camera = camera_of(link);
        struct lane_numbers numbers =
            camera->lane ? lane_numbers(camera->lane) : (struct lane_numbers){.frames = 0};
        struct camera_report report = {.id = camera->id,
                                       .name = camera->name,
                                       .state = state_word(camera->state),
                                       .text = camera->text,
                                       .frames = numbers.frames,
                                       .bytes = numbers.bytes,
                                       .dropped = numbers.dropped,
                                       .queue_ms = numbers.queue_ms,
                                       .is_wanted = camera->source != NULL};

        each(owner, &report);
    }
}
