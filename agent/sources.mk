SRC_agent += agent/allow.c agent/camera.c agent/dial.c agent/enrol.c agent/lane.c agent/options.c
SRC_agent += agent/run.c agent/state.c agent/status.c agent/system_linux.c agent/uplink.c
