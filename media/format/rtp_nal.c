#include "media/format/rtp_nal.h"

#include <errno.h>
#include <string.h>

#include "media/format/fmtp.h"

enum { LENGTH_BYTES = 4 };

/* Cameras with intra refresh send no IDR at all: after so many units without, a recovery point
 * is as good a place to start as there will be. */
enum { UNITS_BEFORE_RECOVERY = 100 };

void nal_init(struct nal_depacketiser *nals, const struct nal_codec *codec)
{
    nals->codec = codec;
    nals->fragment = NAL_NO_FRAGMENT;
    writer_init(&nals->unit, FRAME_MAX_BYTES);
}

void nal_fini(struct nal_depacketiser *nals)
{
    writer_fini(&nals->unit);
}

static void learn(struct nal_depacketiser *nals, const uint8_t *nal, size_t len)
{
    struct parameter_set_key key;
    int changed;

    /* Zeros behind the last bit are not part of the set (section 7.4.1): cameras differ. */
    while (len && !nal[len - 1])
        len--;
    if (!len || nals->codec->key_of(nal, len, &key) < 0 || nals->codec->learn(nals, nal, len) < 0)
        return;
    changed = parameter_sets_put(&nals->sets, nals->codec->key_of, nal, len);
    if (changed < 0)
        return;
    nals->sets_changed |= changed > 0;
    nals->ranks_seen |= 1u << key.rank;
}

void nal_learn_sprop(struct nal_depacketiser *nals, const char *fmtp, const char *name)
{
    struct fmtp_value list = fmtp_find(fmtp, name);
    struct fmtp_value item;
    uint8_t nal[PARAMETER_SETS_MAX_BYTES];

    while (fmtp_next(&list, &item))
        learn(nals, nal, fmtp_decode_base64(item, nal, sizeof(nal)));
}

static bool has_all_sets(const struct nal_depacketiser *nals)
{
    return (nals->ranks_seen & nals->codec->ranks) == nals->codec->ranks;
}

int nal_finish_open(struct nal_depacketiser *nals)
{
    if (!has_all_sets(nals))
        return 0;
    nals->sets_changed = false;
    nals->base.has_track = true;
    return depacketiser_set_config(&nals->base, nals->sets.bytes, nals->sets.len);
}

void nal_tear(struct nal_depacketiser *nals)
{
    nals->is_torn = true;
    nals->fragment = NAL_NO_FRAGMENT;
}

static void start_unit(struct nal_depacketiser *nals, uint32_t timestamp)
{
    writer_reset(&nals->unit);
    nals->is_open = true;
    nals->is_torn = nals->has_slice = nals->is_recovery_point = false;
    nals->fragment = NAL_NO_FRAGMENT;
    nals->now = (struct access_unit){.timestamp = timestamp, .is_discardable = true};
}

/* How many pictures that were decoded before this one are shown after it: the most seen is the
 * stream's reorder depth. */
static void note_order(struct nal_depacketiser *nals, struct access_unit *unit)
{
    unsigned ahead = 0;
    unsigned window;

    if (unit->is_key)
        nals->poc_count = 0;
    window = nals->poc_count < POC_WINDOW ? nals->poc_count : POC_WINDOW;
    for (unsigned i = 0; i < window; i++)
        ahead += nals->poc[i] > unit->poc_delta;
    nals->poc[nals->poc_count++ % POC_WINDOW] = unit->poc_delta;
    if (!nals->reorder_is_known && ahead > nals->reorder) {
        nals->reorder = (uint8_t)ahead;
        nals->sets_changed |= !nals->base.track.has_b_frames;
    }
}

static int tell_changed_track(struct nal_depacketiser *nals)
{
    int err;

    if (nals->sets_changed) {
        err = depacketiser_set_config(&nals->base, nals->sets.bytes, nals->sets.len);
        if (err)
            return err;
    } else if (nals->base.has_track) {
        return 0;
    }
    nals->sets_changed = false;
    nals->base.track.has_b_frames = nals->reorder > 0;
    depacketiser_tell_track(&nals->base);
    return 0;
}

/* Tells of the unit, unless it is torn, and closes it. */
static int finish_unit(struct nal_depacketiser *nals)
{
    int err;

    nals->is_open = false;
    if (nals->unit.err || nals->fragment != NAL_NO_FRAGMENT)
        nals->is_torn = true;
    if (nals->is_torn || !nals->has_slice)
        return nals->unit.err;
    nals->units_without_key++;
    if (nals->is_recovery_point && nals->units_without_key > UNITS_BEFORE_RECOVERY)
        nals->now.is_key = true;
    else if (nals->now.is_key)
        nals->units_without_key = 0;
    if (nals->now.has_poc)
        note_order(nals, &nals->now);
    nals->now.reorder = nals->reorder;
    if (!has_all_sets(nals))
        return -ERR_NOT_READY;
    err = tell_changed_track(nals);
    if (err)
        return err;
    return depacketiser_tell_unit(&nals->base, nals->now, nals->unit.bytes, nals->unit.len);
}

