/* An offer, line by line. Rows of a table take the attributes that matter; all else is skipped. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/sdp.h"
#include "egress/webrtc/sdp_line.h"

enum { LINES_MAX = 20000, PAYLOAD_TYPES = 128, GROUP_TEXT = 512 };

/* What a section says of a payload type before it is known what that is. */
struct format {
    enum codec codec;
    bool is_rtx;
    uint32_t clock_rate;
    uint8_t channels, apt;
    uint8_t packetization_mode;
    uint32_t profile_level_id;
    bool is_listed, has_nack, has_pli, has_transport_cc, has_remb;
};

struct parser {
    struct offer *offer;
    struct offer_media *media; /* the section that is being read; NULL: the session's part */
    struct format formats[PAYLOAD_TYPES];
    uint8_t order[PAYLOAD_TYPES]; /* as the m line lists them */
    unsigned order_count;
    char bundle[GROUP_TEXT]; /* the mids of the first BUNDLE group, each with a blank around it */
    bool has_bundle, is_mux_missing, is_rejected;
    const char *wrong; /* sticky */
};

static void refuse(struct parser *parser, const char *wrong)
{
    if (!parser->wrong)
        parser->wrong = wrong;
}

/* ---- formats ----------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    enum codec codec;
} encodings[] = {
    {"H264", CODEC_H264}, {"H265", CODEC_H265}, {"OPUS", CODEC_OPUS},
    {"PCMU", CODEC_PCMU}, {"PCMA", CODEC_PCMA},
};

/* The format of a payload type at the start of a value, and the value moved past it; or NULL. */
static struct format *take_format(struct parser *parser, struct span *value)
{
    uint32_t type;

    if (!span_take_number(value, &type) || type >= PAYLOAD_TYPES || !span_take_blank(value))
        return NULL;
    return &parser->formats[type];
}

static void take_rtpmap(struct parser *parser, struct span value)
{
    struct format *format = take_format(parser, &value);
    struct span name = span_take_until(&value, '/');
    uint32_t rate, channels = 1;

    if (!format || !span_take_number(&value, &rate))
        return;
    if (span_take_char(&value, '/') && (!span_take_number(&value, &channels) || channels > 255))
        return;
    format->clock_rate = rate;
    format->channels = (uint8_t)channels;
    format->is_rtx = span_is(name, "rtx");
    for (unsigned i = 0; i < sizeof(encodings) / sizeof(*encodings); i++)
        if (span_is(name, encodings[i].name))
            format->codec = encodings[i].codec;
}

static void take_parameter(struct format *format, struct span name, struct span value)
{
    uint32_t number;

    if (span_is(name, "packetization-mode") && span_take_number(&value, &number) && number <= 2)
        format->packetization_mode = (uint8_t)number;
    else if (span_is(name, "profile-level-id"))
        (void)span_take_hex(&value, &format->profile_level_id);
    else if (span_is(name, "apt") && span_take_number(&value, &number) && number < PAYLOAD_TYPES)
        format->apt = (uint8_t)number;
}

static void take_fmtp(struct parser *parser, struct span value)
{
    struct format *format = take_format(parser, &value);

    while (format && value.len) {
        struct span parameter = span_trim(span_take_until(&value, ';'));
        struct span name = span_take_until(&parameter, '=');

        take_parameter(format, name, parameter);
    }
}

static void set_feedback(struct format *format, struct span kind)
{
    format->has_nack |= span_is(kind, "nack");
    format->has_pli |= span_is(kind, "nack pli");
    format->has_transport_cc |= span_is(kind, "transport-cc");
    format->has_remb |= span_is(kind, "goog-remb");
}

static void take_rtcp_fb(struct parser *parser, struct span value)
{
    struct format *format;

    if (span_take_char(&value, '*')) {
        for (unsigned i = 0; i < PAYLOAD_TYPES; i++)
            set_feedback(&parser->formats[i], span_trim(value));
        return;
    }
    format = take_format(parser, &value);
    if (format)
        set_feedback(format, span_trim(value));
}

static uint8_t rtx_of(const struct parser *parser, uint8_t type)
{
    for (unsigned i = 0; i < parser->order_count; i++) {
        const struct format *format = &parser->formats[parser->order[i]];

        if (format->is_rtx && format->apt == type)
            return parser->order[i];
    }
    return 0;
}

