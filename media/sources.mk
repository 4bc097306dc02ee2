SRC_media += media/track.c media/frame.c media/packet.c

SRC_media += media/feed.c media/hub.c media/stream.c media/view.c