int nal_begin_packet(struct nal_depacketiser *nals, const struct rtp_packet *packet,
                     bool is_after_loss)
{
    bool is_same = nals->is_open && nals->now.timestamp == packet->timestamp;
    int err = 0;

    if (nals->is_open && is_after_loss)
        nal_tear(nals);
    if (is_same)
        return 0;
    if (nals->is_open && !nals->is_torn && !nals->has_slice && !nals->unit.err &&
        nals->fragment == NAL_NO_FRAGMENT) {
        /* Messages alone, from a camera that stamps them otherwise: they go with what follows. */
        nals->now.timestamp = packet->timestamp;
        return 0;
    }
    if (nals->is_open)
        err = finish_unit(nals);
    start_unit(nals, packet->timestamp);
    return err;
}

int nal_end_packet(struct nal_depacketiser *nals, const struct rtp_packet *packet)
{
    if (!packet->marker || nals->marker_lies || (!nals->has_slice && !nals->is_torn))
        return 0;
    nals->was_marked = true;
    nals->was_timestamp = packet->timestamp;
    return finish_unit(nals);
}

/* Takes the facts of a slice into the unit. */
static void note_slice(struct nal_depacketiser *nals, const struct nal_facts *facts)
{
    struct access_unit *now = &nals->now;

    if (!nals->has_slice && !facts->is_first_slice) {
        /* The picture's beginning is missing. If it went out as a unit of its own, then the
         * marker doesn't mean what it should. */
        if (nals->was_marked && nals->was_timestamp == now->timestamp)
            nals->marker_lies = true;
        nals->is_torn = true;
        return;
    }
    if (!nals->has_slice) {
        now->has_poc = facts->has_poc;
        now->poc_delta = facts->poc;
    }
    nals->has_slice = true;
    now->is_key |= facts->is_key;
    now->is_discardable &= !facts->is_reference;
}

/* Looks at a whole NAL unit; true if it belongs into the access unit. */
static bool take_nal(struct nal_depacketiser *nals, const uint8_t *nal, size_t len)
{
    struct nal_facts facts = {0};

    if (len < nals->codec->header_bytes)
        return false;
    nals->codec->inspect(nals, nal, len, &facts);
    switch (facts.use) {
    case NAL_DROP:
        return false;
    case NAL_PARAMETERS:
        learn(nals, nal, len);
        return false;
    case NAL_MESSAGE:
        nals->is_recovery_point |= facts.is_recovery_point;
        return true;
    case NAL_SLICE:
        note_slice(nals, &facts);
        return !nals->is_torn;
    }
    return false;
}

static void add_one(struct nal_depacketiser *nals, const uint8_t *nal, size_t len)
{
    if (nals->is_torn || !take_nal(nals, nal, len))
        return;
    writer_uint(&nals->unit, len, LENGTH_BYTES);
    writer_put(&nals->unit, nal, len);
}

/* The next start code at or after at: 00 00 01, or end. */
static const uint8_t *find_start_code(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 3; at++) {
        if (!at[0] && !at[1] && at[2] == 1)
            return at;
    }
    return end;
}

void nal_add(struct nal_depacketiser *nals, const uint8_t *bytes, size_t len)
{
    const uint8_t *end = bytes + len;
    const uint8_t *code;

    /* No NAL unit begins with a zero byte, so this costs nothing where all is well. */
    if (len < 4 || bytes[0] || bytes[1]) {
        add_one(nals, bytes, len);
        return;
    }
    code = find_start_code(bytes, end);
    while (code != end) {
        const uint8_t *nal = code + 3;
        const uint8_t *last;

        code = find_start_code(nal, end);
        last = code;
        while (last > nal && !last[-1])
            last--;
        add_one(nals, nal, (size_t)(last - nal));
    }
}

void nal_fragment_start(struct nal_depacketiser *nals, const uint8_t *header)
{
    if (nals->fragment != NAL_NO_FRAGMENT)
        nal_tear(nals);
    if (nals->is_torn)
        return;
    nals->fragment = (int64_t)nals->unit.len;
    writer_uint(&nals->unit, 0, LENGTH_BYTES);
    writer_put(&nals->unit, header, nals->codec->header_bytes);
}

void nal_fragment_add(struct nal_depacketiser *nals, const uint8_t *bytes, size_t len)
{
    if (nals->fragment == NAL_NO_FRAGMENT)
        nal_tear(nals);
    if (!nals->is_torn)
        writer_put(&nals->unit, bytes, len);
}

void nal_fragment_end(struct nal_depacketiser *nals)
{
    size_t offset, len;
    uint8_t *at;

    if (nals->unit.err)
        nal_tear(nals);
    if (nals->is_torn || nals->fragment == NAL_NO_FRAGMENT)
        return;
    offset = (size_t)nals->fragment;
    at = nals->unit.bytes + offset;
    len = nals->unit.len - offset - LENGTH_BYTES;
    nals->fragment = NAL_NO_FRAGMENT;
    if (!take_nal(nals, at + LENGTH_BYTES, len)) {
        nals->unit.len = offset;
        return;
    }
    at[0] = (uint8_t)(len >> 24);
    at[1] = (uint8_t)(len >> 16);
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
}
