#include "agent/lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent-proto/lane.h"
#include "agent-proto/lane_queue.h"
#include "agent-proto/message.h"
#include "agent-proto/text.h"
#include "base/list.h"
#include "base/log.h"
#include "net/conn.h"

enum { TICK_US = 500000, UNSENT_BYTES = 64 * 1024, LOW_WATER = 32 * 1024, FLUSH_US = 1000000 };
enum { ANSWER_US = 10 * 1000000, ID = 32, SENTENCE = 192 };

struct lane {
    struct reach *reach; /* owned; NULL once connected */
    struct conn *conn;   /* owned; NULL before, and once closed */
    struct lane_queue queue;
    struct tracks *tracks; /* owned reference: to be sent before the next frame */
    const struct lane_events *events;
    void *owner; /* borrowed */
    struct loop *loop;
    struct loop_timer tick;
    struct loop_task gone;
    char camera_id[ID], agent_id[ID], text[SENTENCE];
    uint8_t ticket[LANE_TICKET];
    int64_t reported_us; /* when drops were last told */
    int64_t wall_base_us;
    uint64_t reported_drops, frames, bytes;
    bool are_tracks_due, is_accepted, is_refused;
};

static void free_lane(struct loop_task *task)
{
    struct lane *lane = list_entry(task, struct lane, gone);

    lane_queue_fini(&lane->queue);
    tracks_unref(lane->tracks);
    free(lane);
}

static void end(struct lane *lane)
{
    reach_close(lane->reach);
    lane->reach = NULL;
    lane->conn = NULL;
    loop_timer_stop(&lane->tick);
    lane->gone.run = free_lane;
    loop_defer(lane->loop, &lane->gone);
}

static void lose(struct lane *lane, int err)
{
    conn_close(lane->conn);
    end(lane);
    lane->events->on_lost(lane->owner, lane, err, lane->text[0] ? lane->text : NULL);
}

static int write_part(struct lane *lane, int (*make)(struct lane *lane, struct writer *to))
{
    struct writer writer;
    int err;

    writer_init(&writer, 64 * 1024);
    err = make(lane, &writer);
    if (err == 0)
        err = conn_write_copy(lane->conn, writer.bytes, writer.len);
    writer_fini(&writer);
    return err;
}

static int make_hello(struct lane *lane, struct writer *to)
{
    Culvert__LaneHello hello;
    Culvert__Versions versions;

    culvert__lane_hello__init(&hello);
    culvert__versions__init(&versions);
    versions.lowest = versions.highest = PROTO_VERSION;
    hello.camera_id = lane->camera_id;
    hello.agent_id = lane->agent_id;
    hello.ticket = (ProtobufCBinaryData){LANE_TICKET, lane->ticket};
    hello.versions = &versions;
    writer_put(to, proto_preface_lane, PROTO_PREFACE);
    return message_pack(to, &hello.base, MESSAGE_MAX_HELLO);
}

static int make_tracks(struct lane *lane, struct writer *to)
{
    return lane_write_tracks(to, lane->tracks);
}

static int make_drops(struct lane *lane, struct writer *to)
{
    Culvert__LaneDrops drops;

    culvert__lane_drops__init(&drops);
    drops.frames = lane->queue.dropped_frames;
    drops.bytes = lane->queue.dropped_bytes;
    drops.queue_ms = (uint32_t)(lane_queue_age_us(&lane->queue, loop_now_us(lane->loop)) / 1000);
    return lane_write_drops(to, &drops);
}

static int make_end(struct lane *lane, struct writer *to)
{
    (void)lane;
    return lane_write_end(to);
}

static int write_frame(struct lane *lane, struct frame *frame)
{
    uint8_t head[LANE_HEADER + LANE_SEGMENT];
    size_t len = lane_frame_head(frame, lane->wall_base_us, head);
    int err = conn_write_copy(lane->conn, head, len);

    if (err == 0)
        err = conn_write(lane->conn, frame->buf, 0, frame->buf->len);
    lane->frames++;
    lane->bytes += len + frame->buf->len;
    return err;
}

/* Writes while the connection takes more. 0 or the error that ends it. */
static int pump(struct lane *lane)
{
    int err = 0;

    if (!lane->is_accepted)
        return 0;
    lane_queue_trim(&lane->queue, loop_now_us(lane->loop));
    conn_cork(lane->conn);
    if (lane->are_tracks_due) {
        err = write_part(lane, make_tracks);
        lane->are_tracks_due = false;
    }
    while (err == 0 && conn_backlog(lane->conn) < LOW_WATER) {
        struct frame *frame = lane_queue_take(&lane->queue);

        if (!frame)
            break;
        err = write_frame(lane, frame);
        frame_unref(frame);
        conn_uncork(lane->conn);
        conn_cork(lane->conn);
    }
    conn_uncork(lane->conn);
    return err;
}

static void pump_or_lose(struct lane *lane)
{
    int err = pump(lane);

    if (err < 0)
        lose(lane, err);
}

static void on_tick(struct loop_timer *timer)
{
    struct lane *lane = list_entry(timer, struct lane, tick);
    int64_t now_us = loop_now_us(lane->loop);
    bool has_dropped = lane->queue.dropped_frames != lane->reported_drops;
    int err = 0;

    loop_timer_start(&lane->tick, TICK_US);
    if (!lane->is_accepted)
        return;
    lane_queue_trim(&lane->queue, now_us);
    if ((has_dropped || now_us - lane->reported_us >= LANE_HEARTBEAT_US) &&
        conn_backlog(lane->conn) < LOW_WATER) {
        err = write_part(lane, make_drops);
        lane->reported_us = now_us;
        lane->reported_drops = lane->queue.dropped_frames;
    }
    if (err < 0)
        lose(lane, err);
    else
        pump_or_lose(lane);
}

