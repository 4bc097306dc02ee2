/* RTCP sender reports: which wall-clock time an RTP timestamp is, so that a viewer can put
 * audio and video together (RFC 3550 section 6.4.1). */
#include "base/clock.h"
#include "egress/rtsp/session.h"
#include "egress/rtsp/udp.h"
#include "media/format/rtp.h"

enum { REPORT_MAX_BYTES = 128 };

void report_send(struct session *session, unsigned track_index)
{
    struct session_track *track = &session->track[track_index];
    struct rtcp_sender sender = {.ssrc = track->ssrc,
                                 .rtp_time = track->rtp_time,
                                 .packet_count = track->packet_count,
                                 .octet_count = track->octet_count,
                                 .wall_us = track->wall_us ? track->wall_us : clock_wall_us(),
                                 .cname = "culvert"};
    uint8_t head[4] = {'$', (uint8_t)(track->channel + 1)};
    struct writer report;

    writer_init(&report, REPORT_MAX_BYTES);
    rtcp_write_sender_report(&report, &sender);
    head[2] = (uint8_t)(report.len >> 8);
    head[3] = (uint8_t)report.len;
    if (!report.err && track->transport == TRANSPORT_UDP)
        udp_send_rtcp(session->instance->udp, &track->rtcp, report.bytes, report.len);
    else if (!report.err && conn_write_copy(session->conn, head, sizeof(head)) == 0 &&
             conn_write_copy(session->conn, report.bytes, report.len) < 0)
        session_close(session); /* half a frame must not stand in the stream */
    writer_fini(&report);
}

void report_send_all(struct egress_instance *instance)
{
    list_for_each (link, after, &instance->sessions) {
        struct session *session = list_entry(link, struct session, link);

        for (unsigned i = 0; i < SETUP_TRACKS && session->state == SESSION_PLAYING; i++)
            if (session->track[i].has_report && session->cursor.feed)
                report_send(session, i);
    }
}
