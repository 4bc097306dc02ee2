/* agent/rtsp_client.h: one RTSP session with a camera (RFC 2326), from connecting to its end.
 *
 * Speaks the dialects that cameras really speak: several challenges, wrong Content-Base, missing
 * or absolute controls, other CSeqs, unasked channels, no session timeout. One try: who wants
 * another opens another.
 */
#pragma once

#include "agent/allow.h"
#include "base/loop.h"
#include "media/format/depacketiser.h"
#include "rtsp/url.h"

struct rtsp_client;

enum rtsp_failure {
    RTSP_UNREACHABLE,  /* no connection, refused, no such name */
    RTSP_UNAUTHORISED, /* 401, 403, or a challenge that we can't answer */
    RTSP_UNSUPPORTED,  /* nothing in its description that can be relayed */
    RTSP_REFUSED,      /* another status */
    RTSP_BROKEN,       /* it broke the protocol, or went away */
    RTSP_TIMED_OUT     /* no answer */
};

struct rtsp_client_handler {
    /* Before on_playing, and again when the media says otherwise. index: 0, 1 … in use. */
    void (*on_track)(void *owner, unsigned index, const struct track *track);
    void (*on_unit)(void *owner, unsigned index, const struct access_unit *unit);
    /* RTCP: this RTP time was that wall-clock time. */
    void (*on_report)(void *owner, unsigned index, const struct rtcp_report *report);
    void (*on_playing)(void *owner, unsigned track_count);
    /* The last callback; text is a sentence for people, valid until it returns. */
    void (*on_failed)(void *owner, enum rtsp_failure failure, const char *text);
};

struct rtsp_client_config {
    struct loop *loop;          /* borrowed */
    const struct rtsp_url *url; /* copied */
    const struct allow *allow;  /* borrowed: addresses that may be dialled */
};

/* 0 and an owned client; callbacks never come from inside this call. */
int rtsp_client_open(struct rtsp_client **out, const struct rtsp_client_config *config,
                     const struct rtsp_client_handler *handler, void *owner) MUST_CHECK;

/* Says TEARDOWN if it plays. No more callbacks. NULL is fine. */
void rtsp_client_close(struct rtsp_client *client);
