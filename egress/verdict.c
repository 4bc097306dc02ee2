#include "egress/egress.h"

const char *verdict_detail(enum verdict verdict)
{
    static const char *const texts[] = {
        [VERDICT_ALLOW] = "Welcome.",
        [VERDICT_NO_CREDENTIAL] = "A token is needed to watch.",
        [VERDICT_BAD_CREDENTIAL] = "The token is not valid.",
        [VERDICT_DENIED] = "The token does not allow this.",
        [VERDICT_TOO_MANY] = "Too many viewers are watching with this token.",
        [VERDICT_AWAY] = "The camera can't be reached now.",
        [VERDICT_ABSENT] = "This camera has no such stream.",
        [VERDICT_OVERLOADED] = "The server can't take more viewers now.",
    };

    return texts[verdict];
}
