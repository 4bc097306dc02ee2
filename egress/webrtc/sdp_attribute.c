/* The attributes of an offer, a row each. */
#include <string.h>

#include "egress/webrtc/sdp_offer.h"

enum { EXTENSION_ID_MAX = 14 /* of one-byte headers (RFC 8285 section 4.2) */ };

static int take_mid(struct parser *parser, struct section *section, struct span value)
{
    struct offer *offer = parser->out;

    if (section->media->mid[0])
        return 0;
    if (!span_is_token(value))
        return parser_fail(parser, ERR_PROTOCOL, "an a=mid is not a token");
    for (unsigned i = 0; i < offer->media_count; i++)
        if (span_is(value, offer->media[i].mid))
            return parser_fail(parser, ERR_PROTOCOL, "two media sections have the same a=mid");
    if (!span_copy(value, section->media->mid, MID_TEXT))
        return parser_fail(parser, ERR_TOO_LONG, "an a=mid is longer than 32 characters");
    return 0;
}

static int take_group(struct parser *parser, struct section *section, struct span value)
{
    (void)section;
    if (!span_is(span_word(&value), "BUNDLE") || parser->has_bundle)
        return 0;
    parser->has_bundle = true;
    parser->bundle = value;
    return 0;
}

static int take_ufrag(struct parser *parser, struct section *section, struct span value)
{
    if (value.len >= UFRAG_TEXT)
        return parser_fail(parser, ERR_TOO_LONG, "an a=ice-ufrag is longer than 256 characters");
    if (value.len < UFRAG_MIN || !span_is_ice(value))
        return parser_fail(parser, ERR_PROTOCOL,
                           "an a=ice-ufrag is not 4 or more of letters, digits, + and /");
    section->transport.ufrag = value;
    return 0;
}

static int take_password(struct parser *parser, struct section *section, struct span value)
{
    if (value.len >= PASSWORD_TEXT)
        return parser_fail(parser, ERR_TOO_LONG, "an a=ice-pwd is longer than 256 characters");
    if (value.len < PASSWORD_MIN || !span_is_ice(value))
        return parser_fail(parser, ERR_PROTOCOL,
                           "an a=ice-pwd is not 22 or more of letters, digits, + and /");
    section->transport.password = value;
    return 0;
}

static bool read_fingerprint(struct span text, uint8_t out[FINGERPRINT_BYTES])
{
    for (unsigned i = 0; i < FINGERPRINT_BYTES; i++) {
        struct span pair = span_until(&text, ':');
        uint32_t byte;

        if (pair.len != 2 || !span_number(pair, 16, &byte))
            return false;
        out[i] = (uint8_t)byte;
    }
    return text.len == 0;
}

/* "sha-256 89:3B:…"; there may be one for each of several hashes (RFC 8122). */
static int take_fingerprint(struct parser *parser, struct section *section, struct span value)
{
    struct section_transport *transport = &section->transport;

    if (!span_is_nocase(span_word(&value), "sha-256")) {
        transport->has_other_fingerprint = true;
        return 0;
    }
    if (!read_fingerprint(span_trim(value), transport->fingerprint))
        return parser_fail(parser, ERR_PROTOCOL,
                           "an a=fingerprint of sha-256 is not 32 hexadecimal bytes");
    transport->has_fingerprint = true;
    return 0;
}

static int take_setup(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    section->transport.is_passive = !span_is(value, "actpass") && !span_is(value, "active");
    return 0;
}

static int take_ice_lite(struct parser *parser, struct section *section, struct span value)
{
    (void)section;
    (void)value;
    parser->out->is_lite = true;
    return 0;
}

static int take_rtcp_mux(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    (void)value;
    section->transport.has_rtcp_mux = true;
    return 0;
}

static int take_rtcp_rsize(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    (void)value;
    section->media->has_rtcp_rsize = true;
    return 0;
}

static int take_bundle_only(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    (void)value;
    section->is_bundle_only = true;
    return 0;
}

static int take_receiving(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    (void)value;
    section->is_receiving = true;
    return 0;
}

static int take_not_receiving(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    (void)value;
    section->is_receiving = false;
    return 0;
}

