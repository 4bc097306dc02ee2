#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/jpeg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct jpeg_picture picture;

    if (jpeg_parse(&picture, bytes, len))
        return 0;
    if (picture.scan < bytes || picture.scan_len > len || !picture.width || !picture.height)
        abort();
    return 0;
}
