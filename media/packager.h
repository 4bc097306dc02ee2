/* media/packager.h: turns a stream's frames into packets of one kind, once per stream.
 *
 * Runs on the stream's home loop, while a viewer of its kind is there. Pure: no I/O, no clock
 * but the frames' own. One that transcodes hands work to a thread, and is told of the results on
 * that loop, in later turns.
 */
#pragma once

#include "media/frame.h"
#include "media/packet.h"
#include "media/track.h"

struct packager;

/* Where packets go; lives as long as the packager. push borrows the packet for the call, and comes
 * from within the packager's push, or later, from the loop: never after close. */
struct packager_sink {
    void (*push)(struct packager_sink *sink, struct packet *packet);
};

struct packager_kind {
    const char *name;
    enum packet_kind kind;

    /* On the stream's home loop. 0 and an owned packager in *out; sink is borrowed. */
    int (*open)(struct packager **out, struct packager_sink *sink);

    /* New tracks: at first, and whenever they change. Borrowed. -ERR_UNSUPPORTED if none of
     * them can be carried; those that can't are left out. */
    int (*set_tracks)(struct packager *packager, struct tracks *tracks);

    /* Frames in arrival order. Borrowed. An error costs that frame only, or tells of an earlier one
     * that a thread could not do. */
    int (*push)(struct packager *packager, struct frame *frame);

    /* NULL is fine. What is incomplete is dropped, and so is what a thread still works on. Not from
     * inside the sink's push. */
    void (*close)(struct packager *packager);
};

extern const struct packager_kind packager_rtp;  /* media/format/rtp_packager.c */
extern const struct packager_kind packager_key;  /* media/format/key_packager.c */
extern const struct packager_kind packager_cmaf; /* media/format/cmaf.c */

/* media/format/ts_packager.c: MPEG-TS, in whole packets of 188 bytes. One packet a frame, is_key
 * where it begins with PAT and PMT and a viewer can start; or one a segment of the source's
 * timeline, which ends when the next begins. */
extern const struct packager_kind packager_ts;
extern const struct packager_kind packager_ts_segment;

/* media/format/rtp_opus_packager.c: one PACKET_RTP_OPUS per 20 ms, as packager_rtp would write Opus
 * (media/format/rtp_packager.h), of the first track that media/audio/to_opus.h can take. Of no
 * other track: -ERR_UNSUPPORTED if there is none. */
extern const struct packager_kind packager_opus;

/* media/format/flv_packager.c: RTMP messages in chunks (rtmp/chunk.h) on message stream 1, with
 * absolute times: one packet a frame, and one that is_init with the headers of all tracks. */
extern const struct packager_kind packager_flv;
