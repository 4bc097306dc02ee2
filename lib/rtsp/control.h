/* rtsp/control.h: the URL that a request for a media names (RFC 2326 appendix C.1.1). Pure.
 *
 * Cameras write their own idea of their address into Content-Base and a=control: an address
 * behind a NAT, another port, a name nobody knows. So host, port and scheme are always those
 * that we connected to; only path and query are taken from what the camera wrote.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "rtsp/url.h"

/* url: what was asked for. base: Content-Base, or NULL. control: of the media or the session:
 * absolute, relative, "*" or "". 0, or -ERR_TOO_LONG. */
int rtsp_control_url(const struct rtsp_url *url, const char *base, const char *control, char *out,
                     size_t room) MUST_CHECK;
