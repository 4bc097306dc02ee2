#include "egress/rtmp/wire.h"

#include <string.h>

#include "media/aac.h"
#include "media/format/flv.h"
#include "media/profile.h"
#include "rtmp/chunk.h"
#include "rtsp/url.h"

enum { BODY_MAX_BYTES = 4096, CAN_DECODE = 1, CAN_FORWARD = 4, LIMIT_DYNAMIC = 2 };

int command_parse(struct command *out, const struct rtmp_message *message)
{
    struct reader in = reader_of(message->bytes, message->len);
    struct amf_value name, transaction;

    *out = (struct command){.stream_id = message->stream_id, .object = {.type = AMF_NULL}};
    if (message->type == RTMP_COMMAND_AMF3 && message->len && *message->bytes == 0)
        (void)reader_u8(&in);
    name = amf_read(&in);
    transaction = amf_read(&in);
    if (name.type != AMF_STRING || transaction.type != AMF_NUMBER ||
        !amf_text_copy(name.text, out->name, sizeof(out->name)))
        return -ERR_PROTOCOL;
    out->transaction = transaction.number;
    /* Objects of AMF3, and what follows them, are as if they weren't there. Nesting without end is
     * no command. */
    if (!reader_is_done(&in))
        out->object = amf_read(&in);
    out->arguments = in;
    return 0;
}

/* Splits "name?query" and takes the token out of the query. */
static void take_token(char *text, char token[TOKEN_TEXT])
{
    char *query = strchr(text, '?'), found[TOKEN_TEXT];

    if (!query)
        return;
    *query++ = '\0';
    if (rtsp_query_value(query, "token", found, sizeof(found)))
        memcpy(token, found, sizeof(found));
    explicit_bzero(query, strlen(query));
    explicit_bzero(found, sizeof(found));
}

static void note_fourcc(struct connect_request *connect, struct amf_text name)
{
    bool is_any = amf_text_is(name, "*");

    connect->is_enhanced = true;
    connect->takes_hevc |= is_any || amf_text_is(name, "hvc1");
    connect->takes_opus |= is_any || amf_text_is(name, "Opus");
}

/* Version 1: an array of names. */
static void read_fourcc_list(struct connect_request *connect, struct amf_value list)
{
    while (list.type == AMF_ARRAY && !reader_is_done(&list.inside)) {
        struct amf_value name = amf_read(&list.inside);

        if (name.type == AMF_STRING)
            note_fourcc(connect, name.text);
    }
}

/* Version 2: what it can do with each. */
static void read_fourcc_map(struct connect_request *connect, struct amf_value map)
{
    struct amf_text name;
    struct amf_value can;

    while (map.type == AMF_OBJECT && amf_next_member(&map.inside, &name, &can))
        if (can.type == AMF_NUMBER && can.number >= 0 && can.number < 256 &&
            ((unsigned)can.number & (CAN_DECODE | CAN_FORWARD)))
            note_fourcc(connect, name);
}

int connect_parse(struct connect_request *out, const struct command *command)
{
    struct amf_value object = command->object, value;
    char url[TC_URL_MAX] = "", app_token[TOKEN_TEXT] = "";
    struct amf_text name;

    *out = (struct connect_request){.app = ""};
    if (object.type != AMF_OBJECT)
        return -ERR_PROTOCOL;
    while (amf_next_member(&object.inside, &name, &value)) {
        bool is_too_long = false;

        if (amf_text_is(name, "app"))
            is_too_long = !amf_text_copy(value.text, out->app, sizeof(out->app));
        else if (amf_text_is(name, "tcUrl"))
            is_too_long = !amf_text_copy(value.text, url, sizeof(url));
        else if (amf_text_is(name, "objectEncoding"))
            out->object_encoding = value.number;
        else if (amf_text_is(name, "fourCcList"))
            read_fourcc_list(out, value);
        else if (amf_text_is(name, "videoFourCcInfoMap") || amf_text_is(name, "audioFourCcInfoMap"))
            read_fourcc_map(out, value);
        if (is_too_long)
            return -ERR_TOO_LONG;
    }
    take_token(out->app, app_token);
    memcpy(out->token, app_token, sizeof(app_token));
    take_token(url, out->token); /* comes before the app's */
    explicit_bzero(app_token, sizeof(app_token));
    return 0;
}

