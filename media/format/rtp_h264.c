/* H.264 from RTP (RFC 6184): single NAL units, STAP-A, FU-A. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "media/format/fmtp.h"
#include "media/format/rtp_nal.h"
#include "media/h264.h"

enum { H264_STAP_A = 24, H264_FU_A = 28, FU_START = 0x80, FU_END = 0x40 };

struct h264_depacketiser {
    struct nal_depacketiser nals;
    struct h264_sps sps[H264_SPS_MAX];
    struct h264_pps pps[H264_PPS_MAX];
    struct h264_poc poc;
    int32_t key_poc;    /* of the last key frame */
    bool counts_fields; /* picture order count grows by 2 a frame: so until an odd one comes */
    int32_t decoded;    /* pictures since the last key frame */
};

static struct h264_depacketiser *h264_of(struct nal_depacketiser *nals)
{
    return (struct h264_depacketiser *)(void *)nals;
}

/* Profiles without B-frames; and order count type 2 allows none either. */
static bool never_reorders(const struct h264_sps *sps)
{
    return sps->profile == 66 || sps->poc_type == 2 || (sps->has_reorder && !sps->reorder);
}

static void use_sps(struct h264_depacketiser *h264, const struct h264_sps *sps)
{
    struct nal_depacketiser *nals = &h264->nals;
    struct track *track = &nals->base.track;

    h264->sps[sps->id] = *sps;
    h264->counts_fields = true;
    track->width = sps->width;
    track->height = sps->height;
    track->frame_rate_mhz = sps->frame_rate_mhz;
    nals->reorder_is_known = sps->has_reorder || never_reorders(sps);
    if (nals->reorder_is_known)
        nals->reorder = never_reorders(sps) ? 0 : sps->reorder;
    track->has_b_frames = nals->reorder > 0;
}

static int h264_learn(struct nal_depacketiser *nals, const uint8_t *nal, size_t len)
{
    struct h264_depacketiser *h264 = h264_of(nals);
    struct h264_sps sps;
    struct h264_pps pps;
    uint8_t id;
    int err;

    if (h264_nal_type(nal) == H264_PPS) {
        err = h264_parse_pps(&pps, &id, nal, len);
        if (!err)
            h264->pps[id] = pps;
        return err;
    }
    err = h264_parse_sps(&sps, nal, len);
    /* The same again, as before each IDR, changes nothing. Both were zeroed whole when parsed, so
     * that their padding is equal too. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    if (!err && memcmp(&sps, &h264->sps[sps.id], sizeof(sps)) != 0)
        use_sps(h264, &sps);
    return err;
}

/* Display order in pictures since the key frame, of a picture's first slice. */
static void note_poc(struct h264_depacketiser *h264, const struct h264_sps *sps,
                     const struct h264_slice *slice, struct nal_facts *facts)
{
    int32_t poc = h264_poc_next(&h264->poc, sps, slice);

    h264->decoded = slice->is_idr ? 0 : h264->decoded + 1;
    facts->has_poc = true;
    if (never_reorders(sps)) {
        facts->poc = h264->decoded;
        return;
    }
    if (slice->is_idr)
        h264->key_poc = poc;
    poc = (int32_t)((uint32_t)poc - (uint32_t)h264->key_poc);
    if (poc & 1)
        h264->counts_fields = false;
    facts->poc = h264->counts_fields ? poc / 2 : poc;
}

static void inspect_slice(struct h264_depacketiser *h264, const uint8_t *nal, size_t len,
                          struct nal_facts *facts)
{
    const struct h264_pps *pps;
    const struct h264_sps *sps;
    struct h264_slice slice;
    uint8_t pps_id;

    facts->use = NAL_SLICE;
    facts->is_key = h264_nal_type(nal) == H264_IDR;
    facts->is_reference = nal[0] & 0x60;
    /* first_mb_in_slice 0 is written as a single 1 bit. */
    facts->is_first_slice = len > 1 && nal[1] & 0x80;
    if (!facts->is_first_slice || h264->nals.has_slice || h264_slice_pps_id(&pps_id, nal, len))
        return;
    pps = &h264->pps[pps_id];
    sps = &h264->sps[pps->sps_id];
    if (!pps->is_known || h264_parse_slice(&slice, sps, pps, nal, len))
        return;
    note_poc(h264, sps, &slice, facts);
}

static void h264_inspect(struct nal_depacketiser *nals, const uint8_t *nal, size_t len,
                         struct nal_facts *facts)
{
    switch (h264_nal_type(nal)) {
    case H264_SLICE:
    case H264_PARTITION_A:
    case H264_IDR:
        inspect_slice(h264_of(nals), nal, len, facts);
        break;
    case H264_PARTITION_A + 1:
    case H264_PARTITION_A + 2:
        facts->use = NAL_SLICE;
        facts->is_reference = nal[0] & 0x60;
        break;
    case H264_SEI:
        facts->use = NAL_MESSAGE;
        facts->is_recovery_point = h264_sei_has_recovery_point(nal, len);
        break;
    case H264_SPS:
    case H264_PPS:
        facts->use = NAL_PARAMETERS;
        break;
    default:
        facts->use = NAL_DROP;
        break;
    }
}

static const struct nal_codec h264_codec = {
    .header_bytes = 1,
    .ranks = 1u << 1 | 1u << 2,
    .key_of = h264_parameter_set_key,
    .inspect = h264_inspect,
    .learn = h264_learn,
};

static void h264_close(struct depacketiser *depacketiser)
{
    struct h264_depacketiser *h264 = (struct h264_depacketiser *)(void *)depacketiser;

    nal_fini(&h264->nals);
    free(h264);
}

static int h264_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct h264_depacketiser *h264 = depacketiser_new(sizeof(*h264));
    int err;

    if (!h264)
        return -ENOMEM;
    nal_init(&h264->nals, &h264_codec);
    nal_learn_sprop(&h264->nals, format->fmtp, "sprop-parameter-sets");
    err = nal_finish_open(&h264->nals);
    if (err) {
        h264_close(&h264->nals.base);
        return err;
    }
    *out = &h264->nals.base;
    return 0;
}

