/* The payload types of a media section: rtpmap, fmtp and rtcp-fb lines, which come in any order. */
#include <string.h>

#include "egress/webrtc/sdp_offer.h"

enum {
    H264_PROFILE_DEFAULT = 0x42000a, /* RFC 6184 section 8.1 */
    H265_PROFILE_DEFAULT = 1,        /* RFC 7798 section 7.1 */
    H265_LEVEL_DEFAULT = 93
};

static const struct {
    const char *name;
    enum codec codec;
    uint32_t clock_rate;
    uint8_t channels; /* 0: video, where the rtpmap has none */
} encodings[] = {
    {"H264", CODEC_H264, RTP_CLOCK_VIDEO, 0}, {"H265", CODEC_H265, RTP_CLOCK_VIDEO, 0},
    {"opus", CODEC_OPUS, RTP_CLOCK_OPUS, 2},  {"PCMU", CODEC_PCMU, RTP_CLOCK_G711, 1},
    {"PCMA", CODEC_PCMA, RTP_CLOCK_G711, 1},
};

/* NULL when the number is missing or none that RTP has. */
static struct format *find_format(struct section *section, struct span number)
{
    uint32_t type;

    if (!span_number(number, 10, &type) || type >= PAYLOAD_TYPES)
        return NULL;
    return &section->format[type];
}

/* "H264/90000", "opus/48000/2". */
static void set_encoding(struct format *format, struct span value)
{
    struct span name = span_until(&value, '/');
    struct span clock = span_until(&value, '/');
    uint32_t clock_rate, channels;

    format->codec.codec = CODEC_NONE;
    format->is_rtx = span_is_nocase(name, "rtx");
    if (!span_number(clock, 10, &clock_rate))
        return;
    if (!span_number(value, 10, &channels))
        channels = 1;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        if (!span_is_nocase(name, encodings[i].name) || clock_rate != encodings[i].clock_rate ||
            (encodings[i].channels && channels != encodings[i].channels))
            continue;
        format->codec.codec = encodings[i].codec;
        format->codec.clock_rate = clock_rate;
        format->codec.channels = encodings[i].channels;
    }
}

int section_take_rtpmap(struct parser *parser, struct section *section, struct span value)
{
    struct format *format = find_format(section, span_word(&value));

    (void)parser;
    if (format)
        set_encoding(format, span_trim(value));
    return 0;
}

void section_begin_formats(struct section *section)
{
    static const struct span pcmu = {"PCMU/8000", 9}, pcma = {"PCMA/8000", 9};

    set_encoding(&section->format[0], pcmu);
    set_encoding(&section->format[8], pcma);
}

static void take_parameter(struct format *format, struct span name, struct span value)
{
    uint32_t apt;

    if (span_is_nocase(name, "apt") && span_number(value, 10, &apt) && apt < PAYLOAD_TYPES) {
        format->has_apt = true;
        format->apt = (uint8_t)apt;
    } else if (span_is_nocase(name, "packetization-mode")) {
        format->has_mode = span_number(value, 10, &format->mode);
    } else if (span_is_nocase(name, "profile-level-id")) {
        format->has_profile = value.len == 6 && span_number(value, 16, &format->profile);
    } else if (span_is_nocase(name, "profile-id")) {
        format->has_profile = span_number(value, 10, &format->profile);
    } else if (span_is_nocase(name, "tier-flag")) {
        format->has_tier = span_number(value, 10, &format->tier);
    } else if (span_is_nocase(name, "level-id")) {
        format->has_level = span_number(value, 10, &format->level);
    }
}

/* "102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f" */
int section_take_fmtp(struct parser *parser, struct section *section, struct span value)
{
    struct format *format = find_format(section, span_word(&value));

    (void)parser;
    while (format && value.len) {
        struct span parameter = span_until(&value, ';');
        struct span name = span_until(&parameter, '=');

        take_parameter(format, span_trim(name), span_trim(parameter));
    }
    return 0;
}

/* "102 nack pli", "* transport-cc" */
int section_take_feedback(struct parser *parser, struct section *section, struct span value)
{
    struct span number = span_word(&value);
    struct format *format = span_is(number, "*") ? &section->any : find_format(section, number);

    (void)parser;
    value = span_trim(value);
    if (!format)
        return 0;
    if (span_is(value, "nack"))
        format->codec.has_nack = true;
    else if (span_is(value, "nack pli"))
        format->codec.has_pli = true;
    else if (span_is(value, "transport-cc"))
        format->codec.has_transport_cc = true;
    else if (span_is(value, "goog-remb"))
        format->codec.has_remb = true;
    return 0;
}

static void finish_codec(struct offer_codec *codec, const struct format *format,
                         const struct format *any)
{
    *codec = format->codec;
    codec->has_nack |= any->codec.has_nack;
    codec->has_pli |= any->codec.has_pli;
    codec->has_transport_cc |= any->codec.has_transport_cc;
    codec->has_remb |= any->codec.has_remb;
    if (codec->codec == CODEC_H264) {
        codec->packetization_mode = format->has_mode && format->mode == 1;
        codec->profile_level_id = format->has_profile ? format->profile : H264_PROFILE_DEFAULT;
    } else if (codec->codec == CODEC_H265) {
        uint32_t profile = format->has_profile ? format->profile : H265_PROFILE_DEFAULT;
        uint32_t tier = format->has_tier ? format->tier : 0;
        uint32_t level = format->has_level ? format->level : H265_LEVEL_DEFAULT;

        codec->profile_level_id = (profile & 0xff) << 16 | (tier & 1) << 8 | (level & 0xff);
    }
}

static void note_retransmission(struct section *section, unsigned type)
{
    const struct format *format = &section->format[type];

    for (unsigned i = 0; format->has_apt && i < section->media->codec_count; i++) {
        struct offer_codec *codec = &section->media->codec[i];

        if (codec->payload_type == format->apt && !codec->rtx_payload_type)
            codec->rtx_payload_type = (uint8_t)type;
    }
}

void section_end_formats(struct section *section)
{
    struct offer_media *media = section->media;
    bool is_listed[PAYLOAD_TYPES] = {false};
    struct span rest = section->formats, word;
    uint32_t type;

    for (word = span_word(&rest); word.len; word = span_word(&rest)) {
        if (!span_number(word, 10, &type) || type >= PAYLOAD_TYPES || is_listed[type])
            continue;
        is_listed[type] = true;
        if (section->format[type].codec.codec == CODEC_NONE ||
            media->codec_count == OFFER_CODECS_MAX)
            continue;
        finish_codec(&media->codec[media->codec_count], &section->format[type], &section->any);
        media->codec[media->codec_count++].payload_type = (uint8_t)type;
    }
    for (type = 0; type < PAYLOAD_TYPES; type++)
        if (is_listed[type] && section->format[type].is_rtx)
            note_retransmission(section, type);
}
