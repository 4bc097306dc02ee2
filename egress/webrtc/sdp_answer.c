/* Our answer. What it repeats of the offer are numbers, and tokens that the parser let through. */
#include <inttypes.h>

#include "egress/webrtc/sdp_offer.h"

enum {
    PREFERENCE_HOST_UDP = 126, /* RFC 8445 section 5.1.2.2 */
    PREFERENCE_HOST_TCP = 90,  /* below every UDP candidate, as browsers have it */
    TCP_PASSIVE = 4,           /* direction preference, RFC 6544 section 4.2 */
    COMPONENT = 1,
    OUR_MESSAGE_BYTES = 65536,
    H264_PROFILE_DEFAULT = 0x42000a, /* need not be said (RFC 6184 section 8.1) */
    H265_DEFAULTS = 0x01005d         /* RFC 7798 section 7.1 */
};

static bool is_chosen(const struct choice *choice)
{
    return choice->is_data || (choice->track >= 0 && choice->codec);
}

static void write_session(struct writer *writer, const struct answer_terms *terms)
{
    const struct offer *offer = terms->offer;
    bool has_bundle = false;

    writer_printf(writer, "v=0\r\no=- %" PRIu64 " 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
                  terms->session_id);
    writer_text(writer, "a=ice-lite\r\n");
    for (unsigned i = 0; i < offer->media_count; i++) {
        if (!is_chosen(&terms->choices[i]) || !offer->media[i].is_bundled)
            continue;
        writer_printf(writer, "%s %s", has_bundle ? "" : "a=group:BUNDLE", offer->media[i].mid);
        has_bundle = true;
    }
    if (has_bundle)
        writer_text(writer, "\r\n");
}

/* The foundation is one for all of an address's candidates of one transport (RFC 8445 section
 * 5.1.1.3): the number of the first such. */
static unsigned foundation_of(const struct answer_terms *terms, unsigned index)
{
    const struct answer_candidate *candidate = &terms->candidates[index];

    for (unsigned i = 0; i < index; i++)
        if (terms->candidates[i].is_tcp == candidate->is_tcp &&
            addr_is_same_host(&terms->candidates[i].addr, &candidate->addr))
            return i + 1;
    return index + 1;
}

/* RFC 8445 section 5.1.2.1. The earlier in the list, the better; RFC 6544 section 4.2 puts the
 * direction into the upper three bits of a TCP candidate's local preference. */
static uint32_t priority_of(const struct answer_candidate *candidate, unsigned index)
{
    uint32_t local = candidate->is_tcp ? (TCP_PASSIVE << 13) + (0x1fff - index) : 0xffff - index;
    uint32_t type = candidate->is_tcp ? PREFERENCE_HOST_TCP : PREFERENCE_HOST_UDP;

    return type << 24 | local << 8 | (256 - COMPONENT);
}

static void write_candidates(struct writer *writer, const struct answer_terms *terms)
{
    for (unsigned i = 0; i < terms->candidate_count; i++) {
        const struct answer_candidate *candidate = &terms->candidates[i];
        struct addr addr = addr_canonical(&candidate->addr);
        char host[ADDR_TEXT];

        writer_printf(writer, "a=candidate:%u %d %s %" PRIu32 " %s %u typ host%s\r\n",
                      foundation_of(terms, i), COMPONENT, candidate->is_tcp ? "tcp" : "udp",
                      priority_of(candidate, i), addr_format_host(&addr, host), addr_port(&addr),
                      candidate->is_tcp ? " tcptype passive" : "");
    }
    writer_text(writer, "a=end-of-candidates\r\n");
}

static void write_transport(struct writer *writer, const struct answer_terms *terms)
{
    writer_printf(writer, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 ", terms->ufrag,
                  terms->password);
    for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
        writer_printf(writer, "%s%02X", i ? ":" : "", terms->fingerprint[i]);
    writer_text(writer, "\r\na=setup:passive\r\n");
}

static void write_extensions(struct writer *writer, const struct offer_media *media)
{
    const struct {
        uint8_t id;
        const char *uri;
    } extensions[] = {
        {media->abs_send_time_id, EXTENSION_ABS_SEND_TIME},
        {media->transport_cc_id, EXTENSION_TRANSPORT_CC},
        {media->playout_delay_id, EXTENSION_PLAYOUT_DELAY},
        {media->mid_id, EXTENSION_MID},
    };

    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
        if (extensions[i].id)
            writer_printf(writer, "a=extmap:%u %s\r\n", extensions[i].id, extensions[i].uri);
}

static void write_h264_parameters(struct writer *writer, const struct offer_codec *codec)
{
    writer_printf(writer, "a=fmtp:%u level-asymmetry-allowed=1;packetization-mode=%u",
                  codec->payload_type, codec->packetization_mode);
    if (codec->profile_level_id != H264_PROFILE_DEFAULT)
        writer_printf(writer, ";profile-level-id=%06" PRIx32, codec->profile_level_id);
    writer_text(writer, "\r\n");
}

static void write_h265_parameters(struct writer *writer, const struct offer_codec *codec)
{
    uint32_t id = codec->profile_level_id;

    if (id != H265_DEFAULTS)
        writer_printf(writer,
                      "a=fmtp:%u level-id=%" PRIu32 ";profile-id=%" PRIu32 ";tier-flag=%" PRIu32
                      ";tx-mode=SRST\r\n",
                      codec->payload_type, id & 0xff, id >> 16, id >> 8 & 0xff);
}

