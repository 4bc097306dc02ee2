/* media/format/rtp_packager.h: how packager_rtp (media/packager.h) numbers what it sends.
 *
 * One PACKET_RTP a frame; its buf holds each RTP packet behind 4 bytes of RTSP interleaved
 * framing (RFC 2326 section 10.12) for channel 2 * track, all in order, without gaps.
 */
#pragma once

#include <stdint.h>

#include "media/track.h"

/* A whole RTP packet, with its header, is never longer, but for an Opus packet that is. */
enum { RTP_SEND_MAX_BYTES = 1200, RTP_FIRST_PAYLOAD_TYPE = 96 };

/* Every codec has a dynamic payload type, so that a change of codec keeps the SDP's shape. */
static inline uint8_t rtp_payload_type(unsigned track_index)
{
    return (uint8_t)(RTP_FIRST_PAYLOAD_TYPE + track_index);
}

/* Of the RTP timestamps that packager_rtp writes: 90000 for video and MP3, 48000 for Opus, else
 * the track's sampling rate. Never 0. The SDP must say the same. */
uint32_t rtp_clock_rate(const struct track *track);
