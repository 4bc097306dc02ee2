SRC_net := \
	lib/net/addr.c \
	lib/net/conn.c \
	lib/net/conn_open.c \
	lib/net/conn_read.c \
	lib/net/conn_write.c \
	lib/net/listener.c \
	lib/net/log_limit.c \
	lib/net/out_queue.c \
	lib/net/tls.c \
	lib/net/tls_pair.c \
	lib/net/tls_session.c \
	lib/net/websocket.c \
	lib/net/websocket_key.c \
	lib/net/websocket_wire.c
