/* egress/hls/playlist.h: playlists as text (RFC 8216bis); pure. */
#pragma once

#include "base/writer.h"
#include "egress/hls/window.h"

enum { PLAYLIST_MAX_BYTES = 64 * 1024 };

/* The media playlist; with is_delta older segments are skipped (section 6.2.5.1). */
void playlist_write_media(struct writer *out, const struct window *window, bool is_delta);

/* The same over MPEG-TS segments, for players that know no more than RFC 8216 version 3. */
void playlist_write_ts(struct writer *out, const struct window *window);

/* The multivariant playlist, whose one variant is at uri. */
void playlist_write_multivariant(struct writer *out, const struct tracks *tracks,
                                 const struct window *window, const char *uri);
