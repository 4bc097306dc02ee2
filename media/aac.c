#include "media/aac.h"

#include <stdio.h>

enum { AAC_LC = 2, AAC_SBR = 5, AAC_ER_LC = 17, AAC_PS = 29, AAC_ESCAPE = 31 };

static const uint32_t sample_rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                        22050, 16000, 12000, 11025, 8000,  7350};

enum { RATE_COUNT = sizeof(sample_rates) / sizeof(sample_rates[0]), RATE_ESCAPE = 15 };

static uint8_t parse_object_type(struct bits *bits)
{
    uint32_t type = bits_read(bits, 5);

    return (uint8_t)(type == AAC_ESCAPE ? 32 + bits_read(bits, 6) : type);
}

static uint32_t parse_rate(struct bits *bits)
{
    uint32_t index = bits_read(bits, 4);

    if (index == RATE_ESCAPE)
        return bits_read(bits, 24);
    return index < RATE_COUNT ? sample_rates[index] : 0;
}

/* A program_config_element in place of a channel configuration (section 4.4.1.1): counts the
 * channels, and passes over what it doesn't need. start is what was left where the config
 * began. */
static uint8_t parse_program(struct bits *bits, size_t start)
{
    uint32_t counts[4], assoc, coupling, channels = 0;

    bits_skip(bits, 4 + 2 + 4); /* tag, object type, sampling rate */
    for (unsigned i = 0; i < 3; i++)
        counts[i] = bits_read(bits, 4); /* front, side, back */
    counts[3] = bits_read(bits, 2);     /* LFE */
    assoc = bits_read(bits, 3);
    coupling = bits_read(bits, 4);
    for (unsigned i = 0; i < 2; i++)
        bits_skip(bits, bits_flag(bits) ? 4 : 0); /* mono and stereo mixdown */
    bits_skip(bits, bits_flag(bits) ? 3 : 0);     /* matrix mixdown */
    for (unsigned i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < counts[i]; j++) {
            channels += bits_flag(bits) ? 2 : 1;
            bits_skip(bits, 4);
        }
    }
    channels += counts[3];
    bits_skip(bits, (size_t)counts[3] * 4 + (size_t)assoc * 4 + (size_t)coupling * 5);
    bits_skip(bits, (8 - (start - bits_left(bits)) % 8) % 8); /* whole bytes of the config */
    bits_skip(bits, (size_t)bits_read(bits, 8) * 8);
    return (uint8_t)(channels <= 48 ? channels : 0);
}

/* GASpecificConfig (section 4.4.1). */
static void parse_general(struct aac_config *out, struct bits *bits, size_t start,
                          uint32_t channel_config)
{
    out->frame_len = bits_flag(bits) ? 960 : 1024;
    bits_skip(bits, bits_flag(bits) ? 14 : 0); /* core coder delay */
    if (bits_flag(bits) && out->object_type == AAC_ER_LC)
        bits_skip(bits, 3); /* extension: error resilience flags */
    if (!channel_config)
        out->channels = parse_program(bits, start);
}

/* SBR announced behind the config of the core, so that old decoders don't see it. */
static void parse_backward_sbr(struct aac_config *out, struct bits bits)
{
    if (out->has_sbr || bits_left(&bits) < 16 || bits_read(&bits, 11) != 0x2b7)
        return;
    if (parse_object_type(&bits) != AAC_SBR || !bits_flag(&bits))
        return;
    out->output_rate = parse_rate(&bits);
    out->has_sbr = !bits.failed && out->output_rate;
    if (!out->has_sbr)
        out->output_rate = out->sample_rate;
    if (bits_left(&bits) >= 12 && bits_read(&bits, 11) == 0x548)
        out->has_ps = bits_flag(&bits);
}

int aac_parse_config_bits(struct aac_config *out, struct bits *bits)
{
    static const uint8_t channels_of[16] = {0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0};
    size_t start = bits_left(bits);
    uint32_t channel_config;

    *out = (struct aac_config){0};
    out->object_type = parse_object_type(bits);
    out->sample_rate = out->output_rate = parse_rate(bits);
    channel_config = bits_read(bits, 4);
    out->channels = channels_of[channel_config];
    if (out->object_type == AAC_SBR || out->object_type == AAC_PS) {
        out->has_sbr = true;
        out->has_ps = out->object_type == AAC_PS;
        out->output_rate = parse_rate(bits);
        out->object_type = parse_object_type(bits);
    }
    if (bits->failed)
        return -ERR_PROTOCOL;
    if ((out->object_type < 1 || out->object_type > 4) && out->object_type != AAC_ER_LC)
        return -ERR_UNSUPPORTED;
    parse_general(out, bits, start, channel_config);
    if (bits->failed || !out->channels || out->sample_rate < 1000 || out->sample_rate > 192000 ||
        out->output_rate < 1000 || out->output_rate > 192000)
        return -ERR_PROTOCOL;
    return 0;
}

int aac_parse_config(struct aac_config *out, const uint8_t *bytes, size_t len)
{
    struct bits bits = bits_of(bytes, len);
    int err = aac_parse_config_bits(out, &bits);

    if (!err)
        parse_backward_sbr(out, bits);
    return err;
}

