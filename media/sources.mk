SRC_media += media/track.c media/frame.c media/packet.c media/bits.c media/parameter_sets.c media/profile.c \
	media/h264.c media/h265.c media/aac.c media/jpeg.c media/clock_repair.c media/format/rtp.c media/format/fmtp.c \
	media/format/rtp_out.c media/format/rtp_packager.c media/format/rtp_pack_nal.c \
	media/format/rtp_pack_audio.c media/format/rtp_pack_jpeg.c \
	media/format/depacketiser.c media/format/rtp_nal.c media/format/rtp_h264.c \
	media/format/rtp_h265.c media/format/rtp_aac.c media/format/rtp_latm.c \
	media/format/rtp_mp3.c media/format/rtp_jpeg.c media/format/rtp_simple.c

SRC_media += media/feed.c media/hub.c media/stream.c media/view.c
SRC_media += media/format/cmaf.c media/format/ts_packager.c
SRC_media += media/format/libav.c media/audio/to_opus.c media/audio/transcoder.c media/format/rtp_opus_packager.c
SRC_media += media/format/key_packager.c media/format/still.c
SRC_media += media/format/flv.c media/format/flv_packager.c
