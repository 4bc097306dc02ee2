/* egress/webrtc/webrtc.h: WebRTC viewers, by WHEP. */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_webrtc;
