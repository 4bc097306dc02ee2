SRC_rtmp := \
	lib/rtmp/amf.c \
	lib/rtmp/chunk.c \
	lib/rtmp/chunk_reader.c \
	lib/rtmp/handshake.c
