/* rtsp/sdp.h: session descriptions (RFC 4566), as cameras really write them, and as we do. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"

enum { SDP_MEDIA_MAX = 8, SDP_MAX_BYTES = 64 * 1024, SDP_FMTP_MAX = 4096, SDP_CONTROL_MAX = 1024 };

struct sdp_media {
    char kind[16];        /* "video", "audio", "application" */
    uint8_t payload_type; /* the first one */
    char encoding[32];    /* of its rtpmap; "" without one */
    uint32_t clock_rate;
    uint8_t channels;
    char fmtp[SDP_FMTP_MAX];       /* its parameters, "" without */
    char control[SDP_CONTROL_MAX]; /* "" without */
    bool is_backchannel;           /* a=sendonly: the camera would take this, not send it */
};

struct sdp {
    char control[SDP_CONTROL_MAX]; /* of the session: "*", absolute, relative, or "" */
    unsigned media_count;
    struct sdp_media media[SDP_MEDIA_MAX];
};

/* Tolerant: lines it can't read are skipped, media beyond SDP_MEDIA_MAX left out. text need
 * not end in NUL. -ERR_PROTOCOL: no media line at all; -ERR_TOO_LONG. */
int sdp_parse(struct sdp *out, const char *text, size_t len) MUST_CHECK;

/* A description of what we serve: name is the session's, host an address for o= and c=. */
struct sdp_origin {
    const char *name, *host;
    uint64_t id;
};
void sdp_write(struct writer *out, const struct sdp *sdp, const struct sdp_origin *origin);
