/* rtsp/transport.h: the Transport header (RFC 2326 section 12.39), pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RTSP_TRANSPORTS_MAX = 8 };

struct rtsp_transport {
    bool is_tcp;                  /* interleaved */
    bool is_multicast, is_secure; /* RTP/SAVP */
    bool has_channels;
    uint8_t channel, channel_rtcp;
    bool has_client_port, has_server_port;
    uint16_t client_rtp, client_rtcp, server_rtp, server_rtcp;
    bool has_ssrc;
    uint32_t ssrc;
};

/* The alternatives of a header, best first: how many that we know (0: only others, such as
 * MP2T or RAW), or -ERR_PROTOCOL (malformed, a port of 0 or beyond 65535, channels that overlap
 * or run backwards), -ERR_TOO_MANY. What it asks to have sent elsewhere (destination=, source=)
 * is not even read. */
int rtsp_transport_parse(struct rtsp_transport out[RTSP_TRANSPORTS_MAX],
                         const char *text) MUST_CHECK;

/* As a server answers, or a client asks. */
int rtsp_transport_format(const struct rtsp_transport *transport, char *out,
                          size_t room) MUST_CHECK;
