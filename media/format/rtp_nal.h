/* media/format/rtp_nal.h: what the H.264 and the H.265 depacketiser share: putting NAL units
 * together to access units; private to them.
 *
 * A unit ends at the marker, or where the timestamp changes. What a loss or bad bytes tear is
 * dropped up to there.
 */
#pragma once

#include "base/writer.h"
#include "media/format/depacketiser_kind.h"
#include "media/frame.h"
#include "media/parameter_sets.h"

enum nal_use {
    NAL_DROP,       /* delimiters, filler, what we don't know */
    NAL_PARAMETERS, /* goes into the track */
    NAL_MESSAGE,    /* SEI: kept, but makes no unit alone */
    NAL_SLICE
};

struct nal_facts {
    enum nal_use use;
    bool is_first_slice;    /* a picture begins */
    bool is_key;            /* a slice of a picture at which decoding can start */
    bool is_reference;      /* others refer to the picture */
    bool is_recovery_point; /* a message: decoding may begin here, in time */
    bool has_poc;           /* with is_first_slice: poc is known */
    int32_t poc;            /* display order since the last key frame, in pictures */
};

struct nal_depacketiser;

/* What differs between the two codecs. */
struct nal_codec {
    size_t header_bytes;
    unsigned ranks; /* bits of the kinds of parameter sets that decoding needs */
    parameter_set_key_of *key_of;

    void (*inspect)(struct nal_depacketiser *nals, const uint8_t *nal, size_t len,
                    struct nal_facts *facts);

    /* Takes note of a parameter set; -ERR_PROTOCOL and the like when it is not to be used. */
    int (*learn)(struct nal_depacketiser *nals, const uint8_t *nal, size_t len);
};

enum { NAL_NO_FRAGMENT = -1, POC_WINDOW = 16 };

struct nal_depacketiser {
    struct depacketiser base;
    struct writer unit; /* NAL units, each behind its length */

    const struct nal_codec *codec;

    struct parameter_sets sets;
    bool sets_changed;
    unsigned ranks_seen;

    /* The unit that is being put together. */
    bool is_open, is_torn, has_slice, is_recovery_point;
    struct access_unit now;
    int64_t fragment; /* offset of the fragment's length in unit, or NAL_NO_FRAGMENT */

    /* From unit to unit. */
    bool marker_lies;       /* the camera sets it on every slice */
    bool was_marked;        /* the last unit ended at a marker, */
    uint32_t was_timestamp; /* with this timestamp */
    unsigned units_without_key;
    int32_t poc[POC_WINDOW]; /* of the last pictures since the key frame */
    unsigned poc_count;
    uint8_t reorder;
    bool reorder_is_known; /* the parameter sets say it */
};

void nal_init(struct nal_depacketiser *nals, const struct nal_codec *codec);
void nal_fini(struct nal_depacketiser *nals);

/* Takes the parameter sets of a comma-separated base64 list of an SDP; bad ones are left out. */
void nal_learn_sprop(struct nal_depacketiser *nals, const char *fmtp, const char *name);

/* At the end of open: puts what sprop gave into the track. */
int nal_finish_open(struct nal_depacketiser *nals) MUST_CHECK;

/* Before and after the NAL units of a packet are added. */
int nal_begin_packet(struct nal_depacketiser *nals, const struct rtp_packet *packet,
                     bool is_after_loss) MUST_CHECK;
int nal_end_packet(struct nal_depacketiser *nals, const struct rtp_packet *packet) MUST_CHECK;

/* One whole NAL unit, or several with Annex B start codes, which some cameras send. */
void nal_add(struct nal_depacketiser *nals, const uint8_t *bytes, size_t len);

/* A unit in pieces: header is the NAL header put together. */
void nal_fragment_start(struct nal_depacketiser *nals, const uint8_t *header);
void nal_fragment_add(struct nal_depacketiser *nals, const uint8_t *bytes, size_t len);
void nal_fragment_end(struct nal_depacketiser *nals);

/* Drops the unit that is being put together, up to its end. */
void nal_tear(struct nal_depacketiser *nals);
