/* media/packager.h: turns a stream's frames into packets of one kind, once per stream.
 *
 * Runs on the stream's home loop, while a viewer of its kind is there. Pure: no I/O, no clock
 * but the frames' own.
 */
#pragma once

#include "media/frame.h"
#include "media/packet.h"
#include "media/track.h"

struct packager;

/* Where packets go; lives as long as the packager. push borrows the packet for the call. */
struct packager_sink {
    void (*push)(struct packager_sink *sink, struct packet *packet);
};

struct packager_kind {
    const char *name;
    enum packet_kind kind;

    /* 0 and an owned packager in *out; sink is borrowed. */
    int (*open)(struct packager **out, struct packager_sink *sink);

    /* New tracks: at first, and whenever they change. Borrowed. -ERR_UNSUPPORTED if none of
     * them can be carried; those that can't are left out. */
    int (*set_tracks)(struct packager *packager, struct tracks *tracks);

    /* Frames in arrival order. Borrowed. An error costs that frame only. */
    int (*push)(struct packager *packager, struct frame *frame);

    /* NULL is fine. What is incomplete is dropped. */
    void (*close)(struct packager *packager);
};

extern const struct packager_kind packager_rtp;  /* media/format/rtp_packager.c */
extern const struct packager_kind packager_cmaf; /* media/format/cmaf.c */
