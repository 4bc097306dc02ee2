/* The offer: its sections, and what is wrong with it. */
#include "egress/webrtc/sdp_offer.h"

#include <string.h>

enum { MESSAGE_BYTES_DEFAULT = 65536 /* RFC 8841 section 6 */ };

/* The media section is whole: what does it come to? */
static void end_section(struct parser *parser)
{
    struct section *section = &parser->section;
    struct offer_media *media = section->media;
    bool is_rejected = section->is_rejected && !section->is_bundle_only;

    if (parser_is_in_session(parser))
        return;
    if (media->kind == OFFER_AUDIO || media->kind == OFFER_VIDEO) {
        section_end_formats(section);
        media->wants_media = section->is_receiving && section->can_answer && !is_rejected;
    }
    media->has_sctp = media->kind == OFFER_APPLICATION && section->has_sctp_port &&
                      section->can_answer && !is_rejected;
    if (section->transport.ufrag.len)
        span_copy(section->transport.ufrag, media->ufrag, sizeof(media->ufrag));
    parser->transport[parser->out->media_count - 1] = section->transport;
}

static enum offer_kind kind_of(struct span word)
{
    if (span_is(word, "audio"))
        return OFFER_AUDIO;
    if (span_is(word, "video"))
        return OFFER_VIDEO;
    return span_is(word, "application") ? OFFER_APPLICATION : OFFER_OTHER;
}

