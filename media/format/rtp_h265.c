/* H.265 from RTP (RFC 7798): single NAL units, AP, FU; without DON (sprop-max-don-diff 0). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "media/format/fmtp.h"
#include "media/format/rtp_nal.h"
#include "media/h265.h"

enum { H265_AP = 48, H265_FU = 49, FU_START = 0x80, FU_END = 0x40, HEADER_BYTES = 2 };

struct h265_depacketiser {
    struct nal_depacketiser nals;
    struct h265_sps sps[H265_SPS_MAX];
    struct h265_pps pps[H265_PPS_MAX];
    struct h265_poc poc;
    int32_t key_poc;  /* of the last key frame */
    size_t don_bytes; /* of each decoding order number: 2 where the SDP announces them */
};

static struct h265_depacketiser *h265_of(struct nal_depacketiser *nals)
{
    return (struct h265_depacketiser *)(void *)nals;
}

static void use_sps(struct h265_depacketiser *h265, const struct h265_sps *sps)
{
    struct nal_depacketiser *nals = &h265->nals;
    struct track *track = &nals->base.track;

    h265->sps[sps->id] = *sps;
    track->width = sps->width;
    track->height = sps->height;
    track->frame_rate_mhz = sps->frame_rate_mhz;
    nals->reorder_is_known = true;
    nals->reorder = sps->reorder;
    track->has_b_frames = sps->reorder > 0;
}

