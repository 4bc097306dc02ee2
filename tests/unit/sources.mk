# What some unit tests put in the place of the real thing.
WRAP_MEMORY := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# These let allocations fail in turn.
$(filter %/test_memory,$(UNIT)): LDFLAGS += $(WRAP_MEMORY)

# This one has wall clocks of its own.
$(OUT)/tests/unit/net/test_tls_pair: LDFLAGS += -Wl,--wrap=clock_wall_us