static void write_format(struct writer *writer, const struct offer_codec *codec,
                         const struct track *track)
{
    unsigned type = codec->payload_type;

    if (codec->codec == CODEC_OPUS) {
        writer_printf(writer, "a=rtpmap:%u opus/48000/2\r\n", type);
        writer_printf(writer, "a=fmtp:%u minptime=10;useinbandfec=0%s\r\n", type,
                      track->channels == 2 ? ";stereo=1;sprop-stereo=1" : "");
        return;
    }
    writer_printf(writer, "a=rtpmap:%u %s/%" PRIu32 "\r\n", type, codec_name(codec->codec),
                  codec->clock_rate);
    if (codec->codec == CODEC_H264)
        write_h264_parameters(writer, codec);
    else if (codec->codec == CODEC_H265)
        write_h265_parameters(writer, codec);
}

/* Transport-wide feedback counts the numbers of its extension: without one there is none. */
static void write_feedback(struct writer *writer, const struct offer_media *media,
                           const struct offer_codec *codec)
{
    unsigned type = codec->payload_type;

    if (codec->has_remb)
        writer_printf(writer, "a=rtcp-fb:%u goog-remb\r\n", type);
    if (codec->has_transport_cc && media->transport_cc_id)
        writer_printf(writer, "a=rtcp-fb:%u transport-cc\r\n", type);
    if (codec->has_nack)
        writer_printf(writer, "a=rtcp-fb:%u nack\r\n", type);
    if (codec->has_pli)
        writer_printf(writer, "a=rtcp-fb:%u nack pli\r\n", type);
}

static void write_sources(struct writer *writer, const struct answer_terms *terms,
                          const struct choice *choice)
{
    if (choice->rtx_ssrc)
        writer_printf(writer, "a=ssrc-group:FID %" PRIu32 " %" PRIu32 "\r\n", choice->ssrc,
                      choice->rtx_ssrc);
    writer_printf(writer, "a=ssrc:%" PRIu32 " cname:%s\r\n", choice->ssrc, terms->cname);
    if (choice->rtx_ssrc)
        writer_printf(writer, "a=ssrc:%" PRIu32 " cname:%s\r\n", choice->rtx_ssrc, terms->cname);
}

static void write_track(struct writer *writer, const struct answer_terms *terms, unsigned index)
{
    const struct offer_media *media = &terms->offer->media[index];
    const struct choice *choice = &terms->choices[index];
    const struct offer_codec *codec = choice->codec;
    bool has_rtx = choice->rtx_ssrc && codec->rtx_payload_type;

    write_extensions(writer, media);
    writer_printf(writer, "a=sendonly\r\na=msid:%s %s\r\na=rtcp-mux\r\n", terms->cname,
                  media->kind_text);
    if (media->has_rtcp_rsize)
        writer_text(writer, "a=rtcp-rsize\r\n");
    write_format(writer, codec, &terms->tracks->track[choice->track]);
    write_feedback(writer, media, codec);
    if (has_rtx)
        writer_printf(writer, "a=rtpmap:%u rtx/%" PRIu32 "\r\na=fmtp:%u apt=%u\r\n",
                      codec->rtx_payload_type, codec->clock_rate, codec->rtx_payload_type,
                      codec->payload_type);
    write_sources(writer, terms, choice);
}

/* Before RFC 8841 the m line named the port, and a=sctpmap what is spoken there. */
static bool is_old_data(const struct offer_media *media)
{
    return media->transport[0] == 'D';
}

static void write_data(struct writer *writer, const struct offer_media *media)
{
    if (is_old_data(media))
        writer_printf(writer, "a=sctpmap:%u " DATA_CHANNEL_FORMAT " 65535\r\n", media->sctp_port);
    else
        writer_printf(writer, "a=sctp-port:%u\r\n", media->sctp_port);
    writer_printf(writer, "a=max-message-size:%d\r\n", OUR_MESSAGE_BYTES);
}

/* Port 9 at no address: the candidates say where (RFC 8840 section 4.1.1). */
static void write_media_line(struct writer *writer, const struct offer_media *media,
                             const struct choice *choice)
{
    writer_printf(writer, "m=%s %d %s", media->kind_text, is_chosen(choice) ? 9 : 0,
                  media->transport);
    if (choice->codec)
        writer_printf(writer, " %u", choice->codec->payload_type);
    if (choice->codec && choice->rtx_ssrc && choice->codec->rtx_payload_type)
        writer_printf(writer, " %u", choice->codec->rtx_payload_type);
    if (!choice->codec && media->kind == OFFER_APPLICATION && is_old_data(media))
        writer_printf(writer, " %u", media->sctp_port);
    else if (!choice->codec && media->kind == OFFER_APPLICATION)
        writer_text(writer, " " DATA_CHANNEL_FORMAT);
    else if (!choice->codec)
        writer_text(writer, " 0"); /* rejected, but the line must name one */
    writer_text(writer, "\r\nc=IN IP4 0.0.0.0\r\n");
    if (media->mid[0])
        writer_printf(writer, "a=mid:%s\r\n", media->mid);
}

/* A refused section has the transport's lines, too: GStreamer's webrtcbin takes no answer without a
 * fingerprint in each. */
void answer_write(struct writer *writer, const struct answer_terms *terms)
{
    bool has_candidates = false;

    write_session(writer, terms);
    for (unsigned i = 0; i < terms->offer->media_count; i++) {
        const struct offer_media *media = &terms->offer->media[i];
        const struct choice *choice = &terms->choices[i];

        write_media_line(writer, media, choice);
        write_transport(writer, terms);
        if (!is_chosen(choice)) {
            writer_text(writer, "a=inactive\r\n");
            continue;
        }
        if (choice->is_data)
            write_data(writer, media);
        else
            write_track(writer, terms, i);
        if (!has_candidates)
            write_candidates(writer, terms);
        has_candidates = true;
    }
}
