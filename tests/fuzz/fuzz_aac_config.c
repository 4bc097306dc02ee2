/* AudioSpecificConfig, and LATM's StreamMuxConfig. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/aac.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct bits bits = bits_of(bytes, len);
    struct latm_config latm;
    struct aac_config config;
    char codec[32];

    if (!aac_parse_config(&config, bytes, len) &&
        (!config.channels || aac_codec_string(codec, sizeof(codec), bytes, len)))
        abort();
    /* What LATM carries must be a config by itself. */
    if (!latm_parse_config(&latm, &bits) && aac_parse_config(&config, latm.config, latm.config_len))
        abort();
    return 0;
}
