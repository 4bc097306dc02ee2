/* egress/rtsp/rtsp.h: the RTSP 1.0 server for viewers (RFC 2326), plain and over TLS. */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_rtsp;
