SRC_egress += egress/all.c
SRC_egress += egress/rtsp/credential.c egress/rtsp/describe.c egress/rtsp/methods.c egress/rtsp/play.c
SRC_egress += egress/rtsp/report.c egress/rtsp/server.c egress/rtsp/session.c egress/rtsp/setup.c
SRC_egress += egress/rtsp/udp.c
SRC_egress += egress/hls/answer.c egress/hls/playlist.c egress/hls/routes.c egress/hls/server.c
SRC_egress += egress/hls/session.c egress/hls/source.c egress/hls/window.c egress/hls/wire.c
SRC_egress += egress/webrtc/stun.c
SRC_egress += egress/webrtc/rtcp.c
