/* egress/rtsp/describe.h: what a stream is, as SDP (RFC 4566; 6184, 7798, 3640 …); pure. */
#pragma once

#include "base/writer.h"
#include "media/track.h"

/* Track i is controlled as "trackID=i". host is the server's address as the viewer sees it. */
void describe_write(struct writer *out, const struct tracks *tracks, const char *slug,
                    const char *host);
