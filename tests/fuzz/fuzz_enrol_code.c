/* The text of an enrolment code; what is one is written as one again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent-proto/enrol_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1), again[ENROL_CODE_TEXT];
    struct enrol_code code;

    if (!text)
        return 0;
    if (len)
        memcpy(text, bytes, len);
    text[len] = '\0';
    if (enrol_code_parse(&code, text) == 0 && enrol_code_make(&code, again, sizeof(again)) < 0)
        abort();
    free(text);
    return 0;
}