static void add_codec(struct parser *parser, uint8_t type)
{
    const struct format *format = &parser->formats[type];
    struct offer_media *media = parser->media;

    if (format->codec == CODEC_NONE || media->codec_count == OFFER_CODECS_MAX ||
        codec_is_video(format->codec) != (media->kind == OFFER_VIDEO))
        return;
    media->codec[media->codec_count++] =
        (struct offer_codec){.codec = format->codec,
                             .payload_type = type,
                             .rtx_payload_type = rtx_of(parser, type),
                             .clock_rate = format->clock_rate,
                             .channels = format->channels,
                             .packetization_mode = format->packetization_mode,
                             .profile_level_id = format->profile_level_id,
                             .has_nack = format->has_nack,
                             .has_pli = format->has_pli,
                             .has_transport_cc = format->has_transport_cc,
                             .has_remb = format->has_remb};
}

static void end_media(struct parser *parser)
{
    struct offer_media *media = parser->media;

    if (!media)
        return;
    if (media->kind == OFFER_AUDIO || media->kind == OFFER_VIDEO) {
        for (unsigned i = 0; i < parser->order_count; i++)
            add_codec(parser, parser->order[i]);
        if (media->wants_media && parser->is_mux_missing)
            refuse(parser, "A media section has no a=rtcp-mux.");
    }
    if (parser->is_rejected)
        media->wants_media = media->has_sctp = false;
}

/* ---- m lines -----------------------------------------------------------------------------------
 */

static enum offer_kind kind_of(struct span name)
{
    if (span_is(name, "audio"))
        return OFFER_AUDIO;
    if (span_is(name, "video"))
        return OFFER_VIDEO;
    return span_is(name, "application") ? OFFER_APPLICATION : OFFER_OTHER;
}

