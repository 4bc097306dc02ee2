#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtsp/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was read and written is read again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rtsp_transport found[RTSP_TRANSPORTS_MAX], again[RTSP_TRANSPORTS_MAX];
    char *text = malloc(len + 1), out[256];
    int count;

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    count = rtsp_transport_parse(found, text);
    for (int i = 0; i < count; i++)
        if (rtsp_transport_format(&found[i], out, sizeof(out)) < 0 ||
            rtsp_transport_parse(again, out) != 1 || again[0].is_tcp != found[i].is_tcp)
            abort();
    free(text);
    return 0;
}
