/* One camera's lane: frames from an agent into a stream on this loop. */
#include "agent-proto/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/message.h"
#include "agent-proto/tracks.h"
#include "base/log.h"
#include "media/stream.h"
#include "server/tunnel/internal.h"

enum { HELLO_US = 10 * 1000000, LANES_PER_CAMERA = 2, FLUSH_US = 1000000 };
enum { TRACKS_EACH_US = 1000000, TRACKS_BURST_US = 30 * 1000000, STORE_EACH_US = 10 * 1000000 };

struct lane {
    struct conn *conn;     /* NULL once closed */
    struct stream *stream; /* owned; NULL before it is let in */
    struct lane_reader reader;
    struct tunnel *tunnel; /* borrowed */
    struct list link;
    struct loop_task gone;
    char camera_id[STORE_ID], agent_id[STORE_ID], slug[SLUG_MAX];
    int64_t tracks_allowance_us; /* the time by which the tracks so far were due */
    int64_t stored_us;           /* when tracks were last written down */
    uint64_t dropped;            /* at the agent, as it says */
};

struct lane *lane_of(struct list *link)
{
    return list_entry(link, struct lane, link);
}

static void free_lane(struct loop_task *task)
{
    free(list_entry(task, struct lane, gone));
}

/* The connection is closed, or closing by itself. */
static void end(struct lane *lane)
{
    struct tunnel *tunnel = lane->tunnel;

    lane->conn = NULL;
    list_remove(&lane->link);
    if (lane->stream) {
        stream_close(lane->stream);
        lane->stream = NULL;
        if (!tunnel->is_closing)
            relay_lane_gone(tunnel->env.relay, lane->camera_id);
        tunnel->counters.lanes--;
    } else {
        tunnel->unproved--;
    }
    lane_reader_fini(&lane->reader);
    lane->gone.run = free_lane;
    loop_defer(tunnel->env.loop, &lane->gone);
}

void lane_close(struct lane *lane)
{
    conn_close(lane->conn);
    end(lane);
}

static int answer(struct lane *lane, const Culvert__LaneAnswer *message)
{
    struct writer writer;
    int err;

    writer_init(&writer, MESSAGE_MAX_HELLO + MESSAGE_LENGTH);
    err = message_pack(&writer, &message->base, MESSAGE_MAX_HELLO);
    if (err == 0)
        err = conn_write_copy(lane->conn, writer.bytes, writer.len);
    writer_fini(&writer);
    return err;
}

/* Tells the agent why; the reader then ends the lane with err. */
static int refuse(struct lane *lane, Culvert__Refused__Code code, const char *text)
{
    Culvert__LaneAnswer message;
    Culvert__Refused refused;
    char words[128];

    culvert__lane_answer__init(&message);
    culvert__refused__init(&refused);
    (void)!snprintf(words, sizeof(words), "%s", text);
    refused.code = code;
    refused.text = words;
    message.body_case = CULVERT__LANE_ANSWER__BODY_REFUSED;
    message.refused = &refused;
    lane->tunnel->counters.refused++;
    lane->reader.reason = text;
    (void)!answer(lane, &message); /* it closes either way */
    return -ERR_DENIED;
}

static int accept_lane(struct lane *lane, int version)
{
    Culvert__LaneAnswer message;
    Culvert__LaneAccepted accepted;

    culvert__lane_answer__init(&message);
    culvert__lane_accepted__init(&accepted);
    accepted.version = (uint32_t)version;
    message.body_case = CULVERT__LANE_ANSWER__BODY_ACCEPTED;
    message.accepted = &accepted;
    return answer(lane, &message);
}

static bool agent_is_good(struct lane *lane)
{
    struct store_agent agent;

    return store_agent_find(lane->tunnel->env.reader, lane->agent_id, &agent) == 0 &&
           agent.revoked_s == 0;
}

/* A new lane takes over from an old one; there is never a third (hostile.md A1). */
static void close_surplus(struct lane *lane)
{
    unsigned count = 0;

    for (struct list *link = lane->tunnel->lanes.prev; link != &lane->tunnel->lanes;) {
        struct lane *other = lane_of(link);

        link = link->prev;
        if (!other->stream || strcmp(other->camera_id, lane->camera_id) != 0)
            continue;
        if (++count >= LANES_PER_CAMERA)
            lane_close(other);
    }
}

/* What the camera's record says of it, if this lane may bring it. */
static int find_camera(struct lane *lane, const Culvert__LaneHello *hello)
{
    struct store_camera *camera = malloc(sizeof(*camera));
    int err;

    if (!camera)
        return refuse(lane, CULVERT__REFUSED__CODE__BUSY, "the server is out of memory");
    err = store_camera_find(lane->tunnel->env.reader, hello->camera_id, camera);
    if (err == 0) {
        memcpy(lane->camera_id, camera->id, sizeof(lane->camera_id));
        memcpy(lane->agent_id, camera->agent_id, sizeof(lane->agent_id));
        memcpy(lane->slug, camera->slug, sizeof(lane->slug));
    }
    free(camera);
    if (err < 0 || strcmp(hello->agent_id, lane->agent_id) != 0 || !agent_is_good(lane))
        return refuse(lane, CULVERT__REFUSED__CODE__TICKET, "no such camera of this agent");
    return 0;
}

