/* What cameras say, each in its way: rows for test_rtsp_client.c, which plays the camera. */
#pragma once

#include <stdint.h>

#include "agent/rtsp_client.h"

enum { EXCHANGES = 12, HAS = 3 };

/* One request and what is answered to it. */
struct exchange {
    const char *wants;    /* method, a blank, and the URL behind the host */
    const char *has[HAS]; /* "Name: text", which its header must contain; "!Name": no such header */
    const char *answer;   /* $C: its CSeq, $P: the camera's port, $B: the description's headers and
                             body; "": none */
    unsigned after_s;     /* the clock goes on so far before it is asked */
    uint8_t frame_before, frame_after; /* a packet of media on channel - 1, around the answer */
};

struct dialect {
    const char *name, *url; /* from user info on; $P: the camera's port */
    const char *sdp;
    struct exchange exchanges[EXCHANGES];
    unsigned units;  /* that must come */
    unsigned tracks; /* that must play; 0: it fails instead */
    enum rtsp_failure failure;
    const char *text; /* in the failure's sentence */
};

#define OK "RTSP/1.0 200 OK\r\nCSeq: $C\r\n"
#define DESCRIBED OK "$B"
#define OPTIONS(public)                                                                            \
    {                                                                                              \
        .wants = "OPTIONS /live", .answer = OK "Public: " public "\r\n\r\n"                        \
    }
#define PLAY_IT(url)                                                                               \
    {                                                                                              \
        .wants = "PLAY " url, .has = {"Session: 4711"}, .answer = OK "Session: 4711\r\n\r\n",      \
        .frame_after = 1                                                                           \
    }
#define SETUP_OK OK "Session: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
#define CHALLENGE(rest)                                                                            \
    "RTSP/1.0 401 Unauthorized\r\nCSeq: $C\r\nWWW-Authenticate: " rest "\r\n\r\n"

#define SOUND(control) "v=0\r\nm=audio 0 RTP/AVP 0\r\n" control
#define PICTURE                                                                                    \
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
#define PLAIN SOUND("a=control:track1\r\n")
#define METHODS "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER"

static struct dialect dialects[] = {
    {.name = "an_ordinary_camera_plays",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", {"Accept: application/sdp", "!Session"}, DESCRIBED},
                   {"SETUP /live/track1",
                    {"Transport: RTP/AVP/TCP;unicast;interleaved=0-1"},
                    SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "an_absolute_control_is_taken_without_its_host",
     .url = "127.0.0.1:$P/live",
     .sdp = "v=0\r\na=control:rtsp://192.168.9.9/live?all\r\nm=audio 0 RTP/AVP 0\r\n"
            "a=control:rtsp://192.168.9.9/live/t?x=1\r\n",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/t?x=1", .answer = SETUP_OK},
                   PLAY_IT("/live?all")},
     .tracks = 1,
     .units = 1},

