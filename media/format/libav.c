#include "media/format/libav.h"

#include <libavutil/log.h>
#include <pthread.h>

static void set_quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

void libav_be_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_quiet);
}
