# Culvert: every task has one target; `make help` lists them.
#
# VARIANT=debug|release|asan|tsan builds side by side under build/VARIANT. V=1 shows commands.

VARIANT ?= release
OUT     := build/$(VARIANT)
Q       := $(if $(V),,@)
CC      ?= cc
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- what is compiled: each folder names its sources ------------------------------------------
include $(wildcard lib/*/sources.mk media/sources.mk agent-proto/sources.mk db/sources.mk \
                   auth/sources.mk egress/sources.mk server/sources.mk agent/sources.mk)

# Components in link order: each may use those after it.
SERVER_PARTS := server egress http auth db agent_proto media rtsp rtmp net crypto base
AGENT_PARTS  := agent agent_proto media rtsp net crypto base
PARTS        := $(sort $(SERVER_PARTS) $(AGENT_PARTS))

# ---- flags ------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wswitch-enum -Wvla -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings -fno-common
CFLAGS_debug   := -O0 -g
CFLAGS_release := -O2 -g -Wnull-dereference -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                  -fno-sanitize-recover=all
LDFLAGS_asan   := -fsanitize=address,undefined
CFLAGS_tsan    := -O1 -g -fsanitize=thread
LDFLAGS_tsan   := -fsanitize=thread

PKGS := openssl libsrtp2 usrsctp sqlite3 libnghttp2 jansson libprotobuf-c libavformat libavcodec libavutil \
        libswresample libswscale zlib
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# libsrt in the build that libavformat brings along: with the other one beside it the process has two
# copies of the same names, and crashes at its end.
LIBS       = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -l:libsrt-gnutls.so.1.5 -lhttp_parser -lwslay -lev -lpthread -lm

INCLUDES  := -I. -Ilib -I$(OUT)/gen -include lib/base/banned.h
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -DCULVERT_VERSION='"$(VERSION)"' $(WARN) -Werror $(INCLUDES) $(PKG_CFLAGS) \
             $(CFLAGS_$(VARIANT)) $(CFLAGS)

# ---- programs ---------------------------------------------------------------------------------
all: $(OUT)/culvert $(OUT)/culvert-agent ## Build the server and the agent

define part_rules
LIB_$(1) := $(OUT)/lib$(1).a
OBJ_$(1) := $$(patsubst %.c,$(OUT)/obj/%.o,$$(SRC_$(1))) $$(patsubst %.proto,$(OUT)/obj/%.pb-c.o,$$(PROTO_$(1)))
$(OUT)/lib$(1).a: $$(OBJ_$(1))
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach part,$(PARTS),$(eval $(call part_rules,$(part))))

server_libs := $(foreach part,$(filter-out server,$(SERVER_PARTS)),$(LIB_$(part)))
agent_libs  := $(foreach part,$(filter-out agent,$(AGENT_PARTS)),$(LIB_$(part)))

# The parts hold tables of pointers to each other's structs: let the linker look until it is done.
link = @echo "LINK $@"; $(if $(Q),,set -x;) $(CC) $(CFLAGS_$(VARIANT)) -o $@ $(1) -Wl,--as-needed -Wl,--start-group $(2) -Wl,--end-group $(LDFLAGS_$(VARIANT)) $(LIBS) $(LDFLAGS)

$(OUT)/culvert: $(OUT)/obj/server/main.o $(LIB_server) $(server_libs)
	$(call link,$<,$(filter %.a,$^))
$(OUT)/culvert-agent: $(OUT)/obj/agent/main.o $(LIB_agent) $(agent_libs)
	$(call link,$<,$(filter %.a,$^))

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# Generated sources answer to their generators' taste, not to our warnings.
$(OUT)/gen/%.pb-c.c $(OUT)/gen/%.pb-c.h: %.proto
	@mkdir -p $(OUT)/gen
	@echo "GEN  $<"
	$(Q)protoc-c --c_out=$(OUT)/gen $<
$(OUT)/obj/%.pb-c.o: $(OUT)/gen/%.pb-c.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(CFLAGS_$(VARIANT)) -I$(OUT)/gen -MMD -MP -c $< -o $@
PROTO_HEADERS := $(foreach part,$(PARTS),$(patsubst %.proto,$(OUT)/gen/%.pb-c.h,$(PROTO_$(part))))
$(foreach part,$(PARTS),$(eval $(filter %.o,$(OBJ_$(part))): | $(PROTO_HEADERS)))
$(OUT)/obj/server/main.o $(OUT)/obj/agent/main.o: | $(PROTO_HEADERS)

# ---- unit tests: one program a file ------------------------------------------------------------
UNIT_SRC := $(shell find tests/unit tests/sim -name 'test_*.c' 2>/dev/null | sort)
UNIT     := $(patsubst %.c,$(OUT)/%,$(UNIT_SRC))
TEST_PARTS ?= $(PARTS)
TEST_LIBS := $(foreach part,$(TEST_PARTS),$(LIB_$(part)))
TEST_SUPPORT := $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/unit/support/*.c tests/sim/support/*.c))

$(OUT)/obj/tests/%.o: INCLUDES += -Itests
$(UNIT): $(OUT)/%: $(OUT)/obj/%.o $(TEST_SUPPORT) $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call link,$(filter %.o,$^),$(filter %.a,$^) -lcmocka)
$(patsubst %.c,$(OUT)/obj/%.o,$(UNIT_SRC)): | $(PROTO_HEADERS)

unit: $(UNIT) ## Build and run the unit tests
	$(Q)tests/run-unit $(OUT)/unit.log $(UNIT)

# ---- fuzz targets: replayed by check, run by fuzz ----------------------------------------------
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAY := $(patsubst %.c,$(OUT)/%,$(FUZZ_SRC))
$(FUZZ_REPLAY): $(OUT)/%: $(OUT)/obj/%.o $(OUT)/obj/tests/fuzz/replay.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call link,$(filter %.o,$^),$(filter %.a,$^))
fuzz-replay: $(FUZZ_REPLAY) ## Replay every fuzz corpus
	$(Q)tests/run-fuzz-replay $(OUT)/fuzz.log $(FUZZ_REPLAY)

include web/rules.mk
-include tests/rules.mk

format: ## Format every C file with clang-format
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## Remove everything that was built
	rm -rf build

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
.PHONY: all unit fuzz-replay format clean help
.SECONDARY:
