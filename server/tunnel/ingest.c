/* One camera's lane: frames from an agent into a stream on this loop. */
#include "agent-proto/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/message.h"
#include "agent-proto/tracks.h"
#include "base/log.h"
#include "media/profile.h"
#include "media/stream.h"
#include "net/log_limit.h"
#include "server/tunnel/internal.h"

enum { HELLO_US = 10 * 1000000, LANES_PER_CAMERA = 2, FLUSH_US = 1000000 };
enum { TRACKS_EACH_US = 1000000, TRACKS_BURST_US = 30 * 1000000, STORE_EACH_US = 10 * 1000000 };

struct ingest {
    struct conn *conn;     /* NULL once closed */
    struct stream *stream; /* owned; NULL before it is let in */
    struct lane_reader reader;
    struct tunnel *tunnel; /* borrowed */
    struct list link;
    struct loop_task gone;
    char source_id[STORE_ID], agent_id[STORE_ID], stream_name[SLUG_MAX];
    int64_t tracks_allowance_us; /* the time by which the tracks so far were due */
    int64_t stored_us;           /* when tracks were last written down */
    uint64_t dropped;            /* at the agent, as it says */
};

struct ingest *ingest_of(struct list *link)
{
    return list_entry(link, struct ingest, link);
}

static void free_ingest(struct loop_task *task)
{
    free(list_entry(task, struct ingest, gone));
}

/* The connection is closed, or closing by itself. */
static void end(struct ingest *ingest)
{
    struct tunnel *tunnel = ingest->tunnel;

    ingest->conn = NULL;
    list_remove(&ingest->link);
    if (ingest->stream) {
        stream_close(ingest->stream);
        ingest->stream = NULL;
        if (!tunnel->is_closing)
            relay_lane_gone(tunnel->env.relay, ingest->source_id);
        tunnel->counters.lanes--;
    } else {
        tunnel->unproved--;
    }
    lane_reader_fini(&ingest->reader);
    ingest->gone.run = free_ingest;
    loop_defer(tunnel->env.loop, &ingest->gone);
}

void ingest_close(struct ingest *ingest)
{
    conn_close(ingest->conn);
    end(ingest);
}

static int answer(struct ingest *ingest, const Culvert__LaneAnswer *message)
{
    struct writer writer;
    int err;

    writer_init(&writer, MESSAGE_MAX_HELLO + MESSAGE_LENGTH);
    err = message_pack(&writer, &message->base, MESSAGE_MAX_HELLO);
    if (err == 0)
        err = conn_write_copy(ingest->conn, writer.bytes, writer.len);
    writer_fini(&writer);
    return err;
}

/* Tells the agent why; the reader then ends the lane with err. */
static int refuse(struct ingest *ingest, Culvert__Refused__Code code, const char *text)
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
    ingest->tunnel->counters.refused++;
    ingest->reader.reason = text;
    (void)!answer(ingest, &message); /* it closes either way */
    return -ERR_DENIED;
}

static int accept_lane(struct ingest *ingest, int version)
{
    Culvert__LaneAnswer message;
    Culvert__LaneAccepted accepted;

    culvert__lane_answer__init(&message);
    culvert__lane_accepted__init(&accepted);
    accepted.version = (uint32_t)version;
    message.body_case = CULVERT__LANE_ANSWER__BODY_ACCEPTED;
    message.accepted = &accepted;
    return answer(ingest, &message);
}

/* The camera that the source is of, and the stream's name: -ERR_NOT_FOUND also where the camera has
 * no such profile. camera is scratch of the caller's. */
static int camera_of_source(struct ingest *ingest, const char *source_id,
                            struct store_camera *camera, char stream[SLUG_MAX])
{
    enum profile profile;
    char id[STORE_ID];
    size_t len;

