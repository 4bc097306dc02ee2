/* SETUP: which transport a viewer gets for a track. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "egress/rtsp/methods.h"
#include "egress/rtsp/udp.h"
#include "rtsp/transport.h"

enum { TIMEOUT_S = 60 };

/* "…/trackID=1" at the URL's end, also after a query; a stream of one track needs no name. */
static int find_track(const struct session *session, const char *url)
{
    const char *name = strstr(url, "trackID=");
    unsigned track = 0;

    if (!name)
        return session->tracks->count == 1 ? 0 : -1;
    name += strlen("trackID=");
    if (*name < '0' || *name > '9')
        return -1;
    for (; *name >= '0' && *name <= '9' && track < TRACKS_MAX; name++)
        track = track * 10 + (unsigned)(*name - '0');
    if (track >= session->tracks->count || session->tracks->track[track].codec == CODEC_NONE)
        return -1;
    return (int)track;
}

static bool is_channel_free(const struct session *session, unsigned track, uint8_t channel)
{
    for (unsigned i = 0; i < SETUP_TRACKS; i++) {
        const struct session_track *other = &session->track[i];

        if (i != track && other->transport == TRANSPORT_TCP && other->channel / 2 == channel / 2)
            return false;
    }
    return true;
}

static bool take_tcp(struct session *session, unsigned track, struct rtsp_transport *wish)
{
    if (!wish->has_channels) {
        wish->has_channels = true;
        wish->channel = (uint8_t)(2 * track);
    }
    wish->channel_rtcp = (uint8_t)(wish->channel + 1);
    if (!is_channel_free(session, track, wish->channel))
        return false;
    session->track[track].transport = TRANSPORT_TCP;
    session->track[track].channel = wish->channel;
    return true;
}

/* Media goes to the connection's peer and nowhere else, whatever destination it names. */
static bool take_udp(struct session *session, unsigned index, struct rtsp_transport *wish)
{
    struct session_track *track = &session->track[index];
    struct udp_pair *udp = session->instance->udp;

    if (!udp || !wish->has_client_port || conn_is_tls(session->conn))
        return false;
    track->transport = TRANSPORT_UDP;
    track->rtp = track->rtcp = addr_canonical(conn_peer(session->conn));
    addr_set_port(&track->rtp, wish->client_rtp);
    addr_set_port(&track->rtcp, wish->client_rtcp);
    track->is_proven = false;
    wish->has_server_port = true;
    wish->server_rtp = udp_port(udp);
    wish->server_rtcp = (uint16_t)(udp_port(udp) + 1);
    return true;
}

static bool take(struct session *session, unsigned track, struct rtsp_transport *wish)
{
    if (wish->is_multicast || wish->is_secure)
        return false;
    wish->has_ssrc = false;
    return wish->is_tcp ? take_tcp(session, track, wish) : take_udp(session, track, wish);
}

static void answer(struct session *session, const struct rtsp_message *request,
                   const struct rtsp_transport *transport)
{
    struct writer out;
    char text[256];

    if (!session->id[0])
        snprintf(session->id, sizeof(session->id), "%016llx", (unsigned long long)random_u64());
    writer_init(&out, 4096);
    rtsp_write_response(&out, 200, rtsp_cseq(request));
    if (rtsp_transport_format(transport, text, sizeof(text)) == 0)
        rtsp_write_header(&out, "Transport", "%s", text);
    rtsp_write_header(&out, "Session", "%s;timeout=%d", session->id, TIMEOUT_S);
    rtsp_write_end(&out, NULL, NULL, 0);
    if (out.err || conn_write_copy(session->conn, out.bytes, out.len) < 0)
        session_close(session);
    writer_fini(&out);
}

void setup_run(struct session *session, const struct rtsp_message *request)
{
    struct rtsp_transport wishes[RTSP_TRANSPORTS_MAX];
    const char *header = rtsp_header(request, "Transport");
    int track = find_track(session, request->url);
    int count = header ? rtsp_transport_parse(wishes, header) : -ERR_PROTOCOL;

    if (track < 0) {
        method_answer(session, request, 404);
        return;
    }
    if (count < 0) {
        method_answer(session, request, 400);
        return;
    }
    if (session->track[track].transport != TRANSPORT_NONE) {
        method_answer(session, request, 455); /* a track is set up once */
        return;
    }
    for (int i = 0; i < count; i++)
        if (take(session, (unsigned)track, &wishes[i])) {
            answer(session, request, &wishes[i]);
            return;
        }
    method_answer(session, request, 461);
}
