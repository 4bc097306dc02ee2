/* http/target.h: request targets, authorities and queries; pure, in place (RFC 9112 section 3.2,
 * RFC 3986).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* All point into the text that was parsed, or at constants. */
struct target {
    const char *path;      /* decoded once, dot segments removed; "*" for the asterisk form */
    const char *query;     /* raw; "" without one */
    const char *authority; /* of the absolute form; else NULL */
};

/* text is changed. -ERR_PROTOCOL: neither origin, absolute nor asterisk form; a byte that a
 * target can't have; "%00", a control byte or a backslash in the path; dots above the root. */
int target_parse(struct target *out, char *text) MUST_CHECK;

/* A host with an optional port, without user information, as Host and :authority carry it. */
bool target_is_authority(const char *text);

/* The first parameter called name, percent- and plus-decoded. False, and "" in out, when there
 * is none, when it is malformed or has a NUL, or when it needs more than room. */
bool target_query_value(const char *query, const char *name, char *out, size_t room);
