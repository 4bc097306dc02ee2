#include "egress/webrtc/sctp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

#include "base/loop.h"
#include "base/reader.h"

enum {
    SLOTS = 4096,
    WAITING_MAX = 256, /* messages of one association that wait for its loop */
    STREAMS = 16,
    CHANNELS_MAX = 8, /* that the viewer may open */
    OUR_STREAM = 1,   /* the DTLS server's are odd (RFC 8832 section 6) */
    BUFFER_BYTES = 64 * 1024,
    PATH_BYTES = 1150, /* what DTLS, and perhaps TURN, leave of 1,200 */
    PACKET_MIN_BYTES = 16,
    READ_BYTES = 2048, /* of a message at once; a longer one is nothing that we would answer */
    INIT_ATTEMPTS = 8,
    INIT_TIMEOUT_MS = 1000,
    STOP_TICKS = 50
};

enum { PPID_DCEP = 50, PPID_TEXT = 51, PPID_TEXT_EMPTY = 56 };
enum { DCEP_ACK = 2, DCEP_OPEN = 3 };

struct sctp {
    struct socket *socket; /* owned; NULL once closed */

    struct loop *loop; /* borrowed */
    const struct sctp_handler *handler;
    void *owner;

    struct loop_task gone;
    uintptr_t id;
    uint16_t opened, to_reset; /* by stream: the viewer's channels; those to be closed */
    bool is_open, is_over;
    bool has_opened; /* to be told, when usrsctp's call has returned; as is_over is */
    bool has_told_over;
    bool is_amid; /* the rest of a message follows, to be thrown away */
};

/* One thread at a time is inside usrsctp: its own locks don't keep a socket that one thread closes
 * from timers that run on another. Its callbacks come under this lock, and only leave messages; no
 * handler is called under it. It guards the slots, too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- slots: how a callback of usrsctp's, on any thread and however late, finds its association --
 *
 * usrsctp knows an association by an address that it never follows. Ours is a number that never
 * comes again, whose lowest digits are a slot. */

static struct slot {
    uintptr_t id;      /* 0: free */
    struct sctp *sctp; /* to be touched on its loop's thread only */
    struct loop *loop;
    unsigned waiting; /* messages to the loop, those to this slot's earlier associations too */
} slots[SLOTS];

static uintptr_t last_generation;

/* The slot, if the association is still open, else NULL. */
static struct slot *slot_find(uintptr_t id)
{
    struct slot *slot = &slots[id % SLOTS];

    return id && slot->id == id ? slot : NULL;
}

static int slot_take(struct sctp *sctp)
{
    last_generation++;
    for (uintptr_t i = 0; i < SLOTS; i++) {
        uintptr_t at = (last_generation + i) % SLOTS;

        if (slots[at].id)
            continue;
        sctp->id = last_generation * SLOTS + at;
        slots[at].id = sctp->id;
        slots[at].sctp = sctp;
        slots[at].loop = sctp->loop;
        return 0;
    }
    return -ERR_TOO_MANY;
}

/* usrsctp's name for an association. */
static void *name_of(uintptr_t id)
{
    return (void *)id; /* NOLINT(performance-no-int-to-ptr): it is only compared */
}

/* ---- calls into usrsctp, and what it says meanwhile ---------------------------------------------
 */

struct message {
    struct loop_task task;
    uintptr_t id;
    size_t len; /* 0: there is something to read */
    uint8_t bytes[];
};

/* What usrsctp says of the association that is called is told as soon as the call is over; what it
 * says of others, by their loops. */
struct call {
    struct sctp *sctp;
    struct loop_task *first, **last;
    bool reads; /* whatever there is, before it ends */
};

static struct call *calling; /* under the lock */

static void call_begin(struct call *call, struct sctp *sctp, bool reads)
{
    pthread_mutex_lock(&lock);
    *call = (struct call){.sctp = sctp, .last = &call->first, .reads = reads};
    calling = call;
}

