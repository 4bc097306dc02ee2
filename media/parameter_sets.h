/* media/parameter_sets.h: the parameter sets of an H.264 or H.265 track, as struct track keeps
 * them: each NAL unit behind its length in 4 bytes, VPS before SPS before PPS.
 */
#pragma once

#include "base/buf.h"
#include "media/track.h"

struct parameter_sets {
    uint8_t bytes[PARAMETER_SETS_MAX_BYTES];
    size_t len;
};

/* Which set of which kind a NAL unit is. rank orders the kinds: 0 VPS, 1 SPS, 2 PPS. */
struct parameter_set_key {
    unsigned rank, id;
};

enum { PARAMETER_SET_RANKS = 3 };

/* 0 and the key, or -ERR_PROTOCOL if nal is no parameter set. */
typedef int parameter_set_key_of(const uint8_t *nal, size_t len, struct parameter_set_key *key);

/* Adds nal, or puts it in place of the set with the same key. 1 when something changed, 0 when
 * it was there already, or -ERR_PROTOCOL. When there is no room all older sets go. */
int parameter_sets_put(struct parameter_sets *sets, parameter_set_key_of *key_of,
                       const uint8_t *nal, size_t len) MUST_CHECK;

struct nal_view {
    const uint8_t *bytes; /* borrowed; NULL: no more */
    size_t len;
};

/* The NAL units of length-prefixed bytes, one after the other; *offset begins at 0. Ends at the
 * first that is cut short. */
struct nal_view nal_next(const uint8_t *bytes, size_t len, size_t *offset);