/* Those of RFC 3551 need no rtpmap. */
static void reset_formats(struct parser *parser)
{
    memset(parser->formats, 0, sizeof(parser->formats));
    for (unsigned i = 0; i < PAYLOAD_TYPES; i++)
        parser->formats[i].profile_level_id = 0x42000a;
    parser->formats[0] = (struct format){.codec = CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    parser->formats[8] = (struct format){.codec = CODEC_PCMA, .clock_rate = 8000, .channels = 1};
    parser->order_count = 0;
}

static void take_formats(struct parser *parser, struct span list)
{
    uint32_t type;

    while (span_take_number(&list, &type) && parser->order_count < PAYLOAD_TYPES) {
        if (type < PAYLOAD_TYPES && !parser->formats[type].is_listed) {
            parser->formats[type].is_listed = true;
            parser->order[parser->order_count++] = (uint8_t)type;
        }
        if (!span_take_blank(&list))
            return;
    }
}

static void take_media(struct parser *parser, struct span value)
{
    struct span kind = span_take_until(&value, ' ');
    struct span port = span_take_until(&value, ' ');
    struct span transport = span_take_until(&value, ' ');
    struct offer_media *media;

    end_media(parser);
    if (parser->offer->media_count == OFFER_MEDIA_MAX) {
        refuse(parser, "The offer has too many media sections: 16 are taken.");
        return;
    }
    media = parser->media = &parser->offer->media[parser->offer->media_count++];
    *media = (struct offer_media){.kind = kind_of(kind), .wants_media = true};
    parser->is_mux_missing = true;
    parser->is_rejected = span_is(port, "0");
    if (!span_is_token(transport, "/") ||
        !span_copy(transport, media->transport, sizeof(media->transport)))
        refuse(parser, "A media section names no transport.");
    reset_formats(parser);
    take_formats(parser, value);
}

/* ---- attributes --------------------------------------------------------------------------------
 */

static void take_mid(struct parser *parser, struct span value)
{
    if (!parser->media)
        return;
    if (!span_is_token(value, "") ||
        !span_copy(value, parser->media->mid, sizeof(parser->media->mid)))
        refuse(parser, "A media section's a=mid is not a token of at most 32 characters.");
}

static void take_group(struct parser *parser, struct span value)
{
    size_t len;

    if (parser->has_bundle || !span_take_word(&value, "BUNDLE"))
        return;
    value = span_trim(value);
    len = value.len;
    if (len + 3 > sizeof(parser->bundle)) {
        refuse(parser, "The offer's BUNDLE group is too long.");
        return;
    }
    parser->has_bundle = true;
    parser->bundle[0] = ' ';
    memcpy(parser->bundle + 1, value.at, len);
    parser->bundle[len + 1] = ' ';
    parser->bundle[len + 2] = '\0';
}

/* ICE credentials, fingerprint and role: the session's, or the first section's that has them. */
static void take_ufrag(struct parser *parser, struct span value)
{
    if (!*parser->offer->ufrag && (value.len < 4 || !span_is_ice(value) ||
                                   !span_copy(value, parser->offer->ufrag, UFRAG_TEXT)))
        refuse(parser, "The offer's a=ice-ufrag is not as RFC 8839 has it.");
}

static void take_password(struct parser *parser, struct span value)
{
    if (!*parser->offer->password && (value.len < 22 || !span_is_ice(value) ||
                                      !span_copy(value, parser->offer->password, PASSWORD_TEXT)))
        refuse(parser, "The offer's a=ice-pwd is not as RFC 8839 has it.");
}

static void take_fingerprint(struct parser *parser, struct span value)
{
    uint8_t bytes[FINGERPRINT_BYTES];

    if (parser->offer->has_fingerprint || !span_take_word(&value, "sha-256"))
        return; /* another hash: a second line may have ours */
    value = span_trim(value);
    for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
        if ((i && !span_take_char(&value, ':')) || !span_take_byte(&value, &bytes[i])) {
            refuse(parser, "The offer's a=fingerprint is not 32 bytes in hexadecimal.");
            return;
        }
    memcpy(parser->offer->fingerprint, bytes, sizeof(bytes));
    parser->offer->has_fingerprint = true;
}

static void take_setup(struct parser *parser, struct span value)
{
    parser->offer->is_passive |= span_is(value, "passive");
}

static void take_lite(struct parser *parser, struct span value)
{
    (void)value;
    parser->offer->is_lite = true;
}

static void take_mux(struct parser *parser, struct span value)
{
    (void)value;
    parser->is_mux_missing = false;
}

static void take_no_media(struct parser *parser, struct span value)
{
    (void)value;
    if (parser->media)
        parser->media->wants_media = false;
}

static void take_bundle_only(struct parser *parser, struct span value)
{
    (void)value;
    parser->is_rejected = false; /* its port is 0 by rule (RFC 8843 section 6) */
}

static void take_extmap(struct parser *parser, struct span value)
{
    static const struct {
        const char *uri;
        size_t offset;
    } rows[] = {
        {EXTENSION_ABS_SEND_TIME, offsetof(struct offer_media, abs_send_time_id)},
        {EXTENSION_TRANSPORT_CC, offsetof(struct offer_media, transport_cc_id)},
        {EXTENSION_PLAYOUT_DELAY, offsetof(struct offer_media, playout_delay_id)},
        {EXTENSION_MID, offsetof(struct offer_media, mid_id)},
    };
    uint32_t id;
    struct span uri;

    if (!parser->media || !span_take_number(&value, &id) || id < 1 || id > 14)
        return;
    (void)span_take_until(&value, ' '); /* a direction */
    value = span_trim(value);
    uri = span_take_until(&value, ' ');
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (span_is(uri, rows[i].uri))
            *((uint8_t *)parser->media + rows[i].offset) = (uint8_t)id;
}

static void take_sctp_port(struct parser *parser, struct span value)
{
    uint32_t port;

    if (parser->media && parser->media->kind == OFFER_APPLICATION &&
        span_take_number(&value, &port) && port == SCTP_PORT)
        parser->media->has_sctp = true;
}

static void take_max_message(struct parser *parser, struct span value)
{
    uint32_t bytes;

    if (parser->media && span_take_number(&value, &bytes))
        parser->media->max_message_bytes = bytes;
}

static const struct {
    const char *name;
    void (*take)(struct parser *parser, struct span value);
} attributes[] = {
    {"mid", take_mid},
    {"group", take_group},
    {"ice-ufrag", take_ufrag},
    {"ice-pwd", take_password},
    {"ice-lite", take_lite},
    {"fingerprint", take_fingerprint},
    {"setup", take_setup},
    {"rtcp-mux", take_mux},
    {"sendonly", take_no_media},
    {"inactive", take_no_media},
    {"bundle-only", take_bundle_only},
    {"extmap", take_extmap},
    {"rtpmap", take_rtpmap},
    {"fmtp", take_fmtp},
    {"rtcp-fb", take_rtcp_fb},
    {"sctp-port", take_sctp_port},
    {"max-message-size", take_max_message},
};

static void take_attribute(struct parser *parser, struct span value)
{
    struct span name = span_take_until(&value, ':');

    for (unsigned i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        if (span_is(name, attributes[i].name)) {
            attributes[i].take(parser, span_trim(value));
            return;
        }
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static int read_lines(struct parser *parser, struct span text)
{
    struct span line;

    for (unsigned count = 0; text.len; count++) {
        if (!span_take_line(&text, &line) || line.len > OFFER_LINE_MAX || count >= LINES_MAX) {
            refuse(parser, "The offer has a line that is too long, or too many lines.");
            return -ERR_TOO_LONG;
        }
        if (line.len < 2 || line.at[1] != '=')
            continue;
        if (line.at[0] == 'm')
            take_media(parser, span_skip(line, 2));
        else if (line.at[0] == 'a')
            take_attribute(parser, span_skip(line, 2));
        if (parser->wrong)
            return -ERR_PROTOCOL;
    }
    end_media(parser);
    return parser->wrong ? -ERR_PROTOCOL : 0;
}

static bool is_in_bundle(const struct parser *parser, const char *mid)
{
    char word[MID_TEXT + 2];
    size_t len = strlen(mid);

    word[0] = ' ';
    memcpy(word + 1, mid, len);
    memcpy(word + 1 + len, " ", 2);
    return strstr(parser->bundle, word) != NULL;
}

/* Mids are given and differ; what is used is in one BUNDLE, unless it is all there is. */
static void check_media(struct parser *parser)
{
    struct offer *offer = parser->offer;

    for (unsigned i = 0; i < offer->media_count; i++) {
        struct offer_media *media = &offer->media[i];

        for (unsigned j = 0; j < i; j++)
            if (*media->mid && strcmp(media->mid, offer->media[j].mid) == 0)
                refuse(parser, "Two media sections have the same a=mid.");
        media->is_bundled = *media->mid && parser->has_bundle && is_in_bundle(parser, media->mid);
        if (offer->media_count > 1 && !*media->mid)
            refuse(parser, "A media section has no a=mid.");
        if (offer->media_count > 1 && !media->is_bundled && (media->wants_media || media->has_sctp))
            refuse(parser,
                   "A media section is not in the BUNDLE group: all go over one transport.");
    }
}

static void check_offer(struct parser *parser)
{
    const struct offer *offer = parser->offer;

    if (!offer->media_count)
        refuse(parser, "The offer has no media section.");
    if (!*offer->ufrag || !*offer->password)
        refuse(parser, "The offer has no a=ice-ufrag and a=ice-pwd.");
    if (!offer->has_fingerprint)
        refuse(parser, "The offer has no a=fingerprint with sha-256.");
    if (offer->is_lite)
        refuse(parser, "The offer is ICE-lite, as this server is: nobody would begin.");
    if (offer->is_passive)
        refuse(parser, "The offer says a=setup:passive, as this server does: nobody would begin.");
    check_media(parser);
}

int offer_parse(struct offer *out, const char *text, size_t len, const char **wrong)
{
    struct parser *parser = calloc(1, sizeof(*parser));
    int err;

    memset(out, 0, sizeof(*out));
    *wrong = "The server is out of memory.";
    if (!parser)
        return -ENOMEM;
    parser->offer = out;
    *wrong = "The offer is longer than 64 KiB.";
    err = len > OFFER_MAX_BYTES ? -ERR_TOO_LONG
                                : read_lines(parser, (struct span){.at = text, .len = len});
    if (err == 0)
        check_offer(parser);
    if (parser->wrong) {
        *wrong = parser->wrong;
        err = err < 0 ? err : -ERR_PROTOCOL;
    }
    out->has_rtcp_mux = err == 0;
    free(parser);
    return err;
}

int fragment_parse(struct fragment *out, const char *text, size_t len)
{
    struct span rest = {.at = text, .len = len}, line;

    memset(out, 0, sizeof(*out));
    while (rest.len) {
        if (!span_take_line(&rest, &line) || line.len > OFFER_LINE_MAX)
            return -ERR_PROTOCOL;
        if (span_take_word(&line, "a=ice-ufrag:")) {
            if (!span_is_ice(line) || !span_copy(line, out->ufrag, UFRAG_TEXT))
                return -ERR_PROTOCOL;
        } else if (span_take_word(&line, "a=ice-pwd:")) {
            if (!span_is_ice(line) || !span_copy(line, out->password, PASSWORD_TEXT))
                return -ERR_PROTOCOL;
        } else if (span_take_word(&line, "a=candidate:")) {
            out->candidate_count++;
        } else if (span_is(line, "a=end-of-candidates")) {
            out->has_end = true;
        }
    }
    return 0;
}
