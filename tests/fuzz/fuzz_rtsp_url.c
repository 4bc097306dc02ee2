#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtsp/control.h"
#include "rtsp/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A URL, and behind a line end what a camera would have it joined with. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct rtsp_url url, again;
    char *text = malloc(len + 1), *control, out[2 * RTSP_URL_MAX], value[64];

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    control = strchr(text, '\n');
    if (control)
        *control++ = '\0';
    if (rtsp_url_parse(&url, text) == 0) {
        (void)rtsp_query_value(url.query, "token", value, sizeof(value));
        if (rtsp_url_format(&url, out, sizeof(out)) == 0 && strlen(out) < RTSP_URL_MAX &&
            (rtsp_url_parse(&again, out) < 0 || strcmp(again.host, url.host) != 0 ||
             again.port != url.port))
            abort();
        if (control)
            (void)!rtsp_control_url(&url, NULL, control, out, sizeof(out));
        rtsp_query_remove(url.query, "transport");
    }
    free(text);
    return 0;
}