/* Closed by its owner meanwhile, it has no socket any more; its memory stays until the turn ends.
 */
static void tell(struct sctp *sctp)
{
    if (sctp->socket && sctp->has_opened) {
        sctp->has_opened = false;
        sctp->handler->on_open(sctp->owner);
    }
    if (sctp->socket && sctp->is_over && !sctp->has_told_over) {
        sctp->has_told_over = true;
        sctp->handler->on_over(sctp->owner);
    }
}

static void call_end(struct call *call)
{
    calling = NULL;
    pthread_mutex_unlock(&lock);
    while (call->first) {
        struct loop_task *task = call->first;

        call->first = task->next;
        task->run(task);
    }
    if (call->reads)
        tell(call->sctp);
}

static void drain(struct sctp *sctp);

static void message_run(struct loop_task *task)
{
    struct message *message = (struct message *)(void *)task;
    struct sctp *sctp = NULL;
    struct slot *slot;
    struct call call;

    pthread_mutex_lock(&lock);
    slots[message->id % SLOTS].waiting--;
    slot = slot_find(message->id);
    if (slot)
        sctp = slot->sctp;
    pthread_mutex_unlock(&lock);
    if (sctp && message->len > 0)
        sctp->handler->on_output(sctp->owner, message->bytes, message->len);
    else if (sctp) {
        call_begin(&call, sctp, true);
        drain(sctp);
        call_end(&call);
    }
    free(message);
}

/* What finds no room is lost, as on any network: SCTP sends it again. */
static void message_send(uintptr_t id, const void *bytes, size_t len)
{
    struct slot *slot = slot_find(id);
    struct message *message;

    if (!slot || slot->waiting >= WAITING_MAX)
        return;
    message = malloc(sizeof(*message) + len);
    if (!message)
        return;
    message->task = (struct loop_task){.run = message_run};
    message->id = id;
    message->len = len;
    if (len > 0)
        memcpy(message->bytes, bytes, len);
    slot->waiting++;
    if (!calling || calling->sctp != slot->sctp) {
        loop_post(slot->loop, &message->task);
        return;
    }
    *calling->last = &message->task;
    calling->last = &message->task.next;
}

static int on_packet(void *name, void *bytes, size_t len, uint8_t tos, uint8_t set_df)
{
    (void)tos;
    (void)set_df;
    if (len > 0)
        message_send((uintptr_t)name, bytes, len);
    return 0;
}

static void on_readable(struct socket *socket, void *name, int flags)
{
    (void)socket;
    (void)flags;
    if (!calling || calling->sctp->id != (uintptr_t)name || !calling->reads)
        message_send((uintptr_t)name, NULL, 0);
}

/* ---- channels ---------------------------------------------------------------------------------
 */

static int send_message(struct sctp *sctp, uint16_t stream, uint32_t ppid, const void *bytes,
                        size_t len)
{
    struct sctp_sndinfo info = {.snd_sid = stream, .snd_ppid = htonl(ppid), .snd_flags = SCTP_EOR};

    if (usrsctp_sendv(sctp->socket, bytes, len, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO,
                      0) >= 0)
        return 0;
    if (errno == EMSGSIZE)
        return -ERR_TOO_LONG;
    return errno == EWOULDBLOCK || errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -ERR_CLOSED;
}

/* Nothing follows from a failure: the channel does not open, and the owner may wait for it. */
static void open_our_channel(struct sctp *sctp)
{
    static const uint8_t open[] = {DCEP_OPEN, 0, 1,   0,   0,   0,   0,   0,   0,  7,
                                   0,         0, 'c', 'u', 'l', 'v', 'e', 'r', 't'};

    (void)!send_message(sctp, OUR_STREAM, PPID_DCEP, open, sizeof(open));
}

/* Closes the streams that are to be (RFC 8831 section 6.7); those of which some are still being
 * closed wait for the next turn. */
