/* media/profile.h: a camera's streams: the main one, and maybe a smaller one, "sub".
 *
 * Inside, each is a stream of its own, named SLUG or SLUG/sub; between server and agent each is a
 * source of its own, named by the camera's id or that and "_sub". Neither a slug nor an id can end
 * so by itself.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

enum profile { PROFILE_MAIN, PROFILE_SUB };

/* What a viewer asks for: "sub", "main"; NULL and "" are main. -ERR_NOT_FOUND for anything else. */
int profile_parse(enum profile *out, const char *text) MUST_CHECK;

/* A stream's name of its camera's slug, in out: -ERR_TOO_LONG if it doesn't fit. */
int profile_stream(char *out, size_t room, const char *slug, enum profile profile) MUST_CHECK;

/* Which a stream is, and how long its camera's slug is within the name. */
enum profile profile_of_stream(const char *stream, size_t *slug_len);

/* The same for a source's id of its camera's. */
int profile_source(char *out, size_t room, const char *camera_id, enum profile profile) MUST_CHECK;
enum profile profile_of_source(const char *source_id, size_t *camera_len);