static int on_hello(void *owner, const Culvert__LaneHello *hello)
{
    struct lane *lane = owner;
    const struct tunnel_env *env = &lane->tunnel->env;
    int version = versions_choose(hello->versions), err;

    if (version < 0)
        return refuse(lane, CULVERT__REFUSED__CODE__VERSION,
                      "no version in common: update the older of agent and server");
    if (hello->ticket.len != LANE_TICKET ||
        relay_check_ticket(env->relay, hello->camera_id, hello->ticket.data) < 0)
        return refuse(lane, CULVERT__REFUSED__CODE__TICKET, "the ticket is not good any more");
    err = find_camera(lane, hello);
    if (err < 0)
        return err;
    close_surplus(lane);
    if (stream_open(&lane->stream, env->hub, lane->slug) < 0)
        return refuse(lane, CULVERT__REFUSED__CODE__BUSY, "the server is out of memory");
    lane->tunnel->unproved--;
    lane->tunnel->counters.lanes++;
    relay_lane_here(env->relay, lane->camera_id);
    LOG(LOG_INFO, "camera", lane->camera_id, "lane-open", KV_S("slug", lane->slug));
    return accept_lane(lane, version);
}

/* Tracks cost every loop a message: an agent has some to spend, and gets more by the second. */
static bool are_tracks_too_many(struct lane *lane, int64_t now_us)
{
    if (lane->tracks_allowance_us < now_us)
        lane->tracks_allowance_us = now_us;
    lane->tracks_allowance_us += TRACKS_EACH_US;
    return lane->tracks_allowance_us - now_us > TRACKS_BURST_US;
}

static void store_tracks(struct lane *lane, const struct tracks *tracks)
{
    struct writer packed;

    writer_init(&packed, TRACKS_PACKED_MAX);
    if (tracks_pack(&packed, tracks) == 0)
        store_camera_set_tracks(lane->tunnel->env.store, lane->camera_id, packed.bytes, packed.len);
    writer_fini(&packed);
}

static int on_tracks(void *owner, struct tracks *tracks)
{
    struct lane *lane = owner;
    int64_t now_us = loop_now_us(lane->tunnel->env.loop);

    if (are_tracks_too_many(lane, now_us)) {
        lane->reader.reason = "tracks that change too often";
        return -ERR_TOO_MANY;
    }
    stream_set_tracks(lane->stream, tracks);
    if (!lane->stored_us || now_us - lane->stored_us >= STORE_EACH_US) {
        store_tracks(lane, tracks);
        lane->stored_us = now_us;
    }
    return 0;
}

static int on_frame(void *owner, struct frame *frame)
{
    struct lane *lane = owner;

    stream_push(lane->stream, frame);
    return 0;
}

static void on_drops(void *owner, const Culvert__LaneDrops *drops)
{
    struct lane *lane = owner;

    if (drops->frames > lane->dropped)
        LOG(LOG_INFO, "camera", lane->camera_id, "uplink-dropped",
            KV_I("frames", drops->frames - lane->dropped), KV_I("queue_ms", drops->queue_ms));
    lane->dropped = drops->frames;
}

static void on_end(void *owner)
{
    (void)owner; /* the connection's end follows */
}

static const struct lane_handler reader_handler = {
    .on_hello = on_hello,
    .on_tracks = on_tracks,
    .on_frame = on_frame,
    .on_drops = on_drops,
    .on_end = on_end,
};

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct lane *lane = owner;
    size_t preface = lane->reader.has_hello ? 0 : PROTO_PREFACE; /* it comes with the hello */
    ssize_t used = 0;

    if (len > preface)
        used = lane_reader_input(&lane->reader, bytes + preface, len - preface);
    if (used < 0 || lane->reader.is_ended) {
        if (used < 0)
            LOG(LOG_WARN, "camera", lane->camera_id, "lane-refused", KV_ERR((int)used),
                KV_S("reason", lane->reader.reason ? lane->reader.reason : ""));
        conn_close_flushed(conn, FLUSH_US);
        end(lane);
        return (ssize_t)len;
    }
    if (lane->reader.has_hello) {
        lane->tunnel->counters.lane_bytes += (uint64_t)used;
        conn_set_deadline(conn, LANE_SILENCE_US);
    }
    return used > 0 ? used + (ssize_t)preface : 0;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct lane *lane = owner;

    (void)conn;
    LOG(LOG_INFO, "camera", lane->camera_id, "lane-closed", KV_ERR(err),
        KV_I("frames", lane->reader.frames));
    end(lane);
}

static const struct conn_handler lane_conn_handler = {
    .on_input = on_input,
    .on_closed = on_closed,
};

static const struct conn_limits lane_limits = {
    .input_bytes = MESSAGE_MAX_HELLO + MESSAGE_LENGTH + PROTO_PREFACE,
    .backlog_bytes = 16 * 1024,
    .low_water_bytes = 8 * 1024,
    .handshake_us = HELLO_US,
    .first_byte_us = HELLO_US,
};

void lane_open(struct tunnel *tunnel, struct conn *conn)
{
    struct lane *lane = calloc(1, sizeof(*lane));

    if (!lane) {
        conn_close(conn);
        return;
    }
    lane->conn = conn;
    lane->tunnel = tunnel;
    lane_reader_init(&lane->reader, &reader_handler, lane);
    list_append(&tunnel->lanes, &lane->link);
    tunnel->unproved++;
    conn_set_limits(conn, &lane_limits);
    conn_set_deadline(conn, HELLO_US);
    conn_set_handler(conn, &lane_conn_handler, lane);
}

void lane_review(struct lane *lane)
{
    struct store_camera *camera;
    bool is_good;

    if (!lane->stream)
        return;
    camera = malloc(sizeof(*camera));
    is_good = camera && store_camera_find(lane->tunnel->env.reader, lane->camera_id, camera) == 0 &&
              strcmp(camera->agent_id, lane->agent_id) == 0 &&
              strcmp(camera->slug, lane->slug) == 0 && agent_is_good(lane);
    free(camera);
    if (is_good)
        return;
    LOG(LOG_INFO, "camera", lane->camera_id, "lane-withdrawn");
    lane_close(lane);
}
