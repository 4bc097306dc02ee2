/* agent-proto/tracks.h: a stream's tracks to the Tracks message and back.
 *
 * The packed form is what a lane carries and what the store keeps of a camera.
 */
#pragma once

#include "agent-proto/culvert.pb-c.h"
#include "base/writer.h"
#include "media/track.h"

enum { TRACKS_PACKED_MAX = 16 * 1024 };

/* Appends the packed message. 0, -ENOMEM, -ERR_TOO_LONG. */
int tracks_pack(struct writer *to, const struct tracks *tracks) MUST_CHECK;

/* 0 and an owned *out; -ERR_PROTOCOL for what is malformed or out of range. A codec that this
 * program doesn't know is CODEC_NONE, so that the others keep their places. */
int tracks_unpack(struct tracks **out, const void *bytes, size_t len) MUST_CHECK;
