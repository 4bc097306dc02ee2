#include "egress/egress.h"
#include "egress/hls/hls.h"
#include "egress/rtsp/rtsp.h"
#include "egress/webrtc/webrtc.h"

const struct egress *const egress_all[] = {
    &egress_rtsp,
    &egress_hls,
    &egress_webrtc,
    NULL,
};

const char *verdict_detail(enum verdict verdict)
{
    static const char *const texts[] = {
        [VERDICT_ALLOW] = "Welcome.",
        [VERDICT_NO_CREDENTIAL] = "A token is needed to watch.",
        [VERDICT_BAD_CREDENTIAL] = "The token is not valid.",
        [VERDICT_DENIED] = "The token does not allow this.",
        [VERDICT_TOO_MANY] = "Too many viewers are watching with this token.",
        [VERDICT_AWAY] = "The camera can't be reached now.",
        [VERDICT_OVERLOADED] = "The server can't take more viewers now.",
    };

    return texts[verdict];
}
