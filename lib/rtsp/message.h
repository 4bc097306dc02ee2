/* rtsp/message.h: RTSP 1.0 requests, responses and interleaved frames (RFC 2326), pure.
 *
 * Fed bytes as they come; gives one whole message at a time, whose texts it owns. Names of
 * methods and headers compare without case, as cameras and players write them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"

enum {
    RTSP_LINE_MAX = 8 * 1024, /* of the request line and of each header */
    RTSP_HEADERS_MAX = 64,
    RTSP_HEAD_MAX = 32 * 1024,
    RTSP_BODY_MAX = 64 * 1024
};

struct rtsp_header {
    const char *name, *value;
};

struct rtsp_message {
    bool is_request;
    const char *method, *url; /* of a request */
    unsigned status;          /* of a response */
    const char *reason;
    unsigned header_count;
    struct rtsp_header headers[RTSP_HEADERS_MAX];
    const char *body; /* NUL-terminated as well; "" without one */
    size_t body_len;
    char *text; /* owned: what all of the above point into */
};

/* What the first len bytes are. */
enum rtsp_piece {
    RTSP_NEEDS_MORE, /* the beginning of something whole */
    RTSP_MESSAGE,    /* message is filled, used bytes of input belong to it */
    RTSP_FRAME,      /* an interleaved frame ("$", channel, length, bytes): used bytes */
    RTSP_BAD         /* status says how to answer, then close */
};

struct rtsp_parsed {
    enum rtsp_piece piece;
    size_t used;
    unsigned status; /* RTSP_BAD: 400, 413 (body), 414 (line), 431 (headers), 505 (version) */
    uint8_t channel; /* RTSP_FRAME */
    const uint8_t *frame;
    size_t frame_len;
    struct rtsp_message *message; /* RTSP_MESSAGE: owned by the caller */
};

/* Never fails but as above; without memory it is RTSP_BAD with status 500. */
struct rtsp_parsed rtsp_parse(const uint8_t *bytes, size_t len);

/* NULL is fine. */
void rtsp_message_free(struct rtsp_message *message);

/* The first header of that name, any case, or NULL; then the next one after `after`. */
const char *rtsp_header(const struct rtsp_message *message, const char *name);
const char *rtsp_header_next(const struct rtsp_message *message, const char *name,
                             const char *after);

/* CSeq as a number, or -1: absent or not one. */
int64_t rtsp_cseq(const struct rtsp_message *message);

/* "OK", "Session Not Found" …; "Error" for a status that we don't know. */
const char *rtsp_reason(unsigned status);

/* Writes the beginning: the first line and CSeq (left out when negative). Headers follow by
 * rtsp_write_header, the end by rtsp_write_end. */
void rtsp_write_request(struct writer *out, const char *method, const char *url, int64_t cseq);
void rtsp_write_response(struct writer *out, unsigned status, int64_t cseq);

/* The value ends where a byte would end the line; one longer than a line may be fails. */
__attribute__((format(printf, 3, 4))) void rtsp_write_header(struct writer *out, const char *name,
                                                             const char *format, ...);

/* With Content-Type and Content-Length if type is not NULL. */
void rtsp_write_end(struct writer *out, const char *type, const void *body, size_t len);
