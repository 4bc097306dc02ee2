SRC_auth := \
	auth/ask.c \
	auth/key.c
