/* The answer: what of the offer was chosen, as text. */
#include <stdio.h>
#include <string.h>

#include "egress/webrtc/sdp.h"
#include "egress/webrtc/sdp_line.h"
#include "media/format/rtp_packager.h"

enum { TYPE_HOST = 126, TYPE_HOST_TCP = 90, DIRECTION_PASSIVE = 2 };

static bool is_used(const struct choice *choice)
{
    return choice->is_data || choice->track >= 0;
}

static void write_session(struct writer *out, const struct answer_terms *terms)
{
    const struct offer *offer = terms->offer;
    bool is_first = true;

    writer_printf(out, "v=0\r\no=- %llu 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n",
                  (unsigned long long)terms->session_id);
    for (unsigned i = 0; i < offer->media_count; i++) {
        if (!is_used(&terms->choices[i]) || !offer->media[i].is_bundled)
            continue;
        writer_printf(out, "%s %s", is_first ? "a=group:BUNDLE" : "", offer->media[i].mid);
        is_first = false;
    }
    writer_text(out, is_first ? "" : "\r\n");
    writer_printf(out, "a=msid-semantic: WMS %s\r\n", terms->cname);
}

/* RFC 8445 section 5.1.2.1; for TCP RFC 6544 section 4.2: below UDP, and passive. */
static uint32_t priority_of(const struct answer_candidate *candidate, unsigned index)
{
    uint32_t type = candidate->is_tcp ? TYPE_HOST_TCP : TYPE_HOST;
    uint32_t local = candidate->is_tcp ? DIRECTION_PASSIVE << 13 | (8191 - index) : 65535 - index;

    return type << 24 | local << 8 | 255;
}

static void write_candidates(struct writer *out, const struct answer_terms *terms)
{
    for (unsigned i = 0; i < terms->candidate_count; i++) {
        const struct answer_candidate *candidate = &terms->candidates[i];
        char host[ADDR_TEXT];

        writer_printf(out, "a=candidate:%u 1 %s %u %s %u typ host%s\r\n", i + 1,
                      candidate->is_tcp ? "tcp" : "udp", priority_of(candidate, i),
                      addr_format_host(&candidate->addr, host), addr_port(&candidate->addr),
                      candidate->is_tcp ? " tcptype passive" : "");
    }
    writer_text(out, "a=end-of-candidates\r\n");
}

static void write_transport(struct writer *out, const struct answer_terms *terms)
{
    writer_printf(out, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 ", terms->ufrag,
                  terms->password);
    for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
        writer_printf(out, "%s%02X", i ? ":" : "", terms->fingerprint[i]);
    writer_text(out, "\r\na=setup:passive\r\n");
}

static void write_parameters(struct writer *out, const struct choice *choice,
                             const struct tracks *tracks)
{
    const struct offer_codec *codec = choice->codec;
    unsigned type = codec->payload_type;

    if (codec->codec == CODEC_H264)
        writer_printf(out,
                      "a=fmtp:%u level-asymmetry-allowed=1;packetization-mode=%u;"
                      "profile-level-id=%06x\r\n",
                      type, codec->packetization_mode, codec->profile_level_id);
    else if (codec->codec == CODEC_OPUS)
        writer_printf(out, "a=fmtp:%u minptime=10;useinbandfec=0%s\r\n", type,
                      tracks->track[choice->track].channels >= 2 ? ";stereo=1;sprop-stereo=1" : "");
}

static const char *encoding_of(enum codec codec)
{
    return codec == CODEC_OPUS ? "opus" : codec_name(codec);
}

static void write_codec(struct writer *out, const struct choice *choice,
                        const struct tracks *tracks)
{
    const struct offer_codec *codec = choice->codec;
    unsigned type = codec->payload_type;

    writer_printf(out, "a=rtpmap:%u %s/%u%s\r\n", type, encoding_of(codec->codec),
                  codec->clock_rate, codec->codec == CODEC_OPUS ? "/2" : "");
    write_parameters(out, choice, tracks);
    if (codec->has_nack)
        writer_printf(out, "a=rtcp-fb:%u nack\r\n", type);
    if (codec->has_pli)
        writer_printf(out, "a=rtcp-fb:%u nack pli\r\n", type);
    if (codec->has_transport_cc)
        writer_printf(out, "a=rtcp-fb:%u transport-cc\r\n", type);
    else if (codec->has_remb)
        writer_printf(out, "a=rtcp-fb:%u goog-remb\r\n", type);
    if (choice->rtx_ssrc)
        writer_printf(out, "a=rtpmap:%u rtx/%u\r\na=fmtp:%u apt=%u\r\n", codec->rtx_payload_type,
                      codec->clock_rate, codec->rtx_payload_type, type);
}

