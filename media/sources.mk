SRC_media += media/track.c media/frame.c media/packet.c
