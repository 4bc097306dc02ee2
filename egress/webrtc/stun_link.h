/* egress/webrtc/stun_link.h: the STUN servers that WHEP answers name (draft-ietf-wish-whep,
 * "STUN/TURN Server Configuration"). Viewers need none to reach this server; some players want one
 * all the same. TURN has no use here: where only TCP 443 leads out, ICE-TCP takes it.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/option.h"

enum { STUN_LINK_TEXT = 1024 };

/* The value of a Link header that names what option gives, "" without any, in out. An item is
 * "stun:HOST" or "stuns:HOST", maybe with a port (RFC 7064); -ERR_PROTOCOL and it in *wrong
 * (borrowed from the options) otherwise, -ERR_TOO_LONG where they don't fit. */
int stun_link_make(const struct options *options, const char *option, char out[STUN_LINK_TEXT],
                   const char **wrong) MUST_CHECK;
