PROTO_agent_proto := agent-proto/culvert.proto
SRC_agent_proto := \
	agent-proto/control.c \
	agent-proto/enrol_code.c \
	agent-proto/lane.c \
	agent-proto/lane_queue.c \
	agent-proto/message.c \
	agent-proto/segmenter.c \
	agent-proto/text.c \
	agent-proto/tracks.c
