# The camera of tests and demo. GStreamer's headers answer to their own taste, so neither our
# warnings nor banned.h apply here.
CAMERA_PKGS := gstreamer-rtsp-server-1.0 gstreamer-1.0 gstreamer-sdp-1.0

$(OUT)/demo-camera: tests/camera/demo-camera.c
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(CC) -std=gnu17 -O1 -g -Wall -Wextra -Werror \
	    $$(pkg-config --cflags $(CAMERA_PKGS)) $< -o $@ $$(pkg-config --libs $(CAMERA_PKGS))
