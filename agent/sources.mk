SRC_agent += agent/allow.c agent/camera.c agent/dial.c agent/dial_http.c agent/enrol.c agent/lane.c agent/options.c
SRC_agent += agent/proxy.c agent/reach.c agent/run.c agent/state.c agent/status.c agent/system_linux.c agent/uplink.c agent/ways.c
SRC_agent += agent/camera_udp.c agent/rtp_receiver.c agent/rtsp_client.c agent/rtsp_media.c
SRC_agent += agent/rtsp_request.c agent/rtsp_response.c agent/source.c
