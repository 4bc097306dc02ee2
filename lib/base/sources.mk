SRC_base := \
	lib/base/buf.c \
	lib/base/clock.c \
	lib/base/err.c \
	lib/base/log.c \
	lib/base/loop.c \
	lib/base/map.c \
	lib/base/option.c \
	lib/base/option_source.c \
	lib/base/option_value.c \
	lib/base/random.c \
	lib/base/writer.c
