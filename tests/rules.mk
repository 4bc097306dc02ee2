# What Makefile's test targets are made of; included by it. Everything here is a thin call of a
# script in tests/, in a make of its own where another VARIANT, or what packages bring, is needed.

-include $(wildcard tests/*/sources.mk)

RELEASE := $(MAKE) --no-print-directory VARIANT=release

packages: ## Install what is missing of Debian's packages
	@tests/install-packages

demo: packages ## Camera, agent and server, live (CAMERA_URL=rtsp://… DEMO_SECONDS=N)
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@tests/demo

check: ## All tests; the last line counts them
	+@tests/check "$(MAKE)"

# Linters need the generated headers, not the objects.
lint: ## Layers, sizes, formats, analysers
	+@$(RELEASE) generated
	@tests/lint/lint

generated: $(PROTO_HEADERS) $(OUT)/gen/db/migrations.inc $(WEB_GEN)/assets.inc

integration: ## Real players against server, agent and camera (T=pattern)
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@/usr/bin/python3 -m pytest tests/integration $(if $(T),-k '$(T)')

soak: ## MINUTES=10 of faults, watching descriptors and memory
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@SOAK_MINUTES=$(or $(MINUTES),10) /usr/bin/python3 -m pytest -s tests/integration/test_soak.py

soak-webrtc: ## A thousand WebRTC viewers come, go and vanish, watching descriptors and memory
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@LEAK_VISITS=1000 LONG_RUN=1 /usr/bin/python3 -m pytest -s tests/integration/test_webrtc_leak.py \
		tests/integration/test_hostile_webrtc.py

soak-loss: ## MINUTES=10 of WebRTC with 5 % loss
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@SOAK_LOSS_MINUTES=$(or $(MINUTES),10) /usr/bin/python3 -m pytest -s tests/integration/test_webrtc_loss.py

lab: ## The same in a house behind carrier-grade NAT (root)
	+@$(RELEASE) -j$$(nproc) all build/release/demo-camera
	@/usr/bin/python3 -m pytest tests/lab $(if $(T),-k '$(T)')

bench: ## Viewers' load and the server's cost, per protocol (VIEWERS=100 PROTOCOLS=rtsp,llhls)
	+@$(RELEASE) -j$$(nproc) all
	@tests/bench/bench

# ---- sanitizers: unit and integration tests ------------------------------------------------------
asan: ## Unit and integration tests under AddressSanitizer and UBSan
tsan: ## Unit and integration tests under ThreadSanitizer
asan tsan:
	+@$(MAKE) --no-print-directory VARIANT=$@ -j$$(nproc) all build/$@/demo-camera
	+@$(MAKE) --no-print-directory VARIANT=$@ -j$$(nproc) unit
	@CULVERT_BUILD=build/$@ /usr/bin/python3 -m pytest tests/integration $(if $(T),-k '$(T)')

# ---- fuzzing: clang's libFuzzer ----------------------------------------------------------------
# libFuzzer declares its entry point in no header.
$(OUT)/obj/tests/fuzz/%.o: WARN += -Wno-missing-prototypes

# Clang warns of other things than gcc, and gcc's build has answered for the warnings.
CFLAGS_fuzz  := -O1 -g -fno-omit-frame-pointer -Wno-error -Wno-unknown-warning-option -Wno-everything \
                -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined

$(patsubst tests/fuzz/%.c,$(OUT)/run/%,$(FUZZ_SRC)): $(OUT)/run/%: $(OUT)/obj/tests/fuzz/%.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call link,$(filter %.o,$^),$(filter %.a,$^))

fuzz: ## Fuzz T=NAME (or all) for S=60 seconds each (R=runs)
	+@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang -j$$(nproc) \
	    $(patsubst %,build/fuzz/run/fuzz_%,$(or $(T),$(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))))
	@tests/fuzz/run "$(or $(S),60)" "$(R)" $(or $(T),$(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC)))

# ---- install -----------------------------------------------------------------------------------
PREFIX ?= /usr/local
install: ## Install both programs under PREFIX (DESTDIR for packagers)
	+@$(RELEASE) -j$$(nproc) all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/release/culvert build/release/culvert-agent $(DESTDIR)$(PREFIX)/bin/

.PHONY: packages demo check lint generated integration soak soak-loss soak-webrtc lab bench asan tsan fuzz install