static int h265_learn(struct nal_depacketiser *nals, const uint8_t *nal, size_t len)
{
    struct h265_depacketiser *h265 = h265_of(nals);
    struct h265_sps sps;
    struct h265_pps pps;
    uint8_t id;
    int err = 0;

    if (h265_nal_type(nal) == H265_PPS) {
        err = h265_parse_pps(&pps, &id, nal, len);
        if (!err)
            h265->pps[id] = pps;
    } else if (h265_nal_type(nal) == H265_SPS) {
        err = h265_parse_sps(&sps, nal, len);
        /* Zeroed whole when parsed. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
        if (!err && memcmp(&sps, &h265->sps[sps.id], sizeof(sps)) != 0)
            use_sps(h265, &sps);
    }
    return err;
}

/* Whether other pictures refer to it: not so where its type says so, in the highest sub-layer. */
static bool is_reference(const struct h265_sps *sps, const uint8_t *nal)
{
    unsigned type = h265_nal_type(nal);

    if (type >= H265_LAST_NON_IRAP || type & 1)
        return true;
    return !sps->is_known || (nal[1] & 7u) != sps->max_sub_layers;
}

static void inspect_slice(struct h265_depacketiser *h265, const uint8_t *nal, size_t len,
                          struct nal_facts *facts)
{
    const struct h265_pps *pps;
    const struct h265_sps *sps;
    int32_t poc;
    uint8_t pps_id;

    facts->use = NAL_SLICE;
    facts->is_key = h265_is_irap(h265_nal_type(nal));
    facts->is_reference = !h265->nals.has_slice; /* later slices say nothing new */
    facts->is_first_slice = len > HEADER_BYTES && nal[HEADER_BYTES] & 0x80;
    if (!facts->is_first_slice || h265->nals.has_slice || h265_slice_pps_id(&pps_id, nal, len))
        return;
    pps = &h265->pps[pps_id];
    sps = &h265->sps[pps->sps_id];
    if (!pps->is_known || !sps->is_known)
        return;
    facts->is_reference = is_reference(sps, nal);
    if (h265_poc_next(&h265->poc, &poc, sps, pps, (struct nal_view){nal, len}))
        return;
    if (facts->is_key)
        h265->key_poc = poc;
    facts->has_poc = true;
    facts->poc = (int32_t)((uint32_t)poc - (uint32_t)h265->key_poc);
}

static void h265_inspect(struct nal_depacketiser *nals, const uint8_t *nal, size_t len,
                         struct nal_facts *facts)
{
    unsigned type = h265_nal_type(nal);
    bool is_base_layer = !(nal[0] & 1) && !(nal[1] >> 3);

    facts->use = NAL_DROP;
    if (!is_base_layer)
        return;
    /* Of the reserved types, which a decoder is to drop, none is a slice. */
    if (type <= H265_RASL_R || (type >= H265_BLA_W_LP && type <= H265_CRA))
        inspect_slice(h265_of(nals), nal, len, facts);
    else if (type >= H265_VPS && type <= H265_PPS)
        facts->use = NAL_PARAMETERS;
    else if (type == H265_PREFIX_SEI || type == H265_SUFFIX_SEI)
        facts->use = NAL_MESSAGE;
}

static const struct nal_codec h265_codec = {
    .header_bytes = HEADER_BYTES,
    .ranks = 1u << 0 | 1u << 1 | 1u << 2,
    .key_of = h265_parameter_set_key,
    .inspect = h265_inspect,
    .learn = h265_learn,
};

static void h265_close(struct depacketiser *depacketiser)
{
    struct h265_depacketiser *h265 = (struct h265_depacketiser *)(void *)depacketiser;

    nal_fini(&h265->nals);
    free(h265);
}

static int h265_open(struct depacketiser **out, const struct rtp_format *format)
{
    static const char *const names[] = {"sprop-vps", "sprop-sps", "sprop-pps"};
    struct h265_depacketiser *h265 = depacketiser_new(sizeof(*h265));
    int err;

    if (!h265)
        return -ENOMEM;
    nal_init(&h265->nals, &h265_codec);
    h265->don_bytes = fmtp_number(format->fmtp, "sprop-max-don-diff", 0) ? 2 : 0;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        nal_learn_sprop(&h265->nals, format->fmtp, names[i]);
    err = nal_finish_open(&h265->nals);
    if (err) {
        h265_close(&h265->nals.base);
        return err;
    }
    *out = &h265->nals.base;
    return 0;
}

/* Aggregation packet (section 4.4.2). */
static int push_aggregate(struct h265_depacketiser *h265, struct reader *reader)
{
    size_t don = h265->don_bytes;

    while (!reader_is_done(reader)) {
        const uint8_t *nal;
        size_t len;

        reader_take(reader, don);
        len = reader_u16(reader);
        nal = reader_take(reader, len);
        if (nal && len)
            nal_add(&h265->nals, nal, len);
        don = h265->don_bytes ? 1 : 0; /* the difference, from the second on */
    }
    if (reader_is_ok(reader))
        return 0;
    nal_tear(&h265->nals);
    return -ERR_PROTOCOL;
}

/* Fragmentation unit (section 4.4.3). */
static int push_fragment(struct h265_depacketiser *h265, const uint8_t *payload,
                         struct reader *reader)
{
    struct nal_depacketiser *nals = &h265->nals;
    uint8_t fu = reader_u8(reader);
    uint8_t header[HEADER_BYTES];

    if (fu & FU_START)
        reader_take(reader, h265->don_bytes);
    if (!reader_is_ok(reader)) {
        nal_tear(nals);
        return -ERR_PROTOCOL;
    }
    header[0] = (uint8_t)((payload[0] & 0x81) | (fu & 0x3f) << 1);
    header[1] = payload[1];
    if (fu & FU_START)
        nal_fragment_start(nals, header);
    nal_fragment_add(nals, reader->at, reader_left(reader));
    if (fu & FU_END)
        nal_fragment_end(nals);
    return 0;
}

static int push_payload(struct h265_depacketiser *h265, const struct rtp_packet *packet)
{
    struct reader reader = reader_of(packet->payload, packet->payload_len);
    unsigned type;

    if (!packet->payload_len)
        return 0;
    type = h265_nal_type(packet->payload);
    reader_take(&reader, HEADER_BYTES);
    if (!reader_is_ok(&reader)) {
        nal_tear(&h265->nals);
        return -ERR_PROTOCOL;
    }
    if (type == H265_AP)
        return push_aggregate(h265, &reader);
    if (type == H265_FU)
        return push_fragment(h265, packet->payload, &reader);
    nal_add(&h265->nals, packet->payload, packet->payload_len);
    return 0;
}

static int h265_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                     bool is_after_loss)
{
    struct h265_depacketiser *h265 = (struct h265_depacketiser *)(void *)depacketiser;
    int begin_err = nal_begin_packet(&h265->nals, packet, is_after_loss);
    int err = push_payload(h265, packet);
    int end_err = nal_end_packet(&h265->nals, packet);

    return err ? err : end_err ? end_err : begin_err;
}

const struct depacketiser_kind depacketiser_h265 = {h265_open, h265_push, h265_close};