static void reset_streams(struct sctp *sctp)
{
    union {
        struct sctp_reset_streams request;
        uint8_t room[sizeof(struct sctp_reset_streams) + STREAMS * sizeof(uint16_t)];
    } reset = {.request = {.srs_flags = SCTP_STREAM_RESET_OUTGOING}};
    uint16_t count = 0;

    for (unsigned stream = 0; stream < STREAMS; stream++)
        if (sctp->to_reset >> stream & 1)
            reset.request.srs_stream_list[count++] = (uint16_t)stream;
    if (count == 0)
        return;
    reset.request.srs_number_streams = count;
    if (!usrsctp_setsockopt(sctp->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, &reset,
                            (socklen_t)(sizeof(reset.request) + count * sizeof(uint16_t))) ||
        (errno != EALREADY && errno != EAGAIN))
        sctp->to_reset = 0;
}

/* Whether an OPEN is as long as its label and protocol say (RFC 8832 section 5.1). */
static bool is_whole_open(struct reader *body)
{
    size_t label_len, protocol_len;

    (void)reader_take(body, 7); /* kind, priority, reliability */
    label_len = reader_u16(body);
    protocol_len = reader_u16(body);
    (void)reader_take(body, label_len);
    (void)reader_take(body, protocol_len);
    return reader_is_ok(body) && reader_is_done(body);
}

static void take_open(struct sctp *sctp, uint16_t stream, struct reader *body)
{
    static const uint8_t ack[] = {DCEP_ACK};
    uint16_t bit = (uint16_t)(1u << stream);

    if (!is_whole_open(body) || sctp->opened & bit ||
        __builtin_popcount(sctp->opened) >= CHANNELS_MAX ||
        send_message(sctp, stream, PPID_DCEP, ack, sizeof(ack)))
        sctp->to_reset |= bit;
    else
        sctp->opened |= bit;
}

static void take_dcep(struct sctp *sctp, uint16_t stream, struct reader body)
{
    uint8_t kind = reader_u8(&body);

    if (stream >= STREAMS)
        return;
    if (kind == DCEP_OPEN)
        take_open(sctp, stream, &body);
    else if (kind == DCEP_ACK && stream == OUR_STREAM && !sctp->is_open) {
        sctp->is_open = sctp->has_opened = true;
    }
}

/* ---- what usrsctp tells -----------------------------------------------------------------------
 */

static void on_association(struct sctp *sctp, const void *bytes, size_t len)
{
    struct sctp_assoc_change change;

    if (len < sizeof(change))
        return;
    memcpy(&change, bytes, sizeof(change));
    if (change.sac_state == SCTP_COMM_UP)
        open_our_channel(sctp);
    else /* lost, not come about, shut down; or begun anew, without our channel */
        sctp->is_over = true;
}

static void close_stream(struct sctp *sctp, uint16_t stream)
{
    uint16_t bit = (uint16_t)(stream < STREAMS ? 1u << stream : 0);

    if (sctp->opened & bit || (stream == OUR_STREAM && sctp->is_open))
        sctp->to_reset |= bit; /* so that both directions are */
    sctp->opened &= (uint16_t)~bit;
    if (stream == OUR_STREAM)
        sctp->is_open = false;
}

/* The viewer has closed channels; without a list: all. */
static void on_stream_reset(struct sctp *sctp, const void *bytes, size_t len)
{
    struct sctp_stream_reset_event event;
    const uint8_t *list = (const uint8_t *)bytes + sizeof(event);
    uint16_t stream;

    if (len < sizeof(event))
        return;
    memcpy(&event, bytes, sizeof(event));
    if (!(event.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) ||
        event.strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED))
        return;
    for (unsigned all = 0; len == sizeof(event) && all < STREAMS; all++)
        close_stream(sctp, (uint16_t)all);
    for (size_t at = 0; at + sizeof(stream) <= len - sizeof(event); at += sizeof(stream)) {
        memcpy(&stream, list + at, sizeof(stream));
        close_stream(sctp, stream);
    }
}

