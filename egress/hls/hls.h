/* egress/hls/hls.h: Low-Latency HLS in CMAF for browsers and players (RFC 8216bis), and plain
 * HLS in MPEG-TS for old ones. */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_hls;
