/* server/ticket.h: what lets a lane in: a proof that this process asked for it just now.
 *
 * Expiry (8 bytes, monotonic microseconds), nonce (8), and the first 128 bits of HMAC-SHA-256
 * over both and the camera's id: nothing to look up, so any loop can check one.
 */
#pragma once

#include <stdint.h>

#include "server/relay.h"

struct ticket_key {
    uint8_t bytes[32];
};

/* A fresh key: tickets die with the process. */
void ticket_key_init(struct ticket_key *key);

/* Good for a minute from now_us. */
void ticket_make(const struct ticket_key *key, const char *camera_id, int64_t now_us,
                 uint8_t out[RELAY_TICKET]);

/* 0, or -ERR_DENIED: another camera's, forged, or old. */
int ticket_check(const struct ticket_key *key, const char *camera_id,
                 const uint8_t ticket[RELAY_TICKET], int64_t now_us) MUST_CHECK;