static void take_notification(struct sctp *sctp, const void *bytes, size_t len)
{
    uint16_t type;

    if (len < sizeof(type))
        return;
    memcpy(&type, bytes, sizeof(type));
    if (type == SCTP_ASSOC_CHANGE)
        on_association(sctp, bytes, len);
    else if (type == SCTP_STREAM_RESET_EVENT)
        on_stream_reset(sctp, bytes, len);
}

/* One piece of a message; false when there is none. What is not DCEP is thrown away. */
static bool read_one(struct sctp *sctp)
{
    uint8_t bytes[READ_BYTES];
    union sctp_sockstore from;
    struct sctp_rcvinfo info = {0};
    socklen_t from_len = sizeof(from), info_len = sizeof(info);
    unsigned type = 0;
    int flags = 0;
    bool was_amid = sctp->is_amid;
    ssize_t len = usrsctp_recvv(sctp->socket, bytes, sizeof(bytes), &from.sa, &from_len, &info,
                                &info_len, &type, &flags);

    if (len <= 0) {
        if (len == 0 || (errno != EWOULDBLOCK && errno != EAGAIN && errno != ENOTCONN))
            sctp->is_over = true;
        return false;
    }
    sctp->is_amid = !(flags & MSG_EOR);
    if (was_amid)
        return true;
    if (flags & MSG_NOTIFICATION)
        take_notification(sctp, bytes, (size_t)len);
    else if (type == SCTP_RECVV_RCVINFO && ntohl(info.rcv_ppid) == PPID_DCEP)
        take_dcep(sctp, info.rcv_sid, reader_of(bytes, (size_t)len));
    return true;
}

static void drain(struct sctp *sctp)
{
    while (read_one(sctp))
        ;
    reset_streams(sctp);
}

/* ---- the outside ------------------------------------------------------------------------------
 */

int sctp_start(void)
{
    usrsctp_init_nothreads(0, on_packet, NULL);
    if (usrsctp_sysctl_set_sctp_auto_asconf(0) || usrsctp_sysctl_set_sctp_asconf_enable(0) ||
        usrsctp_sysctl_set_sctp_auth_enable(0) || usrsctp_sysctl_set_sctp_ecn_enable(0) ||
        usrsctp_sysctl_set_sctp_pr_enable(0) || usrsctp_sysctl_set_sctp_nrsack_enable(0) ||
        usrsctp_sysctl_set_sctp_pktdrop_enable(0))
        return -ERR_LIBRARY;
    return 0;
}

/* usrsctp frees what was closed by its timers, and refuses to finish before. */
void sctp_stop(void)
{
    for (unsigned i = 0; i < STOP_TICKS && usrsctp_finish(); i++)
        usrsctp_handle_timers(100);
}

void sctp_tick(unsigned elapsed_ms)
{
    pthread_mutex_lock(&lock);
    usrsctp_handle_timers(elapsed_ms);
    pthread_mutex_unlock(&lock);
}

/* A row an option; the socket is as good as none when one fails. */
static bool set_options(struct socket *socket)
{
    static const int buffer = BUFFER_BYTES, yes = 1, no = 0;
    static const struct linger abort_at_close = {1, 0};
    static const struct sctp_initmsg init = {STREAMS, STREAMS, INIT_ATTEMPTS, INIT_TIMEOUT_MS};
    static const struct sctp_rtoinfo rto = {.srto_initial = 1000, .srto_max = 10000};
    static const struct sctp_assoc_value reset = {.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
    static const struct sctp_event association = {.se_type = SCTP_ASSOC_CHANGE, .se_on = 1};
    static const struct sctp_event stream_reset = {.se_type = SCTP_STREAM_RESET_EVENT, .se_on = 1};
    /* Consent (RFC 7675) finds out that a viewer is gone: no heartbeats. */
    static const struct sctp_paddrparams path = {.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE,
                                                 .spp_pathmtu = PATH_BYTES};
    static const struct option {
        int level, name;
        const void *value;
        socklen_t len;
    } options[] = {
        {SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)},
        {SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)},
        {SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof(abort_at_close)},
        {IPPROTO_SCTP, SCTP_NODELAY, &yes, sizeof(yes)},
        {IPPROTO_SCTP, SCTP_RECVRCVINFO, &yes, sizeof(yes)},
        {IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, &no, sizeof(no)},
        {IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)},
        {IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof(rto)},
        {IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &reset, sizeof(reset)},
        {IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)},
        {IPPROTO_SCTP, SCTP_EVENT, &association, sizeof(association)},
        {IPPROTO_SCTP, SCTP_EVENT, &stream_reset, sizeof(stream_reset)},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (usrsctp_setsockopt(socket, options[i].level, options[i].name, options[i].value,
                               options[i].len))
            return false;
    return !usrsctp_set_non_blocking(socket, 1);
}

