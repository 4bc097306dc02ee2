SRC_egress += egress/all.c
SRC_egress += egress/rtsp/play.c egress/rtsp/report.c egress/rtsp/server.c egress/rtsp/session.c
SRC_egress += egress/rtsp/udp.c
