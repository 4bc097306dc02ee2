#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "rtmp/amf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was passed over as a whole can be read member by member, to the same end. */
static void walk(struct amf_value value, unsigned depth)
{
    struct amf_value member;
    struct amf_text name;
    char text[64];

    if (depth > AMF_DEPTH_MAX)
        abort();
    if (value.type == AMF_STRING)
        (void)amf_text_copy(value.text, text, sizeof(text));
    while (value.type == AMF_OBJECT && amf_next_member(&value.inside, &name, &member)) {
        (void)amf_text_copy(name, text, sizeof(text));
        walk(member, depth + 1);
    }
    while (value.type == AMF_ARRAY && !reader_is_done(&value.inside))
        walk(amf_read(&value.inside), depth + 1);
    if ((value.type == AMF_OBJECT || value.type == AMF_ARRAY) && !reader_is_ok(&value.inside))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct reader in = reader_of(bytes, len);

    while (!reader_is_done(&in))
        walk(amf_read(&in), 0);
    return 0;
}
