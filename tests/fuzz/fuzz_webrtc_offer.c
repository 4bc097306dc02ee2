#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* As many lines of the answer as the offer has sections must begin with "m=". */
static void check_answer(const struct writer *writer, const struct offer *offer)
{
    unsigned count = 0;

    for (size_t i = 0; i + 2 < writer->len; i++) {
        if (writer->bytes[i] == '\n')
            count += writer->bytes[i + 1] == 'm' && writer->bytes[i + 2] == '=';
        if (writer->bytes[i] == '\n' && (i == 0 || writer->bytes[i - 1] != '\r'))
            abort();
    }
    if (count != offer->media_count)
        abort();
}

static void answer_offer(const struct offer *offer, const struct tracks *tracks)
{
    static const uint8_t fingerprint[FINGERPRINT_BYTES];
    static struct choice choices[OFFER_MEDIA_MAX];
    struct answer_terms terms = {.offer = offer,
                                 .choices = choices,
                                 .tracks = tracks,
                                 .ufrag = "00ours",
                                 .password = "our-password-of-24-bytes",
                                 .fingerprint = fingerprint,
                                 .cname = "culvert"};
    struct writer writer;
    const char *wrong;

    if (sdp_choose(offer, tracks, true, choices, &wrong) < 0)
        return;
    writer_init(&writer, OFFER_MAX_BYTES);
    for (unsigned i = 0; i < OFFER_MEDIA_MAX; i++)
        choices[i].ssrc = choices[i].rtx_ssrc = i + 1;
    answer_write(&writer, &terms);
    if (writer.err == 0)
        check_answer(&writer, offer);
    writer_fini(&writer);
}

/* Parsed, chosen from with each kind of camera, and answered; and read as a trickle fragment. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct fragment fragment;
    static struct offer offer;
    struct tracks *tracks = tracks_new(2);
    const char *wrong = NULL;

    if (tracks && offer_parse(&offer, (const char *)bytes, len, &wrong) == 0) {
        tracks->track[1] = (struct track){CODEC_PCMA, .clock_rate = 8000};
        for (unsigned codec = CODEC_H264; codec <= CODEC_L16; codec++) {
            tracks->track[0].codec = (enum codec)codec;
            answer_offer(&offer, tracks);
        }
    }
    if ((tracks && !wrong) || fragment_parse(&fragment, (const char *)bytes, len) > 0)
        abort();
    tracks_unref(tracks);
    return 0;
}
