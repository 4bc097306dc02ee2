#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtsp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The same bytes as one piece after the other, as a connection feeds them. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    while (used < len) {
        struct rtsp_parsed parsed = rtsp_parse(bytes + used, len - used);

        if (parsed.piece == RTSP_NEEDS_MORE || parsed.piece == RTSP_BAD)
            break;
        if (parsed.used == 0 || parsed.used > len - used)
            abort();
        if (parsed.piece == RTSP_MESSAGE) {
            (void)rtsp_cseq(parsed.message);
            if (strlen(parsed.message->body) > parsed.message->body_len)
                abort();
            rtsp_message_free(parsed.message);
        }
        used += parsed.used;
    }
    return 0;
}