static void take_answer(struct lane *lane, const Culvert__LaneAnswer *answer)
{
    if (answer->body_case != CULVERT__LANE_ANSWER__BODY_ACCEPTED) {
        lane->is_refused = true;
        if (answer->body_case == CULVERT__LANE_ANSWER__BODY_REFUSED)
            text_clean(lane->text, sizeof(lane->text), answer->refused->text);
        return;
    }
    lane->is_accepted = true;
    conn_set_deadline(lane->conn, 0);
    lane_queue_release(&lane->queue, loop_now_us(lane->loop));
    lane->reported_us = loop_now_us(lane->loop);
    lane->events->on_accepted(lane->owner, lane);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct lane *lane = owner;
    struct message_bytes packed;
    ssize_t used = message_next(&packed, bytes, len, MESSAGE_MAX_HELLO);
    ProtobufCMessage *message;

    (void)conn;
    if (used <= 0)
        return used;
    if (lane->is_accepted)
        return used; /* a later version says more: skipped */
    message = message_unpack(&culvert__lane_answer__descriptor, packed);
    if (!message)
        return -ERR_PROTOCOL;
    take_answer(lane, (const Culvert__LaneAnswer *)(void *)message);
    message_free(message);
    if (lane->is_refused) {
        lose(lane, -ERR_DENIED);
        return (ssize_t)len;
    }
    if (lane->conn)
        pump_or_lose(lane);
    return used;
}

static void on_drained(void *owner, struct conn *conn)
{
    (void)conn;
    pump_or_lose(owner);
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct lane *lane = owner;

    (void)conn;
    lane->conn = NULL;
    lose(lane, err);
}

static const struct conn_handler conn_handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static const struct conn_limits lane_limits = {
    .input_bytes = MESSAGE_MAX_HELLO + MESSAGE_LENGTH,
    .backlog_bytes = 2 * FRAME_MAX_BYTES,
    .low_water_bytes = LOW_WATER,
    .handshake_us = 10 * 1000000,
};

/* A link that has gone without a word: the kernel gives up when nothing was acknowledged. */
static void watch_acknowledgements(struct conn *conn)
{
    unsigned timeout_ms = LANE_SILENCE_US / 1000;

    (void)!setsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
                      sizeof(timeout_ms));
}

static void on_connected(void *owner, struct conn *conn, const struct way *way)
{
    struct lane *lane = owner;
    int err;

    (void)way;
    lane->reach = NULL;
    lane->conn = conn;
    conn_set_low_latency(conn, UNSENT_BYTES);
    watch_acknowledgements(conn);
    conn_set_deadline(conn, ANSWER_US);
    conn_set_handler(conn, &conn_handler, lane);
    err = write_part(lane, make_hello);
    if (err < 0)
        lose(lane, err);
}

static void on_failed(void *owner, int err, const char *words)
{
    struct lane *lane = owner;

    (void)words; /* the control connection has said them */
    lane->reach = NULL;
    lose(lane, err);
}

static const struct reach_handler reach_handler = {.on_open = on_connected, .on_failed = on_failed};

int lane_open(struct lane **out, const struct lane_open *how, const struct lane_events *events,
              void *owner)
{
    struct reach_target target = how->target;
    struct lane *lane = calloc(1, sizeof(*lane));
    int err;

    if (!lane)
        return -ENOMEM;
    lane->events = events;
    lane->owner = owner;
    lane->loop = target.loop;
    (void)snprintf(lane->camera_id, sizeof(lane->camera_id), "%s", how->camera_id);
    (void)snprintf(lane->agent_id, sizeof(lane->agent_id), "%s", how->agent_id);
    memcpy(lane->ticket, how->ticket, LANE_TICKET);
    target.limits = &lane_limits;
    err = lane_queue_init(&lane->queue, how->budget_us);
    if (err == 0)
        err = reach_open(&lane->reach, &target, &reach_handler, lane);
    if (err < 0) {
        lane_queue_fini(&lane->queue);
        free(lane);
        return err;
    }
    lane_queue_hold(&lane->queue);
    loop_timer_init(&lane->tick, lane->loop, on_tick);
    loop_timer_start(&lane->tick, TICK_US);
    *out = lane;
    return 0;
}

void lane_close(struct lane *lane)
{
    if (!lane)
        return;
    if (lane->conn && lane->is_accepted)
        (void)!write_part(lane, make_end); /* it ends either way */
    if (lane->conn)
        conn_close_flushed(lane->conn, FLUSH_US);
    end(lane);
}

void lane_set_tracks(struct lane *lane, struct tracks *tracks)
{
    struct tracks *old = lane->tracks;

    lane->tracks = tracks_ref(tracks);
    tracks_unref(old);
    lane->wall_base_us = tracks->wall_base_us;
    lane->are_tracks_due = true;
    lane_queue_set_tracks(&lane->queue, tracks);
    if (lane->conn)
        pump_or_lose(lane);
}

void lane_push(struct lane *lane, struct frame *frame)
{
    lane_queue_push(&lane->queue, frame, loop_now_us(lane->loop));
    if (lane->conn)
        pump_or_lose(lane);
}

bool lane_is_accepted(const struct lane *lane)
{
    return lane->is_accepted;
}

struct lane_numbers lane_numbers(const struct lane *lane)
{
    return (struct lane_numbers){
        .frames = lane->frames,
        .bytes = lane->bytes,
        .dropped = lane->queue.dropped_frames,
        .queue_ms = (uint32_t)(lane_queue_age_us(&lane->queue, loop_now_us(lane->loop)) / 1000),
    };
}