static int push_aggregate(struct nal_depacketiser *nals, const struct rtp_packet *packet)
{
    struct reader reader = reader_of(packet->payload + 1, packet->payload_len - 1);

    while (!reader_is_done(&reader)) {
        size_t len = reader_u16(&reader);
        const uint8_t *nal = reader_take(&reader, len);

        if (nal && len)
            nal_add(nals, nal, len);
    }
    if (reader_is_ok(&reader))
        return 0;
    nal_tear(nals);
    return -ERR_PROTOCOL;
}

static int push_fragment(struct nal_depacketiser *nals, const struct rtp_packet *packet)
{
    const uint8_t *payload = packet->payload;
    uint8_t header;

    if (packet->payload_len < 2) {
        nal_tear(nals);
        return -ERR_PROTOCOL;
    }
    header = (uint8_t)((payload[0] & 0xe0) | (payload[1] & 0x1f));
    if (payload[1] & FU_START)
        nal_fragment_start(nals, &header);
    nal_fragment_add(nals, payload + 2, packet->payload_len - 2);
    if (payload[1] & FU_END)
        nal_fragment_end(nals);
    return 0;
}

static int h264_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                     bool is_after_loss)
{
    struct nal_depacketiser *nals = (struct nal_depacketiser *)(void *)depacketiser;
    int begin_err = nal_begin_packet(nals, packet, is_after_loss);
    int err = 0, end_err;

    if (packet->payload_len) {
        switch (h264_nal_type(packet->payload)) {
        case H264_STAP_A:
            err = push_aggregate(nals, packet);
            break;
        case H264_FU_A:
            err = push_fragment(nals, packet);
            break;
        default:
            nal_add(nals, packet->payload, packet->payload_len);
            break;
        }
    }
    end_err = nal_end_packet(nals, packet);
    return err ? err : end_err ? end_err : begin_err;
}

const struct depacketiser_kind depacketiser_h264 = {h264_open, h264_push, h264_close};
