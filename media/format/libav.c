#include "media/format/libav.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <pthread.h>
#include <string.h>

static void set_quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

void libav_be_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_quiet);
}

int libav_set_extradata(struct AVCodecParameters *parameters, const uint8_t *bytes, size_t len)
{
    parameters->extradata = av_mallocz(len + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!parameters->extradata)
        return -ENOMEM;
    memcpy(parameters->extradata, bytes, len);
    parameters->extradata_size = (int)len;
    return 0;
}

int libav_set_opus_head(struct AVCodecParameters *parameters, uint8_t channels)
{
    uint8_t head[] = "OpusHead\1\2\0\0\x80\xbb\0\0\0\0"; /* little-endian; its NUL is family 0 */

    head[9] = channels;
    return libav_set_extradata(parameters, head, sizeof(head));
}

bool libav_is_adts_rate(uint32_t rate)
{
    static const uint32_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                     22050, 16000, 12000, 11025, 8000,  7350};

    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (rates[i] == rate)
            return true;
    return false;
}
