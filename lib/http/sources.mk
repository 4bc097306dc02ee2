SRC_http := \
	lib/http/answer.c \
	lib/http/chunks.c \
	lib/http/gzip.c \
	lib/http/h1.c \
	lib/http/h1_wire.c \
	lib/http/h2.c \
	lib/http/h2_guard.c \
	lib/http/h2_out.c \
	lib/http/range.c \
	lib/http/request.c \
	lib/http/respond.c \
	lib/http/router.c \
	lib/http/server.c \
	lib/http/target.c
