/* egress/webrtc/sdp_offer.h: an offer while it is being parsed, and words that the answer has too.
 * For sdp_*.c alone. */
#pragma once

#include "egress/webrtc/sdp.h"
#include "egress/webrtc/sdp_text.h"

enum { UFRAG_MIN = 4, PASSWORD_MIN = 22 }; /* RFC 8839 section 5.4 */
enum {
    PAYLOAD_TYPES = 128,
    RTP_CLOCK_VIDEO = 90000,
    RTP_CLOCK_OPUS = 48000,
    RTP_CLOCK_G711 = 8000
};

/* What of the offer's words goes into the answer as well. */
#define EXTENSION_ABS_SEND_TIME "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
#define EXTENSION_TRANSPORT_CC                                                                     \
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define EXTENSION_PLAYOUT_DELAY "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
#define EXTENSION_MID "urn:ietf:params:rtp-hdrext:sdes:mid"
#define DATA_CHANNEL_FORMAT "webrtc-datachannel"

/* What the lines about one payload type said, in whatever order they came. */
struct format {
    struct offer_codec codec; /* codec.codec CODEC_NONE: not one that we could send */
    bool is_rtx;
    bool has_apt;
    uint8_t apt;
    bool has_mode, has_profile, has_tier, has_level; /* of fmtp, its values: */
    uint32_t mode, profile, tier, level;             /* profile: three bytes of H.264's */
};

/* What a section says of the transport. */
struct section_transport {
    struct span ufrag, password;
    uint8_t fingerprint[FINGERPRINT_BYTES];
    bool has_fingerprint;       /* by SHA-256 */
    bool has_other_fingerprint; /* by another hash alone */
    bool is_passive, has_rtcp_mux;
};

/* The section that lines belong to. Before the first m line it is the session: a media section
 * begins as a copy of it, so that what the session says holds for each (RFC 8866 section 5.13). */
struct section {
    struct offer_media *media; /* &media_of_session before the first m line */
    struct span formats;       /* of the m line */
    bool is_rejected;          /* port 0 */
    bool is_bundle_only;
    bool can_answer; /* its transport is one that DTLS-SRTP or DTLS-SCTP answers */
    bool is_receiving;
    bool has_sctp_port;
    struct section_transport transport;
    struct format any;                   /* a=rtcp-fb:* */
    struct format format[PAYLOAD_TYPES]; /* by payload type */
};

struct parser {
    struct offer *out;
    const char *wrong; /* the sentence, once an error was returned */
    struct offer_media media_of_session;
    struct section session, section;
    bool has_bundle;
    struct span bundle; /* the mids of the first BUNDLE group */
    struct section_transport transport[OFFER_MEDIA_MAX];
};

/* Notes the sentence, and returns -err. */
static inline int parser_fail(struct parser *parser, enum err err, const char *wrong)
{
    parser->wrong = wrong;
    return -(int)err;
}

/* Whether no m line has come yet. */
static inline bool parser_is_in_session(const struct parser *parser)
{
    return parser->out->media_count == 0;
}

/* What comes behind "a=". */
int parser_take_attribute(struct parser *parser, struct span line);

/* An attribute's value: 0, or what parser_fail gave. */
typedef int attribute_take(struct parser *parser, struct section *section, struct span value);

attribute_take section_take_rtpmap, section_take_fmtp, section_take_feedback;

/* Marks the payload types that need no rtpmap (RFC 3551). */
void section_begin_formats(struct section *section);

/* Fills the media's codecs from the formats, in the order of the m line. */
void section_end_formats(struct section *section);
