/* media/format/depacketiser_kind.h: what a depacketiser is made of; private to the
 * depacketisers. Each kind embeds struct depacketiser as its first member. */
#pragma once

#include "media/format/depacketiser.h"

struct depacketiser_kind {
    /* 0 and an owned object with track filled as far as known: the codec, rate and channels are
     * in format already. */
    int (*open)(struct depacketiser **out, const struct rtp_format *format);
    int (*push)(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                bool is_after_loss);
    /* Frees the object, but for the track's config. */
    void (*close)(struct depacketiser *depacketiser);
};

struct depacketiser {
    struct track track; /* its config is owned */

    const struct depacketiser_kind *kind;
    struct depacketiser_sink *sink; /* borrowed */

    bool has_track; /* the track is known well enough to be told */
};

extern const struct depacketiser_kind depacketiser_h264, depacketiser_h265, depacketiser_jpeg,
    depacketiser_aac, depacketiser_latm, depacketiser_simple, depacketiser_mp3;

/* A zeroed object of size bytes, or NULL: for each kind's open. */
void *depacketiser_new(size_t size);

/* Puts a copy of bytes into the track as its config. */
int depacketiser_set_config(struct depacketiser *depacketiser, const void *bytes,
                            size_t len) MUST_CHECK;

/* Tells the sink of the track; only from push. */
void depacketiser_tell_track(struct depacketiser *depacketiser);

/* Tells the sink of a unit with a copy of bytes as its buf, which the caller leaves NULL. */
int depacketiser_tell_unit(struct depacketiser *depacketiser, struct access_unit unit,
                           const void *bytes, size_t len) MUST_CHECK;