/* Plain RTP's names are taken as well, as RFC 8829 section 5.1.2 wants: keys come from DTLS. */
static bool can_answer(enum offer_kind kind, struct span transport)
{
    static const char *const rtp[] = {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF",
                                      "TCP/DTLS/RTP/SAVP", "RTP/SAVPF",        "RTP/SAVP",
                                      "RTP/AVPF",          "RTP/AVP"};
    static const char *const sctp[] = {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"};
    const char *const *names = kind == OFFER_APPLICATION ? sctp : rtp;
    size_t count =
        kind == OFFER_APPLICATION ? sizeof(sctp) / sizeof(sctp[0]) : sizeof(rtp) / sizeof(rtp[0]);

    for (size_t i = 0; i < count; i++)
        if (span_is(transport, names[i]))
            return true;
    return false;
}

/* Tokens with slashes between: "UDP/TLS/RTP/SAVPF". */
static bool is_transport(struct span text)
{
    do {
        if (!span_is_token(span_until(&text, '/')))
            return false;
    } while (text.len);
    return true;
}

/* "video 9 UDP/TLS/RTP/SAVPF 102 103" */
static int begin_section(struct parser *parser, struct span value)
{
    struct section *section = &parser->section;
    struct span kind = span_word(&value), ports = span_word(&value), transport = span_word(&value);
    struct offer_media *media;
    uint32_t port;

    if (parser->out->media_count == OFFER_MEDIA_MAX)
        return parser_fail(parser, ERR_TOO_MANY, "the offer has more than 16 media sections");
    media = &parser->out->media[parser->out->media_count];
    if (!span_is_token(kind) || !span_number(span_until(&ports, '/'), 10, &port) ||
        !is_transport(transport))
        return parser_fail(parser, ERR_PROTOCOL, "an m= line is malformed");
    *media = parser->media_of_session;
    if (!span_copy(kind, media->kind_text, sizeof(media->kind_text)) ||
        !span_copy(transport, media->transport, sizeof(media->transport)))
        return parser_fail(parser, ERR_TOO_LONG,
                           "an m= line names a kind or a transport that is too long");
    *section = parser->session;
    section->media = media;
    media->kind = kind_of(kind);
    media->max_message_bytes = MESSAGE_BYTES_DEFAULT;
    section->formats = value;
    section->is_rejected = port == 0;
    section->can_answer = can_answer(media->kind, transport);
    section_begin_formats(section);
    ++parser->out->media_count;
    return 0;
}

static int take_line(struct parser *parser, struct span line)
{
    bool is_media;

    if (!span_is_clean(line))
        return parser_fail(parser, ERR_PROTOCOL, "a line of the offer has control characters");
    if (line.len < 2 || line.at[1] != '=')
        return 0;
    is_media = line.at[0] == 'm';
    if (line.len > OFFER_LINE_MAX)
        return is_media ? parser_fail(parser, ERR_TOO_LONG, "an m= line is too long") : 0;
    if (is_media) {
        end_section(parser);
        return begin_section(parser, (struct span){line.at + 2, line.len - 2});
    }
    if (line.at[0] == 'a')
        return parser_take_attribute(parser, (struct span){line.at + 2, line.len - 2});
    return 0;
}

static bool is_used(const struct offer_media *media)
{
    return media->wants_media || media->has_sctp;
}

/* A mid that no section has is passed over. */
static void mark_bundle(struct parser *parser)
{
    struct span rest = parser->bundle, mid;

    for (mid = span_word(&rest); mid.len; mid = span_word(&rest))
        for (unsigned i = 0; i < parser->out->media_count; i++)
            if (span_is(mid, parser->out->media[i].mid))
                parser->out->media[i].is_bundled = true;
}

/* Every section that is used must fit into the one transport. */
static int check_used(struct parser *parser)
{
    const struct offer *offer = parser->out;
    unsigned used = 0;

    for (unsigned i = 0; i < offer->media_count; i++)
        used += is_used(&offer->media[i]);
    for (unsigned i = 0; i < offer->media_count; i++) {
        const struct offer_media *media = &offer->media[i];

        if (!is_used(media))
            continue;
        if (!media->mid[0])
            return parser_fail(parser, ERR_PROTOCOL, "a media section has no a=mid");
        if (used > 1 && !media->is_bundled)
            return parser_fail(parser, ERR_UNSUPPORTED,
                               "a media section is not in the offer's a=group:BUNDLE");
        if (parser->transport[i].is_passive)
            return parser_fail(parser, ERR_UNSUPPORTED,
                               "the offer has a=setup:passive, but the server waits for the "
                               "viewer's handshake: it must be actpass or active");
        if (media->wants_media && !parser->transport[i].has_rtcp_mux)
            return parser_fail(parser, ERR_UNSUPPORTED, "a media section has no a=rtcp-mux");
    }
    return 0;
}

/* Of the first section that is used; of the first, when none is. */
static int take_transport(struct parser *parser)
{
    struct offer *offer = parser->out;
    const struct section_transport *transport;
    unsigned first = 0;

    for (unsigned i = offer->media_count; i-- > 0;)
        if (is_used(&offer->media[i]))
            first = i;
    transport = &parser->transport[first];
    if (!transport->ufrag.len || !transport->password.len)
        return parser_fail(parser, ERR_PROTOCOL,
                           transport->ufrag.len ? "the offer has no a=ice-pwd"
                                                : "the offer has no a=ice-ufrag");
    if (!transport->has_fingerprint && transport->has_other_fingerprint)
        return parser_fail(parser, ERR_UNSUPPORTED, "the offer's a=fingerprint is not of sha-256");
    if (!transport->has_fingerprint)
        return parser_fail(parser, ERR_PROTOCOL, "the offer has no a=fingerprint");
    span_copy(transport->ufrag, offer->ufrag, sizeof(offer->ufrag));
    span_copy(transport->password, offer->password, sizeof(offer->password));
    memcpy(offer->fingerprint, transport->fingerprint, FINGERPRINT_BYTES);
    offer->has_fingerprint = true;
    offer->has_rtcp_mux = true; /* check_used has seen to it, and to this: */
    offer->is_passive = false;
    return 0;
}

static int finish(struct parser *parser)
{
    int err;

    end_section(parser);
    if (parser_is_in_session(parser))
        return parser_fail(parser, ERR_PROTOCOL, "the offer has no m= line");
    if (parser->out->is_lite)
        return parser_fail(parser, ERR_UNSUPPORTED,
                           "the offer has a=ice-lite, and so has the server: neither would begin");
    mark_bundle(parser);
    err = check_used(parser);
    return err ? err : take_transport(parser);
}

static int parse(struct parser *parser, struct span rest)
{
    struct span line = {rest.at, 0};
    int err = 0;

    if (!span_line(&rest, &line) || !span_is(line, "v=0"))
        return parser_fail(parser, ERR_PROTOCOL, "the offer does not begin with v=0");
    while (!err && span_line(&rest, &line))
        err = take_line(parser, line);
    return err ? err : finish(parser);
}

int offer_parse(struct offer *out, const char *text, size_t len, const char **wrong)
{
    struct parser parser = {.out = out, .wrong = ""};
    int err;

    memset(out, 0, sizeof(*out));
    parser.session.media = &parser.media_of_session;
    parser.session.is_receiving = true; /* without a word it is sendrecv */
    err = len > OFFER_MAX_BYTES
              ? parser_fail(&parser, ERR_TOO_LONG, "the offer is longer than 64 KiB")
              : parse(&parser, (struct span){text, len});
    *wrong = parser.wrong;
    return err;
}
