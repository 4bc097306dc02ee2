SRC_rtsp := \
	lib/rtsp/control.c \
	lib/rtsp/digest.c \
	lib/rtsp/message.c \
	lib/rtsp/sdp.c \
	lib/rtsp/transport.c \
	lib/rtsp/url.c
