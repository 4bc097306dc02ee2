/* egress/rtmp/wire.h: what viewers command and what they are answered, to structs and back; pure.
 */
#pragma once

#include "egress/egress.h"
#include "media/view.h"
#include "rtmp/amf.h"
#include "rtmp/chunk_reader.h"

enum {
    COMMAND_NAME = 32,
    APP_MAX = 256,
    STREAM_NAME_MAX = 256,
    TC_URL_MAX = 512,
    MESSAGE_STREAM = 1
};

struct command {
    char name[COMMAND_NAME];
    double transaction; /* 0: no answer is wanted */
    struct amf_value object;
    struct reader arguments; /* what follows the object */
    uint32_t stream_id;
};

/* Of an AMF0 command, or of an AMF3 one that is AMF0 but for its first byte, as all are. 0 or
 * -ERR_PROTOCOL. command borrows the message. */
int command_parse(struct command *out, const struct rtmp_message *message) MUST_CHECK;

struct connect_request {
    char app[APP_MAX]; /* without what follows "?" */
    char token[TOKEN_TEXT];
    double object_encoding;
    bool is_enhanced; /* it named FourCCs */
    bool takes_hevc, takes_opus;
};

/* 0, -ERR_PROTOCOL, or -ERR_TOO_LONG. The caller wipes the token, "" without one. */
int connect_parse(struct connect_request *out, const struct command *command) MUST_CHECK;

struct play_request {
    char slug[SLUG_MAX];
    char token[TOKEN_TEXT]; /* "" without one */
    bool wants_reset;
};

/* play's name is "SLUG?token=TOKEN" or "SLUG/sub?token=TOKEN", with or without "flv:" or "mp4:"
 * before it; without a name the last part of the app is it. 0, -ERR_PROTOCOL, or -ERR_TOO_LONG. The
 * caller wipes the token. */
int play_parse(struct play_request *out, const struct command *command,
               const struct connect_request *connect) MUST_CHECK;

struct status {
    const char *code, *text;
    bool is_error;
};

/* Messages as they are sent, in chunks of chunk_bytes. */
void wire_write_number(struct writer *out, uint8_t type, uint32_t number);
void wire_write_bandwidth(struct writer *out, uint32_t window_bytes);
void wire_write_user_control(struct writer *out, uint16_t event, uint32_t number);
void wire_write_connected(struct writer *out, const struct command *command,
                          const struct connect_request *connect);
void wire_write_refused(struct writer *out, double transaction, const struct status *status);

/* _result with a number: of a new stream, of a length in seconds. */
void wire_write_result(struct writer *out, double transaction, double number);

/* onStatus on the viewer's stream; about names the stream, for people. */
void wire_write_status(struct writer *out, const struct status *status, const char *about);

/* onMetaData, of the tracks that takes says. */
void wire_write_metadata(struct writer *out, const struct tracks *tracks, const bool *takes);
