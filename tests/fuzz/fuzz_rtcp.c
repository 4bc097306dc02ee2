#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/format/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rtcp_report report;
    int64_t wall_us;

    if (rtcp_parse(&report, bytes, len) || !report.has_sender)
        return 0;
    wall_us = wall_us_of_ntp(report.ntp);
    if (wall_us >= 0 && wall_us_of_ntp(ntp_of_wall_us(wall_us)) != wall_us)
        abort();
    return 0;
}
