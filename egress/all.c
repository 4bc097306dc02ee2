#include "egress/egress.h"
#include "egress/hls/hls.h"
#include "egress/rtmp/rtmp.h"
#include "egress/rtsp/rtsp.h"
#include "egress/srt/srt.h"
#include "egress/webrtc/webrtc.h"

const struct egress *const egress_all[] = {
    &egress_rtsp, &egress_hls, &egress_webrtc, &egress_srt, &egress_rtmp, NULL,
};
