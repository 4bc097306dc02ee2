#include "egress/webrtc/stun_link.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What can't break out of the header's <> or of its line. */
static bool is_host_and_port(const char *text)
{
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(".-:[]", *at))
            return false;
    return *text;
}

static bool is_stun_uri(const char *text)
{
    if (strncmp(text, "stun:", 5) == 0)
        return is_host_and_port(text + 5);
    return strncmp(text, "stuns:", 6) == 0 && is_host_and_port(text + 6);
}

int stun_link_make(const struct options *options, const char *option, char out[STUN_LINK_TEXT],
                   const char **wrong)
{
    size_t count = option_count(options, option), len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        *wrong = option_item(options, option, i);
        if (!is_stun_uri(*wrong))
            return -ERR_PROTOCOL;
        len += (size_t)snprintf(out + len, STUN_LINK_TEXT - len, "%s<%s>; rel=\"ice-server\"",
                                len ? ", " : "", *wrong);
        if (len >= STUN_LINK_TEXT)
            return -ERR_TOO_LONG;
    }
    return 0;
}