    profile = profile_of_source(source_id, &len);
    if (len >= sizeof(id))
        return -ERR_NOT_FOUND;
    memcpy(id, source_id, len);
    id[len] = '\0';
    if (store_camera_find(ingest->tunnel->env.reader, id, camera) < 0 ||
        (profile == PROFILE_SUB && !camera->sealed_sub.len))
        return -ERR_NOT_FOUND;
    return profile_stream(stream, SLUG_MAX, camera->slug, profile);
}

static bool agent_is_good(struct ingest *ingest)
{
    struct store_agent agent;

    return store_agent_find(ingest->tunnel->env.reader, ingest->agent_id, &agent) == 0 &&
           agent.revoked_s == 0;
}

/* A new lane takes over from an old one; there is never a third (hostile.md A1). */
static void close_surplus(struct ingest *ingest)
{
    unsigned count = 0;

    for (struct list *link = ingest->tunnel->lanes.prev; link != &ingest->tunnel->lanes;) {
        struct ingest *other = ingest_of(link);

        link = link->prev;
        if (!other->stream || strcmp(other->source_id, ingest->source_id) != 0)
            continue;
        if (++count >= LANES_PER_CAMERA)
            ingest_close(other);
    }
}

/* What the camera's record says of it, if this lane may bring it. */
static int find_camera(struct ingest *ingest, const Culvert__LaneHello *hello)
{
    struct store_camera *camera = malloc(sizeof(*camera));
    int err;

    if (!camera)
        return refuse(ingest, CULVERT__REFUSED__CODE__BUSY, "the server is out of memory");
    err = camera_of_source(ingest, hello->camera_id, camera, ingest->stream_name);
    if (err == 0) {
        (void)!snprintf(ingest->source_id, sizeof(ingest->source_id), "%s", hello->camera_id);
        memcpy(ingest->agent_id, camera->agent_id, sizeof(ingest->agent_id));
    }
    free(camera);
    if (err < 0 || strcmp(hello->agent_id, ingest->agent_id) != 0 || !agent_is_good(ingest))
        return refuse(ingest, CULVERT__REFUSED__CODE__TICKET, "no such camera of this agent");
    return 0;
}

static int on_hello(void *owner, const Culvert__LaneHello *hello)
{
    struct ingest *ingest = owner;
    const struct tunnel_env *env = &ingest->tunnel->env;
    int version = versions_choose(hello->versions), err;

    if (version < 0)
        return refuse(ingest, CULVERT__REFUSED__CODE__VERSION,
                      "no version in common: update the older of agent and server");
    if (hello->ticket.len != LANE_TICKET ||
        relay_check_ticket(env->relay, hello->camera_id, hello->ticket.data) < 0)
        return refuse(ingest, CULVERT__REFUSED__CODE__TICKET, "the ticket is not good any more");
    err = find_camera(ingest, hello);
    if (err < 0)
        return err;
    close_surplus(ingest);
    if (stream_open(&ingest->stream, env->hub, ingest->stream_name) < 0)
        return refuse(ingest, CULVERT__REFUSED__CODE__BUSY, "the server is out of memory");
    ingest->tunnel->unproved--;
    ingest->tunnel->counters.lanes++;
    relay_lane_here(env->relay, ingest->source_id);
    LOG(LOG_INFO, "camera", ingest->source_id, "lane-open", KV_S("stream", ingest->stream_name));
    return accept_lane(ingest, version);
}

/* Tracks cost every loop a message: an agent has some to spend, and gets more by the second. */
static bool are_tracks_too_many(struct ingest *ingest, int64_t now_us)
{
    if (ingest->tracks_allowance_us < now_us)
        ingest->tracks_allowance_us = now_us;
    ingest->tracks_allowance_us += TRACKS_EACH_US;
    return ingest->tracks_allowance_us - now_us > TRACKS_BURST_US;
}

/* Those of the main stream: what is known of a camera that sleeps. */
static void store_tracks(struct ingest *ingest, const struct tracks *tracks)
{
    struct writer packed;
    size_t len;

    if (profile_of_source(ingest->source_id, &len) != PROFILE_MAIN)
        return;
    writer_init(&packed, TRACKS_PACKED_MAX);
    if (tracks_pack(&packed, tracks) == 0)
        store_camera_set_tracks(ingest->tunnel->env.store, ingest->source_id, packed.bytes,
                                packed.len);
    writer_fini(&packed);
}

