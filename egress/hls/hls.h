/* egress/hls/hls.h: Low-Latency HLS in CMAF for browsers and players (RFC 8216bis). */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_hls;
