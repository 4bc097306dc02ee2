/* AAC from RTP in LATM (RFC 3016, RFC 6416): AudioMuxElements, with the StreamMuxConfig in the
 * SDP or in band. One program, one layer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "media/aac.h"
#include "media/format/depacketiser_kind.h"
#include "media/format/fmtp.h"

enum { ELEMENT_MAX_BYTES = 65536, CONFIG_MAX_BYTES = 256 };

struct latm_depacketiser {
    struct depacketiser base;
    struct writer element; /* the AudioMuxElement that is being put together */
    struct writer frame;

    bool is_config_in_band, has_config, is_torn;
    uint32_t timestamp;
    struct latm_config config;
};

static void latm_close(struct depacketiser *depacketiser)
{
    struct latm_depacketiser *latm = (struct latm_depacketiser *)(void *)depacketiser;

    writer_fini(&latm->element);
    writer_fini(&latm->frame);
    free(latm);
}

/* Takes a StreamMuxConfig from bits; 1 if the track has changed by it. */
static int use_config(struct latm_depacketiser *latm, struct bits *bits)
{
    struct track *track = &latm->base.track;
    struct latm_config config;
    int err = latm_parse_config(&config, bits);

    if (err)
        return err;
    latm->config = config;
    latm->has_config = true;
    if (track->config && track->config->len == config.config_len &&
        !memcmp(track->config->bytes, config.config, config.config_len))
        return 0;
    track->channels = config.aac.channels;
    err = depacketiser_set_config(&latm->base, config.config, config.config_len);
    return err ? err : 1;
}

static int latm_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct latm_depacketiser *latm = depacketiser_new(sizeof(*latm));
    uint8_t config[CONFIG_MAX_BYTES];
    struct bits bits;
    size_t len;

    if (!latm)
        return -ENOMEM;
    writer_init(&latm->element, ELEMENT_MAX_BYTES);
    writer_init(&latm->frame, ELEMENT_MAX_BYTES);
    latm->is_config_in_band = fmtp_number(format->fmtp, "cpresent", 1) != 0;
    len = fmtp_decode_hex(fmtp_find(format->fmtp, "config"), config, sizeof(config));
    bits = bits_of(config, len);
    /* A wrong one costs nothing yet: another may come in band. */
    if (len && use_config(latm, &bits) > 0)
        latm->base.has_track = true;
    *out = &latm->base;
    return 0;
}

static uint32_t frame_duration(const struct latm_depacketiser *latm)
{
    return (uint32_t)((uint64_t)latm->config.aac.frame_len * latm->base.track.clock_rate /
                      latm->config.aac.sample_rate);
}

/* One payload of len bytes, which need not begin at a whole byte. */
static int tell_payload(struct latm_depacketiser *latm, struct bits *bits, size_t len,
                        unsigned index)
{
    struct access_unit unit = {.is_key = true, .duration = frame_duration(latm)};

    if (!len || len > bits_left(bits) / 8)
        return -ERR_PROTOCOL;
    unit.timestamp = latm->timestamp + index * unit.duration;
    writer_reset(&latm->frame);
    for (size_t i = 0; i < len; i++)
        writer_uint(&latm->frame, bits_read(bits, 8), 1);
    if (latm->frame.err)
        return latm->frame.err;
    return depacketiser_tell_unit(&latm->base, unit, latm->frame.bytes, len);
}

/* AudioMuxElement (ISO 14496-3 section 1.7.3). */
static int take_element(struct latm_depacketiser *latm)
{
    struct bits bits = bits_of(latm->element.bytes, latm->element.len);
    int changed = 0;
    int err = 0;

    if (latm->is_config_in_band && !bits_flag(&bits))
        changed = use_config(latm, &bits);
    if (changed < 0)
        return changed;
    if (!latm->has_config)
        return -ERR_NOT_READY;
    if (changed || !latm->base.has_track)
        depacketiser_tell_track(&latm->base);
    for (unsigned i = 0; i < latm->config.subframes && !err; i++) {
        size_t len = latm_parse_length(&bits);

        err = tell_payload(latm, &bits, len, i);
    }
    return err;
}

static int finish_element(struct latm_depacketiser *latm)
{
    int err = latm->element.err;

    if (!err && !latm->is_torn && latm->element.len)
        err = take_element(latm);
    writer_reset(&latm->element);
    latm->is_torn = false;
    return err;
}

static int latm_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                     bool is_after_loss)
{
    struct latm_depacketiser *latm = (struct latm_depacketiser *)(void *)depacketiser;
    int err = 0, end_err = 0;

    if (is_after_loss && latm->element.len)
        latm->is_torn = true;
    /* Not all set the marker: then a new timestamp says that the element was whole. */
    if (packet->timestamp != latm->timestamp)
        err = finish_element(latm);
    latm->timestamp = packet->timestamp;
    writer_put(&latm->element, packet->payload, packet->payload_len);
    if (packet->marker)
        end_err = finish_element(latm);
    return err ? err : end_err;
}

const struct depacketiser_kind depacketiser_latm = {latm_open, latm_push, latm_close};