static int on_tracks(void *owner, struct tracks *tracks)
{
    struct ingest *ingest = owner;
    int64_t now_us = loop_now_us(ingest->tunnel->env.loop);

    if (are_tracks_too_many(ingest, now_us)) {
        ingest->reader.reason = "tracks that change too often";
        return -ERR_TOO_MANY;
    }
    stream_set_tracks(ingest->stream, tracks);
    if (!ingest->stored_us || now_us - ingest->stored_us >= STORE_EACH_US) {
        store_tracks(ingest, tracks);
        ingest->stored_us = now_us;
    }
    return 0;
}

static int on_frame(void *owner, struct frame *frame)
{
    struct ingest *ingest = owner;

    stream_push(ingest->stream, frame);
    return 0;
}

static void on_drops(void *owner, const Culvert__LaneDrops *drops)
{
    struct ingest *ingest = owner;

    if (drops->frames > ingest->dropped)
        LOG(LOG_INFO, "camera", ingest->source_id, "uplink-dropped",
            KV_I("frames", drops->frames - ingest->dropped), KV_I("queue_ms", drops->queue_ms));
    ingest->dropped = drops->frames;
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
    struct ingest *ingest = owner;
    size_t preface = ingest->reader.has_hello ? 0 : PROTO_PREFACE; /* it comes with the hello */
    ssize_t used = 0;

    if (len > preface)
        used = lane_reader_input(&ingest->reader, bytes + preface, len - preface);
    if (used < 0 || ingest->reader.is_ended) {
        if (used < 0)
            LOG_STRANGER(conn_peer(conn), LOG_WARN, "camera", ingest->source_id, "lane-refused",
                         KV_ERR((int)used),
                         KV_S("reason", ingest->reader.reason ? ingest->reader.reason : ""));
        conn_close_flushed(conn, FLUSH_US);
        end(ingest);
        return (ssize_t)len;
    }
    if (ingest->reader.has_hello) {
        ingest->tunnel->counters.lane_bytes += (uint64_t)used;
        conn_set_deadline(conn, LANE_SILENCE_US);
    }
    return used > 0 ? used + (ssize_t)preface : 0;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct ingest *ingest = owner;

    if (ingest->stream)
        LOG(LOG_INFO, "camera", ingest->source_id, "lane-closed", KV_ERR(err),
            KV_I("frames", ingest->reader.frames));
    else
        LOG_STRANGER(conn_peer(conn), LOG_INFO, "camera", NULL, "lane-lost", KV_ERR(err));
    end(ingest);
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

void ingest_open(struct tunnel *tunnel, struct conn *conn)
{
    struct ingest *ingest = calloc(1, sizeof(*ingest));

    if (!ingest) {
        conn_close(conn);
        return;
    }
    ingest->conn = conn;
    ingest->tunnel = tunnel;
    lane_reader_init(&ingest->reader, &reader_handler, ingest);
    list_append(&tunnel->lanes, &ingest->link);
    tunnel->unproved++;
    conn_set_limits(conn, &lane_limits);
    conn_set_deadline(conn, HELLO_US);
    conn_set_handler(conn, &lane_conn_handler, ingest);
}

void ingest_review(struct ingest *ingest)
{
    struct store_camera *camera;
    char stream[SLUG_MAX];
    bool is_good;

    if (!ingest->stream)
        return;
    camera = malloc(sizeof(*camera));
    is_good = camera && camera_of_source(ingest, ingest->source_id, camera, stream) == 0 &&
              strcmp(camera->agent_id, ingest->agent_id) == 0 &&
              strcmp(stream, ingest->stream_name) == 0 && agent_is_good(ingest);
    free(camera);
    if (is_good)
        return;
    LOG(LOG_INFO, "camera", ingest->source_id, "lane-withdrawn");
    ingest_close(ingest);
}
