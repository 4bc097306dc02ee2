# What browsers get, made from web/ and kept in the server's binary; included by Makefile.
#
# esbuild (Debian's) makes one module of the player's TypeScript. hls.js comes from npm, at build time
# and pinned; where npm or the network is missing hls.js is left out, and the build says so.

PLAYER_TS := $(wildcard web/player/*.ts)
WEB_GEN   := $(OUT)/gen/web
WEB_FILES := $(WEB_GEN)/player.js $(WEB_GEN)/hls.js $(WEB_GEN)/page.html

$(WEB_GEN)/player.js: $(PLAYER_TS) web/rules.mk
	@mkdir -p $(@D)
	@echo "GEN  web/player"
	$(Q)esbuild web/player/player.ts --bundle --minify --format=esm --target=es2020 --charset=utf8 \
	    --legal-comments=none --log-level=warning --outfile=$@

# An empty file stands for hls.js where it can't be had: the server then doesn't offer it.
$(WEB_GEN)/hls.js: web/modules.sh web/player/package-lock.json
	@mkdir -p $(@D)
	@echo "GEN  hls.js"
	$(Q)web/modules.sh && web/modules.sh --hls $@ || : >$@

$(WEB_GEN)/page.html: web/player/page.html
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(WEB_GEN)/assets.inc: web/embed.sh $(WEB_FILES)
	@echo "GEN  web/assets.inc"
	$(Q)web/embed.sh $(WEB_FILES) > $@

$(OUT)/obj/server/web.o: $(WEB_GEN)/assets.inc
