/* egress/webrtc/ice.h: one viewer's ICE-lite agent (RFC 8445 section 2.5; consent RFC 7675; TCP
 * RFC 6544). Pure: messages and a clock in, an answer out.
 *
 * A viewer's address is proved by an authenticated check, and nothing is sent to any other. The
 * newest nominated (USE-CANDIDATE) path is selected; a check without it on a new path of the
 * selected one's kind (UDP or TCP, IPv4 or IPv6) follows a viewer whose NAT gave it another address
 * once the old path has been silent for a second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "egress/webrtc/sdp.h"
#include "egress/webrtc/stun.h"

enum {
    ICE_UFRAG_TEXT = 21,
    ICE_PASSWORD_TEXT = 33,
    ICE_PATHS_MAX = 4,
    ICE_ASKS_MAX = 4,
    ICE_SILENT_US = 1000000,    /* without a check for so long, a path may have moved */
    ICE_STALE_US = 5 * 1000000, /* and for so long, one that is not selected may be replaced */
    ICE_CONSENT_US = 30 * 1000000
};

/* Where a packet came from or goes to. */
struct ice_route {
    struct addr remote;
    void *tcp; /* the connection, borrowed; NULL: UDP */
    void *udp; /* the socket that it came by, borrowed; NULL: TCP */
};

/* What came; all borrowed. */
struct ice_packet {
    const struct ice_route *from;
    const uint8_t *bytes;
    size_t len;
};

struct ice_path {
    struct ice_route route; /* as its last check came: an IPv4 address mapped or not */
    int64_t began_us;       /* of the first authenticated check */
    int64_t checked_us;     /* of the last; 0: empty place */
    bool is_nominated;
};

struct ice {
    char ufrag[ICE_UFRAG_TEXT], password[ICE_PASSWORD_TEXT]; /* ours */
    char remote_ufrag[UFRAG_TEXT];
    char remote_password[PASSWORD_TEXT]; /* for ice_ask_back, set by the owner; "": it never asks */
    unsigned ask_count;
    struct ice_path paths[ICE_PATHS_MAX];
    int selected;       /* index in paths, -1 before any check was nominated */
    int64_t checked_us; /* of the last authenticated check on any path, be it gone; at first the
                           start */
    uint64_t refused;   /* messages dropped: unknown user, wrong password, too many paths */
};

/* Makes credentials: the ufrag begins with the two hexadecimal digits of loop_index, so that any
 * loop can tell whose a STUN message is; the rest is random. now_us is a monotonic clock's, above
 * 0. 0, -ERR_TOO_MANY over 256 loops, or -ERR_TOO_LONG when remote_ufrag is. */
int ice_init(struct ice *ice, unsigned loop_index, const char *remote_ufrag,
             int64_t now_us) MUST_CHECK;

/* The local ufrag that a STUN request names (USERNAME is "ours:theirs"), copied with a NUL into
 * out. False when there is none or it is too long. */
bool ice_find_ufrag(const uint8_t *bytes, size_t len, char out[ICE_UFRAG_TEXT]);

/* The loop that a local ufrag of ours begins with, or -1. */
int ice_loop_of(const char *ufrag);

/* Takes a STUN message. Returns the length of the answer to send back the way it came, or 0:
 * nothing is answered to what is not authentic, nor where there is no place for another path. An
 * answer is never longer than the message. What is answered by an error proves nothing. */
size_t ice_input(struct ice *ice, const struct ice_packet *packet, uint8_t reply[STUN_REPLY_MAX],
                 int64_t now_us);

/* A check of our own, back to where one came from, before anything is nominated: a full agent
 * (pion) nominates a pair as soon as a check comes back on it, and else waits 200 ms. Only for
 * those whose own check was authentic, and at most ICE_ASKS_MAX a viewer. Its answer is of no
 * use. Returns the length, or 0: nothing is to be sent. */
size_t ice_ask_back(struct ice *ice, uint8_t out[STUN_REPLY_MAX]);

/* Where media goes now; NULL before the first nominated check and after the consent ran out. */
const struct ice_route *ice_selected(const struct ice *ice, int64_t now_us);

/* Whether a packet (DTLS, SRTP) from there may be taken: an authenticated check came from it. */
bool ice_is_proven(const struct ice *ice, const struct ice_route *from);

/* An authentic report (SRTCP) came from there: as good as a check. libnice sends none any more,
 * only indications that prove nothing, once it is connected. */
void ice_heard(struct ice *ice, const struct ice_route *from, int64_t now_us);

/* No authenticated check on any path for ICE_CONSENT_US (or since the start): the viewer is gone.
 */
bool ice_has_expired(const struct ice *ice, int64_t now_us);

/* A TCP connection closed: its path goes; if it was selected, another that was nominated is. */
void ice_forget_tcp(struct ice *ice, const void *tcp);

/* ICE restart (RFC 8445 section 2.4): new credentials; the selected path stays until a new one is
 * nominated, the others go. Fails as ice_init does, and then changes nothing. */
int ice_restart(struct ice *ice, unsigned loop_index, const char *remote_ufrag) MUST_CHECK;
