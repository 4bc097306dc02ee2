/* What single header fields and targets hold: paths, queries, ranges, entity tags, lists. */
#include <stdlib.h>
#include <string.h>

#include "http/answer.h"
#include "http/range.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1), value[32];
    size_t offset, part;
    struct target target;

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (range_parse(text, 1000, &offset, &part) == RANGE_ONE &&
        (part == 0 || offset >= 1000 || part > 1000 - offset))
        abort();
    (void)range_accepts_gzip(text);
    (void)answer_etag_matches(text, "\"tag\"");
    (void)target_query_value(text, "token", value, sizeof(value));
    if (target_parse(&target, text) == 0 && target.path[0] == '/' && strstr(target.path, "/../"))
        abort();
    free(text);
    return 0;
}