    {.name = "without_any_control_the_url_itself_is_set_up",
     .url = "127.0.0.1:$P/live",
     .sdp = SOUND(""),
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_wrong_content_base_gives_its_path_alone",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live",
                    .answer = OK "Content-Base: rtsp://10.9.8.7:1554/live/sub/\r\n$B"},
                   {"SETUP /live/sub/track1", .answer = SETUP_OK},
                   PLAY_IT("/live/sub/")},
     .tracks = 1,
     .units = 1},

    {.name = "names_of_headers_in_small_letters_and_bare_line_feeds",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {{"OPTIONS /live",
                    .answer = "RTSP/1.0 200 OK\ncseq:$C\npublic:set_parameter\n\n"},
                   {"DESCRIBE /live", .answer = "RTSP/1.0 200 OK\ncseq:$C\n$B"},
                   {"SETUP /live/track1", .answer = "RTSP/1.0 200 OK\nsession:4711;timeout=15\n"
                                                    "transport:RTP/AVP/TCP;interleaved=0-1\n\n"},
                   PLAY_IT("/live"),
                   {"SET_PARAMETER /live", .after_s = 15, .answer = "RTSP/1.0 200 OK\n\n"}},
     .tracks = 1,
     .units = 1},

    {.name = "answers_without_cseq_or_with_a_wrong_one_count",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {{"OPTIONS /live", .answer = "RTSP/1.0 200 OK\r\n\r\n"},
                   {"DESCRIBE /live", .answer = "RTSP/1.0 200 OK\r\nCSeq: 99\r\n$B"},
                   {"SETUP /live/track1", .answer = "RTSP/1.0 200 OK\r\nSession: 4711\r\n\r\n"},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_camera_without_options_is_described_all_the_same",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {{"OPTIONS /live", .answer = "RTSP/1.0 501 Not Implemented\r\nCSeq: $C\r\n\r\n"},
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live"),
                   {"OPTIONS /live", {"Session: 4711"}, OK "\r\n", .after_s = 30}},
     .tracks = 1,
     .units = 1},

    {.name = "the_strongest_challenge_is_answered",
     .url = "u:secret@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live",
                    {"!Authorization"},
                    "RTSP/1.0 401 No\r\nCSeq: $C\r\nWWW-Authenticate: Basic realm=\"r\"\r\n"
                    "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\"\r\n"
                    "WWW-Authenticate: Digest realm=\"r\", nonce=\"s\", algorithm=SHA-256\r\n\r\n"},
                   {"DESCRIBE /live",
                    {"Authorization: nonce=\"s\"", "Authorization: SHA-256"},
                    DESCRIBED},
                   {"SETUP /live/track1", {"Authorization: nonce=\"s\""}, SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "digest_with_qop_counts_its_requests",
     .url = "u:secret@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {{"OPTIONS /live",
                    .answer = CHALLENGE("Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", "
                                        "algorithm=MD5, opaque=\"o\"")},
                   {"OPTIONS /live",
                    {"Authorization: nc=00000001", "Authorization: opaque=\"o\"",
                     "Authorization: qop=auth"},
                    OK "\r\n"},
                   {"DESCRIBE /live", {"Authorization: nc=00000002"}, DESCRIBED},
                   {"SETUP /live/track1", {"Authorization: nc=00000003"}, SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_nonce_that_is_stale_is_replaced",
     .url = "u:secret@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"1\"")},
                   {"DESCRIBE /live",
                    {"Authorization: nonce=\"1\""},
                    CHALLENGE("Digest realm=\"r\", nonce=\"2\", stale=TRUE")},
                   {"DESCRIBE /live", {"Authorization: nonce=\"2\""}, DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_nonce_that_changes_in_silence_is_replaced_while_it_plays_too",
     .url = "u:secret@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges =
         {OPTIONS(METHODS),
          {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"1\"")},
          {"DESCRIBE /live", {"Authorization: nonce=\"1\""}, DESCRIBED},
          {"SETUP /live/track1", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"2\"")},
          {"SETUP /live/track1", {"Authorization: nonce=\"2\""}, SETUP_OK},
          PLAY_IT("/live"),
          {"GET_PARAMETER /live",
           {"Authorization: nonce=\"2\""},
           CHALLENGE("Digest realm=\"r\", nonce=\"3\""),
           .after_s = 30},
          {"GET_PARAMETER /live", {"Authorization: nonce=\"3\""}, OK "\r\n", .frame_after = 1}},
     .tracks = 1,
     .units = 2},

    {.name = "a_second_refusal_is_unauthorised",
     .url = "u:secret@127.0.0.1:$P/live",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"1\"")},
                   {"DESCRIBE /live",
                    {"Authorization: nonce=\"1\""},
                    CHALLENGE("Digest realm=\"r\", nonce=\"2\"")}},
     .failure = RTSP_UNAUTHORISED,
     .text = "refused the user name or the password"},

    {.name = "a_camera_that_finds_every_nonce_stale_is_given_up",
     .url = "u:secret@127.0.0.1:$P/live",
     .exchanges =
         {OPTIONS(METHODS),
          {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"1\", stale=true")},
          {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"2\", stale=true")},
          {"DESCRIBE /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"3\", stale=true")}},
     .failure = RTSP_UNAUTHORISED,
     .text = "refused the user name or the password"},

    {.name = "a_camera_that_wants_a_password_nobody_gave_is_unauthorised",
     .url = "127.0.0.1:$P/live",
     .exchanges = {OPTIONS(METHODS), {"DESCRIBE /live", .answer = CHALLENGE("Basic realm=\"r\"")}},
     .failure = RTSP_UNAUTHORISED,
     .text = "wants a user and a password"},

    {.name = "a_challenge_that_nobody_knows_is_unauthorised",
     .url = "u:secret@127.0.0.1:$P/live",
     .exchanges = {OPTIONS(METHODS), {"DESCRIBE /live", .answer = CHALLENGE("Negotiate abc")}},
     .failure = RTSP_UNAUTHORISED,
     .text = "refused"},

    {.name = "basic_is_answered_with_special_characters_decoded_once",
     .url = "us%20er:p%40ss%2525@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = CHALLENGE("Basic realm=\"r\"")},
                   {"DESCRIBE /live", {"Authorization: Basic dXMgZXI6cEBzcyUyNQ=="}, DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "signs_of_life_come_within_the_sessions_time",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS("DESCRIBE, SETUP, PLAY, SET_PARAMETER, GET_PARAMETER"),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = OK "Session: 4711 ; Timeout=30\r\n\r\n"},
                   PLAY_IT("/live"),
                   {"GET_PARAMETER /live", {"Session: 4711"}, OK "\r\n", .after_s = 15},
                   {"GET_PARAMETER /live", {"Session: 4711"}, OK "\r\n", .after_s = 15}},
     .tracks = 1,
     .units = 1},

    {.name = "a_sign_of_life_that_is_refused_gives_way_to_options",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live"),
                   {"GET_PARAMETER /live", .after_s = 30,
                    .answer = "RTSP/1.0 454 Session Not Found\r\nCSeq: $C\r\n\r\n",
                    .frame_after = 1},
                   {"OPTIONS /live",
                    {"Session: 4711"},
                    "RTSP/1.0 403 Forbidden\r\nCSeq: $C\r\n\r\n",
                    .after_s = 30,
                    .frame_after = 1}},
     .tracks = 1,
     .units = 3},

    {.name = "a_camera_without_tcp_is_asked_for_udp",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1",
                    {"Transport: RTP/AVP/TCP"},
                    "RTSP/1.0 461 Unsupported Transport\r\nCSeq: $C\r\n\r\n"},
                   {"SETUP /live/track1",
                    {"Transport: RTP/AVP;unicast;client_port="},
                    OK "Session: 4711\r\nTransport: RTP/AVP;unicast;server_port=5000-5001\r\n\r\n"},
                   {"PLAY /live", {"Session: 4711"}, OK "\r\n"}},
     .tracks = 1},

    {.name = "a_camera_without_tcp_and_udp_is_refused",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = "RTSP/1.0 461 Unsupported Transport\r\n\r\n"},
                   {"SETUP /live/track1", .answer = "RTSP/1.0 461 Unsupported Transport\r\n\r\n"}},
     .failure = RTSP_REFUSED,
     .text = "answered 461 Unsupported Transport to SETUP"},

    {.name = "two_redirects_are_followed_with_the_password",
     .url = "u:secret@127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {{"OPTIONS /live",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/b\r\n\r\n"
                              "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/c\r\n\r\n"},
                   {"OPTIONS /b", .answer = OK "\r\n"},
                   {"DESCRIBE /b",
                    .answer = "RTSP/1.0 301 Moved\r\nlocation: rtsp://127.0.0.1:$P/live\r\n\r\n"},
                   {"OPTIONS /live", .answer = CHALLENGE("Digest realm=\"r\", nonce=\"1\"")},
                   {"OPTIONS /live", {"Authorization: nonce=\"1\""}, OK "\r\n"},
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_third_redirect_is_refused",
     .url = "127.0.0.1:$P/live",
     .exchanges = {{"OPTIONS /live",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/b\r\n\r\n"},
                   {"OPTIONS /b",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/c\r\n\r\n"},
                   {"OPTIONS /c",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/d\r\n\r\n"}},
     .failure = RTSP_REFUSED,
     .text = "round in circles"},

    {.name = "a_redirect_to_where_agents_may_not_go_is_not_followed",
     .url = "127.0.0.1:$P/live",
     .exchanges = {{"OPTIONS /live",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://169.254.169.254/x\r\n\r\n"}},
     .failure = RTSP_UNREACHABLE,
     .text = "not allowed to connect to 169.254.169.254"},

    {.name = "a_redirect_in_the_middle_is_a_refusal",
     .url = "127.0.0.1:$P/live?transport=udp",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1",
                    .answer = "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:$P/b\r\n\r\n"}},
     .failure = RTSP_REFUSED,
     .text = "answered 302 Found to SETUP"},

    {.name = "channels_that_the_camera_chose_count",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1",
                    .answer = OK "Session: 4711\r\nTransport: RTP/AVP/TCP;interleaved=6-7\r\n\r\n"},
                   {"PLAY /live", .answer = OK "\r\n", .frame_before = 1, .frame_after = 7}},
     .tracks = 1,
     .units = 1},

    {.name = "a_camera_that_names_one_channel_for_all_tracks_means_those_asked_for",
     .url = "127.0.0.1:$P/live",
     .sdp = "v=0\r\n" PICTURE "a=control:v\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/v", {"Transport: interleaved=0-1"}, SETUP_OK},
                   {"SETUP /live/a", {"Transport: interleaved=2-3", "Session: 4711"}, SETUP_OK},
                   {"PLAY /live", .answer = OK "\r\n", .frame_after = 3}},
     .tracks = 2,
     .units = 1},

    {.name = "the_next_track_is_asked_behind_the_channels_that_the_camera_chose",
     .url = "127.0.0.1:$P/live",
     .sdp = "v=0\r\n" PICTURE "a=control:v\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/v",
                    {"Transport: interleaved=0-1"},
                    OK "Session: 4711\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n\r\n"},
                   {"SETUP /live/a", {"Transport: interleaved=4-5"}, OK "\r\n"},
                   {"PLAY /live", .answer = OK "\r\n", .frame_after = 5}},
     .tracks = 2,
     .units = 1},

    {.name = "media_that_overtakes_the_answer_to_play_is_not_lost",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   {"PLAY /live", .answer = OK "\r\n", .frame_before = 1, .frame_after = 1}},
     .tracks = 1,
     .units = 2},

    {.name = "media_before_play_and_on_channels_nobody_asked_for_is_passed_over",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED, .frame_before = 1},
                   {"SETUP /live/track1", .answer = SETUP_OK, .frame_before = 1},
                   {"PLAY /live", .answer = OK "\r\n", .frame_before = 200, .frame_after = 1}},
     .tracks = 1,
     .units = 1},

    {.name = "an_answer_that_nothing_was_asked_for_is_passed_over",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = DESCRIBED},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live"),
                   {"GET_PARAMETER /live", .after_s = 30,
                    .answer = OK "\r\nRTSP/1.0 500 Oh\r\n\r\nRTSP/1.0 302 Found\r\n\r\n"},
                   {"GET_PARAMETER /live", .after_s = 30, .answer = OK "\r\n", .frame_after = 1}},
     .tracks = 1,
     .units = 2},

    {.name = "requests_of_the_cameras_own_are_answered",
     .url = "127.0.0.1:$P/live",
     .sdp = PLAIN,
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" DESCRIBED},
                   {"200 ", {"CSeq: 1"}, ""},
                   {"SETUP /live/track1", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_backchannel_is_not_set_up_and_another_codec_is_passed_over",
     .url = "127.0.0.1:$P/live",
     .sdp = "v=0\r\nm=audio 0 RTP/AVP 8\r\na=control:back\r\na=sendonly\r\n"
            "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-16/8000\r\na=control:g726\r\n"
            "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
            "m=audio 0 RTP/AVP 0\r\na=control:sound\r\n",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", {"!Require"}, DESCRIBED},
                   {"SETUP /live/sound", .answer = SETUP_OK},
                   PLAY_IT("/live")},
     .tracks = 1,
     .units = 1},

    {.name = "a_camera_with_nothing_to_relay_says_what_it_sends",
     .url = "127.0.0.1:$P/live",
     .sdp = "v=0\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 MP4V-ES/90000\r\n",
     .exchanges = {OPTIONS(METHODS), {"DESCRIBE /live", .answer = DESCRIBED}},
     .failure = RTSP_UNSUPPORTED,
     .text = "sends MP4V-ES"},

    {.name = "a_stream_that_is_not_there_is_named_without_the_password",
     .url = "u:secret@127.0.0.1:$P/live",
     .exchanges = {OPTIONS(METHODS),
                   {"DESCRIBE /live", .answer = "RTSP/1.0 404 Not Found\r\n\r\n"}},
     .failure = RTSP_REFUSED,
     .text = "has no stream /live"},

    {.name = "a_camera_that_does_not_answer_is_given_up",
     .url = "127.0.0.1:$P/live",
     .exchanges = {OPTIONS(METHODS), {"DESCRIBE /live", .answer = ""}},
     .failure = RTSP_TIMED_OUT,
     .text = "does not answer"},

    {.name = "what_is_no_rtsp_is_said_to_be_none",
     .url = "127.0.0.1:$P/live",
     .exchanges = {{"OPTIONS /live", .answer = "HTTP/1.1 400 Bad Request\r\n\r\n"}},
     .failure = RTSP_BROKEN,
     .text = "does not speak RTSP"},
};
