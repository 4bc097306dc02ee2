/* H.264 and H.265 parameter sets and slice headers; the first byte picks the codec. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/h264.h"
#include "media/h265.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_h264(const uint8_t *nal, size_t len)
{
    static struct h264_sps sps;
    struct h264_pps pps = {.is_known = true, .has_bottom_field_order = true};
    struct h264_poc poc = {0};
    struct h264_slice slice;
    uint8_t id;

    if (!h264_parse_sps(&sps, nal, len) && (!sps.width || sps.width > VIDEO_MAX_PIXELS_ASIDE))
        abort();
    if (!h264_parse_pps(&pps, &id, nal, len) && pps.sps_id >= H264_SPS_MAX)
        abort();
    /* The last SPS that was good, with this as a slice. */
    if (sps.is_known && !h264_parse_slice(&slice, &sps, &pps, nal, len))
        h264_poc_next(&poc, &sps, &slice);
    h264_sei_has_recovery_point(nal, len);
}

static void try_h265(const uint8_t *nal, size_t len)
{
    static struct h265_sps sps;
    struct h265_pps pps = {.is_known = true};
    struct h265_poc poc = {0};
    int32_t order;
    uint8_t id;

    if (!h265_parse_sps(&sps, nal, len) && (!sps.width || sps.width > H265_MAX_PIXELS_ASIDE))
        abort();
    if (!h265_parse_pps(&pps, &id, nal, len) && pps.sps_id >= H265_SPS_MAX)
        abort();
    if (sps.is_known && h265_poc_next(&poc, &order, &sps, &pps, (struct nal_view){nal, len}))
        return;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct writer writer;
    struct buf *config;
    char codec[64];

    if (!len)
        return 0;
    if (bytes[0] & 1)
        try_h265(bytes + 1, len - 1);
    else
        try_h264(bytes + 1, len - 1);
    config = buf_copy(bytes + 1, len - 1);
    writer_init(&writer, 1 << 20);
    if (config && !h264_write_avcc(&writer, config) && h264_codec_string(codec, 64, config))
        abort();
    writer_reset(&writer);
    if (config && !h265_write_hvcc(&writer, config) && h265_codec_string(codec, 64, config))
        abort();
    writer_fini(&writer);
    buf_unref(config);
    return 0;
}
