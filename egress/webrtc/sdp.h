/* egress/webrtc/sdp.h: a WebRTC viewer's offer, and our answer (RFC 8829, 8839, 8842, 8843). Pure.
 *
 * An offer is parsed into a struct of fixed size; what we don't use is skipped. The answer is
 * written from the offer and from what was chosen of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"
#include "media/track.h"
#include "net/addr.h"

enum {
    OFFER_MAX_BYTES = 64 * 1024,
    OFFER_LINE_MAX = 4096,
    OFFER_MEDIA_MAX = 16,
    OFFER_CODECS_MAX = 32, /* of one media section, of those that we could send; more are skipped */
    MID_TEXT = 33,
    UFRAG_TEXT = 257, /* RFC 8839 section 5.4 */
    PASSWORD_TEXT = 257,
    FINGERPRINT_BYTES = 32, /* SHA-256 alone: others are refused */
    ANSWER_CANDIDATES_MAX = 16
};

enum offer_kind { OFFER_AUDIO, OFFER_VIDEO, OFFER_APPLICATION, OFFER_OTHER };

struct offer_codec {
    enum codec codec;
    uint8_t payload_type;
    uint8_t rtx_payload_type; /* of the retransmission format (RFC 4588) with this apt; 0: none */
    uint32_t clock_rate;
    uint8_t channels;
    uint8_t packetization_mode; /* H.264 */
    /* H.264: the three bytes, 0x42000a where absent (RFC 6184). H.265: profile-id, tier-flag and
     * level-id in a byte each, 0x01005d where absent (RFC 7798). */
    uint32_t profile_level_id;
    bool has_nack, has_pli, has_transport_cc, has_remb;
};

struct offer_media {
    enum offer_kind kind;
    char kind_text[16]; /* as the m line has it, as the transport: tokens, fit to be echoed */
    char transport[24]; /* "UDP/TLS/RTP/SAVPF" */
    char mid[MID_TEXT]; /* a token; "" only where nothing is wanted */
    char ufrag[UFRAG_TEXT];
    bool wants_media;    /* audio or video, recvonly or sendrecv, and not rejected by port 0 */
    bool is_bundled;     /* its mid is in the session's BUNDLE group */
    bool has_rtcp_rsize; /* it would send reduced-size RTCP (RFC 5506) */
    unsigned codec_count;
    struct offer_codec codec[OFFER_CODECS_MAX];
    uint8_t abs_send_time_id, transport_cc_id, playout_delay_id,
        mid_id;    /* 1 to 14; 0: not offered */
    bool has_sctp; /* webrtc-datachannel with a port, not rejected by port 0 */
    uint16_t sctp_port;
    uint32_t max_message_bytes; /* that the viewer takes; UINT32_MAX: any */
};

struct offer {
    /* Of the first section that is used. */
    char ufrag[UFRAG_TEXT], password[PASSWORD_TEXT];
    uint8_t fingerprint[FINGERPRINT_BYTES]; /* of the viewer's certificate, SHA-256 */
    bool has_fingerprint;
    bool is_lite;      /* the offerer is ICE-lite as well: it can't work */
    bool is_passive;   /* a=setup:passive: it would wait for us, who wait: refused */
    bool has_rtcp_mux; /* in every media section that wants media */
    unsigned media_count;
    struct offer_media media[OFFER_MEDIA_MAX];
};

/* 0, or -ERR_PROTOCOL / -ERR_TOO_LONG / -ERR_TOO_MANY / -ERR_UNSUPPORTED, and *wrong a sentence
 * for the person who wrote the player ("the offer has no a=fingerprint"), static. A parsed offer
 * has at least one media section, ICE credentials, a SHA-256 fingerprint, rtcp-mux, is not passive,
 * not lite, and its used sections are in one BUNDLE, or there is one only. text need not end in
 * NUL. */
int offer_parse(struct offer *out, const char *text, size_t len, const char **wrong) MUST_CHECK;

/* What one media section of the offer gets. */
struct choice {
    int track;    /* index in tracks, or -1: rejected (port 0), or data if is_data */
    bool is_data; /* the data channel section */
    const struct offer_codec *codec; /* borrowed from the offer */
    bool is_transcoded;              /* the track's audio becomes Opus first */
    uint32_t ssrc, rtx_ssrc;         /* set by the caller after sdp_choose; rtx_ssrc 0: none */
};

/* Chooses for each section. The first video section that wants media gets the video track, if
 * the offer takes its codec; H.264 by packetization-mode 1 first, and the nearest
 * profile-level-id (same profile, else constrained baseline / baseline / main / high in that
 * tolerance: what a browser lists is not all that it decodes). Audio: Opus, PCMU and PCMA as they
 * are; AAC, MP3 and L16 as Opus. 0, or -ERR_UNSUPPORTED and *wrong a sentence that names the
 * camera's codec, when there is nothing to send. Data sections are chosen when has_data. */
int sdp_choose(const struct offer *offer, const struct tracks *tracks, bool has_data,
               struct choice choices[OFFER_MEDIA_MAX], const char **wrong) MUST_CHECK;

/* The viewer's ufrag on the one transport: of the first section that was chosen (RFC 8843 section
 * 7.3; some offer each section with its own). Borrowed from the offer. */
const char *offer_ufrag(const struct offer *offer, const struct choice choices[OFFER_MEDIA_MAX]);

struct answer_candidate {
    struct addr addr;
    bool is_tcp; /* passive (RFC 6544) */
};

struct answer_terms {
    const struct offer *offer;
    const struct choice *choices; /* one a media section */
    const struct tracks *tracks;
    const char *ufrag, *password; /* ours */
    const uint8_t *fingerprint;   /* of our certificate, FINGERPRINT_BYTES */
    const struct answer_candidate *candidates;
    unsigned candidate_count;
    uint64_t session_id;
    const char *cname;
};

/* The whole answer, with BUNDLE, rtcp-mux, ice-lite, setup:passive, end-of-candidates, sendonly
 * sections with msid and ssrc lines, extmaps of those offered that we use, rtcp-fb of those
 * offered; rejected sections with port 0. The writer's sticky error says if it did not fit. */
void answer_write(struct writer *writer, const struct answer_terms *terms);

/* A trickle fragment (RFC 8840): what ICE credentials it names, "" where none; its candidates are
 * of no use to an ICE-lite server and only counted. */
struct fragment {
    char ufrag[UFRAG_TEXT], password[PASSWORD_TEXT];
    unsigned candidate_count;
    bool has_end;
};
int fragment_parse(struct fragment *out, const char *text, size_t len) MUST_CHECK;
