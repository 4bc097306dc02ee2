/* agent/rtsp_client_private.h: the parts of a client, for its four files. */
#pragma once

#include "agent/dial.h"
#include "agent/rtp_receiver.h"
#include "agent/rtsp_client.h"
#include "net/conn.h"
#include "rtsp/digest.h"
#include "rtsp/message.h"
#include "rtsp/sdp.h"

enum { CLIENT_TRACKS = 2, SESSION_MAX = 256, TEXT_MAX = 192 };

enum client_step {
    STEP_CONNECT,
    STEP_OPTIONS,
    STEP_DESCRIBE,
    STEP_SETUP,
    STEP_PLAY,
    STEP_PLAYING,
    STEP_CLOSED
};

/* One track in use. */
struct client_track {
    struct depacketiser_sink sink; /* first: a sink's track */
    struct rtsp_client *client;
    unsigned index;
    struct rtp_receiver *receiver; /* owned */
    const struct sdp_media *media; /* borrowed from the client's sdp */
    uint8_t channel;               /* interleaved: of RTP; RTCP is the next one */
    struct camera_udp *udp;        /* owned; NULL over TCP */
};

struct rtsp_client {
    struct loop *loop;
    const struct allow *allow;
    const struct rtsp_client_handler *handler;
    void *owner;
    struct rtsp_url url;
    struct dial *dial;      /* owned, while connecting */
    struct tls_client *tls; /* owned; NULL over plain TCP */
    struct conn *conn;      /* owned */
    enum client_step step;
    struct loop_timer keepalive;
    struct loop_task gone;

    int64_t cseq;
    const char *method;   /* of the request that waits for its answer; NULL: none does */
    const char *answered; /* of the one whose answer is being read */
    char request_url[RTSP_URL_MAX];
    char base[RTSP_URL_MAX]; /* what relative controls hang on */
    char session[SESSION_MAX];
    unsigned timeout_s, keepalive_ticks;
    const char *keepalive_method;
    bool is_udp;       /* asked for, or TCP was refused */
    bool is_udp_tried; /* a refusal of both is final */
    unsigned redirects, auth_tries;

    struct digest_challenge challenge;
    uint32_t nonce_count;
    bool is_accepted; /* an answer to the challenge was good once */

    struct sdp sdp;
    unsigned track_count, setup_index;
    struct client_track tracks[CLIENT_TRACKS];
};

/* agent/rtsp_client.c */
void client_fail(struct rtsp_client *client, enum rtsp_failure failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void client_set_step(struct rtsp_client *client, enum client_step step);
int client_connect(struct rtsp_client *client) MUST_CHECK;

/* agent/rtsp_request.c: sends the request of the present step. */
void client_send_step(struct rtsp_client *client);
void client_send_keepalive(struct rtsp_client *client);
void client_send_teardown(struct rtsp_client *client);
void client_send(struct rtsp_client *client, const void *bytes, size_t len);

/* agent/rtsp_response.c: what an answer leads to. */
void client_on_response(struct rtsp_client *client, const struct rtsp_message *response);

/* agent/rtsp_media.c: tracks, and what arrives for them. */
bool client_choose_tracks(struct rtsp_client *client);
void client_on_frame(struct rtsp_client *client, uint8_t channel, const uint8_t *bytes, size_t len);
void client_on_rtcp(struct client_track *track, const uint8_t *bytes, size_t len);
void client_send_reports(struct rtsp_client *client);
void client_close_tracks(struct rtsp_client *client);

/* agent/camera_udp.c: a pair of ports of our own for one track; packets only from the camera. */
struct camera_udp;
int camera_udp_open(struct camera_udp **out, struct client_track *track) MUST_CHECK;
void camera_udp_close(struct camera_udp *udp);
uint16_t camera_udp_port(const struct camera_udp *udp);
void camera_udp_connect(struct camera_udp *udp, uint16_t rtp_port, uint16_t rtcp_port);
void camera_udp_send_rtcp(struct camera_udp *udp, const void *bytes, size_t len);