static uint8_t *extension_place(struct offer_media *media, struct span uri)
{
    if (span_is(uri, EXTENSION_ABS_SEND_TIME))
        return &media->abs_send_time_id;
    if (span_is(uri, EXTENSION_TRANSPORT_CC))
        return &media->transport_cc_id;
    if (span_is(uri, EXTENSION_PLAYOUT_DELAY))
        return &media->playout_delay_id;
    if (span_is(uri, EXTENSION_MID))
        return &media->mid_id;
    return NULL;
}

/* "4 http://…", "6/recvonly http://…": the direction is the offerer's. */
static int take_extension(struct parser *parser, struct section *section, struct span value)
{
    struct offer_media *media = section->media;
    struct span direction = span_word(&value);
    struct span number = span_until(&direction, '/');
    uint8_t *place = extension_place(media, span_word(&value));
    uint32_t id;

    (void)parser;
    if (!place || !span_number(number, 10, &id) || !id || id > EXTENSION_ID_MAX)
        return 0;
    if (span_is(direction, "sendonly") || span_is(direction, "inactive"))
        return 0;
    if (id == media->abs_send_time_id || id == media->transport_cc_id ||
        id == media->playout_delay_id || id == media->mid_id)
        return 0; /* the first keeps it */
    *place = (uint8_t)id;
    return 0;
}

static void set_sctp_port(struct section *section, struct span port)
{
    uint32_t number;

    if (!span_number(port, 10, &number) || !number || number > UINT16_MAX)
        return;
    section->has_sctp_port = true;
    section->media->sctp_port = (uint16_t)number;
}

static int take_sctp_port(struct parser *parser, struct section *section, struct span value)
{
    (void)parser;
    set_sctp_port(section, value);
    return 0;
}

/* "5000 webrtc-datachannel 65535": as it was before RFC 8841, and as aiortc still has it. */
static int take_sctp_map(struct parser *parser, struct section *section, struct span value)
{
    struct span port = span_word(&value);

    (void)parser;
    if (span_is(span_word(&value), DATA_CHANNEL_FORMAT))
        set_sctp_port(section, port);
    return 0;
}

static int take_message_size(struct parser *parser, struct section *section, struct span value)
{
    uint32_t size;

    (void)parser;
    if (span_number(value, 10, &size))
        section->media->max_message_bytes = size ? size : UINT32_MAX;
    return 0;
}

/* A bit each. */
enum { IN_SESSION = 1, IN_MEDIA = 2, ANYWHERE = 3 };

static const struct {
    const char *name;
    unsigned where;
    attribute_take *take;
} attributes[] = {
    {"group", IN_SESSION, take_group},
    {"ice-lite", ANYWHERE, take_ice_lite},
    {"ice-ufrag", ANYWHERE, take_ufrag},
    {"ice-pwd", ANYWHERE, take_password},
    {"fingerprint", ANYWHERE, take_fingerprint},
    {"setup", ANYWHERE, take_setup},
    {"extmap", ANYWHERE, take_extension},
    {"recvonly", ANYWHERE, take_receiving},
    {"sendrecv", ANYWHERE, take_receiving},
    {"sendonly", ANYWHERE, take_not_receiving},
    {"inactive", ANYWHERE, take_not_receiving},
    {"mid", IN_MEDIA, take_mid},
    {"rtcp-mux", IN_MEDIA, take_rtcp_mux},
    {"rtcp-rsize", IN_MEDIA, take_rtcp_rsize},
    {"bundle-only", IN_MEDIA, take_bundle_only},
    {"rtpmap", IN_MEDIA, section_take_rtpmap},
    {"fmtp", IN_MEDIA, section_take_fmtp},
    {"rtcp-fb", IN_MEDIA, section_take_feedback},
    {"sctp-port", IN_MEDIA, take_sctp_port},
    {"sctpmap", IN_MEDIA, take_sctp_map},
    {"max-message-size", IN_MEDIA, take_message_size},
};

int parser_take_attribute(struct parser *parser, struct span line)
{
    bool is_in_session = parser_is_in_session(parser);
    struct section *section = is_in_session ? &parser->session : &parser->section;
    unsigned where = is_in_session ? IN_SESSION : IN_MEDIA;
    struct span name = span_until(&line, ':');

    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        if (span_is(name, attributes[i].name) && (attributes[i].where & where))
            return attributes[i].take(parser, section, span_trim(line));
    return 0;
}