static bool is_slug(const char *text, size_t len)
{
    return len > 0 && len < SLUG_MAX && !memchr(text, '/', len) && !memchr(text, ':', len);
}

static int take_slug(struct play_request *out, const char *name)
{
    const char *colon = strchr(name, ':'), *rest;
    char slug[SLUG_MAX];
    bool is_sub;
    size_t len;

    if (colon && colon - name <= 4)
        name = colon + 1;
    name += strspn(name, "/");
    len = strcspn(name, "/");
    rest = name + len + strspn(name + len, "/");
    is_sub = strcmp(rest, "sub") == 0;
    if ((*rest && !is_sub) || !is_slug(name, len))
        return -ERR_PROTOCOL;
    memcpy(slug, name, len);
    slug[len] = '\0';
    return profile_stream(out->slug, sizeof(out->slug), slug, is_sub ? PROFILE_SUB : PROFILE_MAIN);
}

int play_parse(struct play_request *out, const struct command *command,
               const struct connect_request *connect)
{
    struct reader in = command->arguments;
    struct amf_value name = amf_read(&in), reset;
    char text[STREAM_NAME_MAX];
    const char *last = strrchr(connect->app, '/');
    int err;

    *out = (struct play_request){.wants_reset = true};
    memcpy(out->token, connect->token, sizeof(out->token));
    if (name.type != AMF_STRING)
        return -ERR_PROTOCOL;
    if (!amf_text_copy(name.text, text, sizeof(text)))
        return -ERR_TOO_LONG;
    take_token(text, out->token);
    if (last && strcmp(text, "sub") == 0) /* ffmpeg's app is the path's first two words */
        (void)!profile_stream(text, sizeof(text), last + 1, PROFILE_SUB);
    err = take_slug(out, *text ? text : last ? last + 1 : connect->app);
    (void)amf_read(&in); /* start and duration: this is live */
    (void)amf_read(&in);
    reset = amf_read(&in);
    if (reset.type == AMF_BOOLEAN)
        out->wants_reset = reset.number != 0;
    return err;
}

/* Everything that is not media is small: it is written whole, and then sent as one message. */
static void write_message(struct writer *out, struct rtmp_head head, const struct writer *body)
{
    struct rtmp_chunker chunker;

    if (body->err && !out->err)
        out->err = body->err;
    head.len = body->len;
    rtmp_begin(&chunker, out, &head, RTMP_CHUNK_BYTES);
    rtmp_put(&chunker, body->bytes, body->len);
}

static void write_control(struct writer *out, uint8_t type, uint64_t value, size_t len)
{
    struct rtmp_head head = {.chunk_stream = RTMP_CHUNKS_CONTROL, .type = type};
    struct writer body;

    writer_init(&body, BODY_MAX_BYTES);
    writer_uint(&body, value, len);
    write_message(out, head, &body);
    writer_fini(&body);
}

void wire_write_number(struct writer *out, uint8_t type, uint32_t number)
{
    write_control(out, type, number, 4);
}

void wire_write_bandwidth(struct writer *out, uint32_t window_bytes)
{
    write_control(out, RTMP_PEER_BANDWIDTH, (uint64_t)window_bytes << 8 | LIMIT_DYNAMIC, 5);
}

void wire_write_user_control(struct writer *out, uint16_t event, uint32_t number)
{
    write_control(out, RTMP_USER_CONTROL, (uint64_t)event << 32 | number, 6);
}

static void begin_command(struct writer *body, const char *name, double transaction)
{
    writer_init(body, BODY_MAX_BYTES);
    amf_write_string(body, name);
    amf_write_number(body, transaction);
}

static void end_command(struct writer *out, struct writer *body, uint32_t stream_id)
{
    struct rtmp_head head = {
        .chunk_stream = RTMP_CHUNKS_COMMAND, .type = RTMP_COMMAND, .message_stream = stream_id};

    write_message(out, head, body);
    writer_fini(body);
}