static int connect_socket(struct sctp *sctp, uint16_t port)
{
    struct sockaddr_conn name = {
        .sconn_family = AF_CONN, .sconn_port = htons(port), .sconn_addr = name_of(sctp->id)};
    struct sockaddr *address = (struct sockaddr *)(void *)&name;

    usrsctp_register_address(name_of(sctp->id));
    sctp->socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (!sctp->socket)
        return -ENOMEM;
    if (!set_options(sctp->socket) ||
        usrsctp_set_upcall(sctp->socket, on_readable, name_of(sctp->id)) ||
        usrsctp_bind(sctp->socket, address, sizeof(name)))
        return -ERR_LIBRARY;
    if (usrsctp_connect(sctp->socket, address, sizeof(name)) && errno != EINPROGRESS)
        return -ERR_LIBRARY;
    return 0;
}

static void sctp_free(struct loop_task *task)
{
    free((char *)task - offsetof(struct sctp, gone));
}

int sctp_open(struct sctp **out, struct loop *loop, uint16_t port,
              const struct sctp_handler *handler, void *owner)
{
    struct sctp *sctp = calloc(1, sizeof(*sctp));
    struct call call;
    int err;

    if (!sctp)
        return -ENOMEM;
    sctp->loop = loop;
    sctp->handler = handler;
    sctp->owner = owner;
    sctp->gone.run = sctp_free;
    call_begin(&call, sctp, false);
    err = slot_take(sctp);
    if (!err)
        err = connect_socket(sctp, port);
    if (!err)
        *out = sctp;
    call_end(&call);
    if (err)
        sctp_close(sctp);
    return err;
}

void sctp_close(struct sctp *sctp)
{
    struct slot *slot;

    if (!sctp)
        return;
    pthread_mutex_lock(&lock);
    slot = slot_find(sctp->id);
    if (slot)
        slot->id = 0; /* before usrsctp says its last */
    if (sctp->socket)
        usrsctp_close(sctp->socket);
    if (slot)
        usrsctp_deregister_address(name_of(sctp->id));
    pthread_mutex_unlock(&lock);
    sctp->socket = NULL;
    loop_defer(sctp->loop, &sctp->gone);
}

void sctp_input(struct sctp *sctp, const uint8_t *bytes, size_t len)
{
    struct call call;

    if (len < PACKET_MIN_BYTES)
        return;
    call_begin(&call, sctp, true);
    usrsctp_conninput(name_of(sctp->id), bytes, len, 0);
    drain(sctp);
    call_end(&call);
}

int sctp_send_text(struct sctp *sctp, const char *text, size_t len)
{
    struct call call;
    int err;

    if (sctp->is_over || !sctp->is_open)
        return -ERR_CLOSED;
    if (len > BUFFER_BYTES)
        return -ERR_TOO_LONG;
    call_begin(&call, sctp, false);
    /* No message of SCTP's is empty: an empty text is a byte with another number (RFC 8831). */
    err = len > 0 ? send_message(sctp, OUR_STREAM, PPID_TEXT, text, len)
                  : send_message(sctp, OUR_STREAM, PPID_TEXT_EMPTY, "", 1);
    call_end(&call);
    return err;
}
