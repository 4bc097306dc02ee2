#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "egress/hls/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A file's name, and behind a '?' the query. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct hls_directives directives;
    struct hls_request request;
    char *text = malloc(len + 1), *query;

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    query = strchr(text, '?');
    if (query)
        *query++ = '\0';
    if (hls_file_parse(&request, text) == 0 && request.file != HLS_PART && request.part)
        abort();
    if (hls_directives_parse(&directives, query ? query : text) == 0 && directives.has_part &&
        !directives.has_segment)
        abort();
    free(text);
    return 0;
}