size_t aac_write_config(uint8_t out[5], uint32_t sample_rate, uint8_t channels)
{
    uint32_t index = 0;
    uint64_t value;
    size_t len;

    while (index < RATE_COUNT && sample_rates[index] != sample_rate)
        index++;
    if (channels == 8)
        channels = 7;
    if (index < RATE_COUNT) {
        value = (uint64_t)AAC_LC << 11 | (uint64_t)index << 7 | (uint64_t)(channels & 15u) << 3;
        len = 2;
    } else {
        value = (uint64_t)AAC_LC << 35 | (uint64_t)RATE_ESCAPE << 31 |
                (uint64_t)(sample_rate & 0xffffff) << 7 | (uint64_t)(channels & 15u) << 3;
        len = 5;
    }
    for (size_t i = len; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return len;
}

int aac_codec_string(char *out, size_t room, const uint8_t *config, size_t len)
{
    struct aac_config parsed;
    int err = aac_parse_config(&parsed, config, len);

    if (err)
        return err;
    if (parsed.has_sbr)
        parsed.object_type = parsed.has_ps ? AAC_PS : AAC_SBR;
    snprintf(out, room, "mp4a.40.%u", parsed.object_type);
    return 0;
}

/* LatmGetValue (section 1.7.3.1). */
static uint32_t latm_value(struct bits *bits)
{
    return bits_read(bits, 8 * (bits_read(bits, 2) + 1));
}

/* The config's bits, moved so that the first is the highest of a byte. */
static void copy_config(struct latm_config *out, struct bits from, size_t count)
{
    size_t len = (count + 7) / 8;

    if (len > sizeof(out->config))
        return;
    for (size_t i = 0; i < len; i++) {
        size_t left = count - i * 8;
        unsigned take = left < 8 ? (unsigned)left : 8;

        out->config[i] = (uint8_t)(bits_read(&from, take) << (8 - take));
    }
    out->config_len = (uint8_t)len;
}

/* Some encoders put an AudioSpecificConfig with its announcement of SBR (section 1.6.5) where
 * the length isn't told and it has no place. True if it was there, and is behind us now. */
static bool skip_sync_extension(struct bits *bits)
{
    struct bits ahead = *bits;

    if (bits_left(&ahead) < 17 || bits_read(&ahead, 11) != 0x2b7)
        return false;
    if (parse_object_type(&ahead) == AAC_SBR && bits_flag(&ahead))
        parse_rate(&ahead);
    *bits = ahead;
    return true;
}

static int latm_parse_audio(struct latm_config *out, struct bits *bits, bool has_length)
{
    size_t announced = has_length ? latm_value(bits) : 0;
    struct bits start = *bits;
    size_t used;
    int err = aac_parse_config_bits(&out->aac, bits);

    if (err)
        return err;
    used = bits_left(&start) - bits_left(bits);
    if (announced && used > announced)
        return -ERR_PROTOCOL;
    copy_config(out, start, used);
    if (announced)
        bits_skip(bits, announced - used);
    return out->config_len ? 0 : -ERR_TOO_LONG;
}

static void latm_parse_other(struct latm_config *out, struct bits *bits, bool is_version_1)
{
    bool more = true;

    out->has_other = bits_flag(bits);
    if (out->has_other && is_version_1) {
        latm_value(bits);
        more = false;
    }
    while (out->has_other && more && !bits->failed) {
        more = bits_flag(bits);
        bits_skip(bits, 8);
    }
    if (bits_flag(bits)) /* a checksum */
        bits_skip(bits, 8);
}

enum { LATM_TAIL_BITS = 3 + 8 + 1 + 1 }; /* frame length type, fullness, other data, checksum */

int latm_parse_config(struct latm_config *out, struct bits *bits)
{
    bool is_version_1 = bits_flag(bits);
    uint32_t programs, layers, length_type;
    int err;

    *out = (struct latm_config){0};
    if (is_version_1 && bits_flag(bits)) /* audioMuxVersionA is for the future */
        return -ERR_UNSUPPORTED;
    if (is_version_1)
        latm_value(bits); /* buffer fullness */
    bits_skip(bits, 1);   /* all streams in the same time framing */
    out->subframes = (uint8_t)(bits_read(bits, 6) + 1);
    programs = bits_read(bits, 4);
    layers = bits_read(bits, 3);
    if (bits->failed)
        return -ERR_PROTOCOL;
    if (programs || layers)
        return -ERR_UNSUPPORTED;
    err = latm_parse_audio(out, bits, is_version_1);
    if (err)
        return err;
    /* Those encoders cut off what follows: it is all zeros then. */
    if (!is_version_1 && skip_sync_extension(bits) && bits_left(bits) < LATM_TAIL_BITS)
        return 0;
    length_type = bits_read(bits, 3);
    if (length_type)
        return -ERR_UNSUPPORTED;
    bits_skip(bits, 8); /* buffer fullness */
    latm_parse_other(out, bits, is_version_1);
    return bits->failed ? -ERR_PROTOCOL : 0;
}

size_t latm_parse_length(struct bits *bits)
{
    size_t len = 0;
    uint32_t byte = 255;

    while (byte == 255 && !bits->failed) {
        byte = bits_read(bits, 8);
        len += byte;
    }
    return bits->failed ? 0 : len;
}
