/* egress/srt/srt.h: SRT for viewers: a listener on one port, MPEG-TS in live mode. */
#pragma once

#include "egress/egress.h"

extern const struct egress egress_srt;