static void write_text(struct writer *body, const char *name, const char *text)
{
    amf_write_name(body, name);
    amf_write_string(body, text);
}

static void write_number(struct writer *body, const char *name, double number)
{
    amf_write_name(body, name);
    amf_write_number(body, number);
}

/* Members of the object that says how something went. */
static void write_outcome(struct writer *body, const struct status *status)
{
    write_text(body, "level", status->is_error ? "error" : "status");
    write_text(body, "code", status->code);
    write_text(body, "description", status->text);
}

void wire_write_connected(struct writer *out, const struct command *command,
                          const struct connect_request *connect)
{
    static const struct status success = {"NetConnection.Connect.Success", "Connection succeeded.",
                                          false};
    struct writer body;

    begin_command(&body, "_result", command->transaction);
    amf_write_object(&body);
    write_text(&body, "fmsVer", "FMS/3,5,7,7009");
    write_number(&body, "capabilities", 31);
    if (connect->is_enhanced) {
        amf_write_name(&body, "fourCcList");
        amf_write_array(&body, 2);
        amf_write_string(&body, "hvc1");
        amf_write_string(&body, "Opus");
    }
    amf_write_end(&body);
    amf_write_object(&body);
    write_outcome(&body, &success);
    write_number(&body, "objectEncoding", connect->object_encoding == 3 ? 3 : 0);
    amf_write_end(&body);
    end_command(out, &body, 0);
}

void wire_write_refused(struct writer *out, double transaction, const struct status *status)
{
    struct writer body;

    begin_command(&body, "_error", transaction);
    amf_write_null(&body);
    amf_write_object(&body);
    write_outcome(&body, status);
    amf_write_end(&body);
    end_command(out, &body, 0);
}

void wire_write_result(struct writer *out, double transaction, double number)
{
    struct writer body;

    begin_command(&body, "_result", transaction);
    amf_write_null(&body);
    amf_write_number(&body, number);
    end_command(out, &body, 0);
}

void wire_write_status(struct writer *out, const struct status *status, const char *about)
{
    struct writer body;

    begin_command(&body, "onStatus", 0);
    amf_write_null(&body);
    amf_write_object(&body);
    write_outcome(&body, status);
    if (*about)
        write_text(&body, "details", about);
    amf_write_end(&body);
    end_command(out, &body, MESSAGE_STREAM);
}

static void write_video_metadata(struct writer *body, const struct track *track)
{
    if (track->width && track->height) {
        write_number(body, "width", track->width);
        write_number(body, "height", track->height);
    }
    if (track->frame_rate_mhz)
        write_number(body, "framerate", track->frame_rate_mhz / 1000.0);
    write_number(body, "videocodecid", flv_codec_id(track->codec));
}

static void write_audio_metadata(struct writer *body, const struct track *track)
{
    write_number(body, "audiocodecid", flv_codec_id(track->codec));
    write_number(body, "audiosamplerate", track->clock_rate);
    write_number(body, "audiosamplesize", 16);
    amf_write_name(body, "stereo");
    amf_write_boolean(body, track->channels > 1);
}

void wire_write_metadata(struct writer *out, const struct tracks *tracks, const bool *takes)
{
    struct rtmp_head head = {
        .chunk_stream = RTMP_CHUNKS_DATA, .type = RTMP_DATA, .message_stream = MESSAGE_STREAM};
    struct writer body;

    writer_init(&body, BODY_MAX_BYTES);
    amf_write_string(&body, "onMetaData");
    amf_write_map(&body, 0); /* the count is a hint, which nobody trusts */
    for (unsigned i = 0; i < tracks->count; i++) {
        if (!takes[i])
            continue;
        if (codec_is_video(tracks->track[i].codec))
            write_video_metadata(&body, &tracks->track[i]);
        else
            write_audio_metadata(&body, &tracks->track[i]);
    }
    amf_write_end(&body);
    write_message(out, head, &body);
    writer_fini(&body);
}
