/* media/format/libav.h: what all who use libav* share. */
#pragma once

/* What libav* has to say comes back as errors; it writes nothing anywhere. At any time, also more
 * than once, on any thread. */
void libav_be_quiet(void);
