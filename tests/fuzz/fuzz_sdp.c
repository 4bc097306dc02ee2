#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtsp/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was read must survive being written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct sdp first, second;
    struct sdp_origin origin = {.name = "x", .host = "::1", .id = 1};
    struct writer out;

    if (sdp_parse(&first, (const char *)bytes, len) < 0)
        return 0;
    writer_init(&out, 256 * 1024);
    sdp_write(&out, &first, &origin);
    if (out.err == 0 && out.len <= SDP_MAX_BYTES &&
        (sdp_parse(&second, (const char *)out.bytes, out.len) < 0 ||
         second.media_count != first.media_count))
        abort();
    writer_fini(&out);
    return 0;
}
