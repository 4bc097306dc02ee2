/* egress/webrtc/pacing.h: how much may go to a viewer when; private to egress/webrtc/.
 *
 * A path that is known to be thin is filled and no more, by small portions, so that little stands
 * before its narrowest place; any other gets a picture at once.
 */
#pragma once

#include <stdint.h>

struct peer;

/* peer->allowance_bytes at the start, and as of now. */
void pacing_start(struct peer *peer);
void pacing_refill(struct peer *peer);

/* When there will be enough of it to go on. */
int64_t pacing_wait_us(const struct peer *peer);
