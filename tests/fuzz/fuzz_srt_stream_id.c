#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "egress/srt/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is taken names a stream, and ends within its fields. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct srt_request request;
    char *text = malloc(len + 1);

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (srt_request_parse(&request, text) == SRT_CODE_OK && !request.slug[0])
        abort();
    if (!memchr(request.slug, 0, sizeof(request.slug)) ||
        !memchr(request.token, 0, sizeof(request.token)))
        abort();
    free(text);
    return 0;
}
