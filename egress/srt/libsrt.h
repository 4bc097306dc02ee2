/* egress/srt/libsrt.h: libsrt's header, without the names of syslog's levels that come with it. */
#pragma once

#include <srt/srt.h>

#undef LOG_DEBUG
#undef LOG_INFO