static void write_extensions(struct writer *out, const struct offer_media *media,
                             const struct choice *choice)
{
    const struct {
        uint8_t id;
        const char *uri;
    } rows[] = {
        {media->abs_send_time_id, EXTENSION_ABS_SEND_TIME},
        {choice->codec->has_transport_cc ? media->transport_cc_id : 0, EXTENSION_TRANSPORT_CC},
        {media->kind == OFFER_VIDEO ? media->playout_delay_id : 0, EXTENSION_PLAYOUT_DELAY},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].id)
            writer_printf(out, "a=extmap:%u %s\r\n", rows[i].id, rows[i].uri);
}

static void write_sources(struct writer *out, const struct answer_terms *terms,
                          const struct choice *choice, const char *kind)
{
    writer_printf(out, "a=msid:%s %s\r\n", terms->cname, kind);
    if (choice->rtx_ssrc)
        writer_printf(out, "a=ssrc-group:FID %u %u\r\n", choice->ssrc, choice->rtx_ssrc);
    writer_printf(out, "a=ssrc:%u cname:%s\r\n", choice->ssrc, terms->cname);
    if (choice->rtx_ssrc)
        writer_printf(out, "a=ssrc:%u cname:%s\r\n", choice->rtx_ssrc, terms->cname);
}

static const char *kind_name(enum offer_kind kind)
{
    switch (kind) {
    case OFFER_AUDIO:
        return "audio";
    case OFFER_VIDEO:
        return "video";
    case OFFER_APPLICATION:
        return "application";
    case OFFER_OTHER:
        break;
    }
    return "text";
}

static void write_rejected(struct writer *out, const struct offer_media *media)
{
    writer_printf(out, "m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0\r\n", kind_name(media->kind),
                  media->transport, media->kind == OFFER_APPLICATION ? "webrtc-datachannel" : "0");
    if (*media->mid)
        writer_printf(out, "a=mid:%s\r\n", media->mid);
    if (media->kind != OFFER_APPLICATION)
        writer_text(out, "a=inactive\r\n");
}

static void write_head(struct writer *out, const struct offer_media *media,
                       const struct choice *choice)
{
    writer_printf(out, "m=%s 9 %s ", kind_name(media->kind), media->transport);
    if (choice->is_data)
        writer_text(out, "webrtc-datachannel");
    else
        writer_printf(out, "%u", choice->codec->payload_type);
    if (choice->rtx_ssrc)
        writer_printf(out, " %u", choice->codec->rtx_payload_type);
    writer_text(out, "\r\nc=IN IP4 0.0.0.0\r\n");
    if (*media->mid)
        writer_printf(out, "a=mid:%s\r\n", media->mid);
}

static void write_media(struct writer *out, const struct answer_terms *terms, unsigned index)
{
    const struct offer_media *media = &terms->offer->media[index];
    const struct choice *choice = &terms->choices[index];

    write_transport(out, terms);
    if (choice->is_data) {
        writer_printf(out, "a=sctp-port:%u\r\na=max-message-size:65536\r\n", SCTP_PORT);
        return;
    }
    writer_text(out, "a=sendonly\r\na=rtcp-mux\r\n");
    write_codec(out, choice, terms->tracks);
    write_extensions(out, media, choice);
    write_sources(out, terms, choice, kind_name(media->kind));
}

void answer_write(struct writer *writer, const struct answer_terms *terms)
{
    bool has_candidates = false;

    write_session(writer, terms);
    for (unsigned i = 0; i < terms->offer->media_count; i++) {
        const struct offer_media *media = &terms->offer->media[i];

        if (!is_used(&terms->choices[i])) {
            write_rejected(writer, media);
            continue;
        }
        write_head(writer, media, &terms->choices[i]);
        if (!has_candidates)
            write_candidates(writer, terms);
        has_candidates = true;
        write_media(writer, terms, i);
    }
}
