/* egress/rtmp/rtmp.h: the RTMP server for viewers, plain and over TLS, with Enhanced RTMP. */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_rtmp;
