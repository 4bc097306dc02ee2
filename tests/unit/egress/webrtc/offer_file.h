/* The offers in offers/, for the tests of this folder. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "egress/webrtc/sdp.h"

struct offer_file {
    char text[OFFER_MAX_BYTES];
    size_t len;
};

static const char *const offer_names[] = {
    "chromium", "chromium-video", "firefox",   "firefox-without-h264",     "safari",
    "aiortc",   "pion",           "gstreamer", "gstreamer-without-bundle",
};

enum { OFFER_NAMES = sizeof(offer_names) / sizeof(offer_names[0]) };

/* The tests run in the root of the tree. */
static inline void offer_file_read(struct offer_file *out, const char *name)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "tests/unit/egress/webrtc/offers/%s.sdp", name);
    file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "can't open %s\n", path);
        abort();
    }
    out->len = fread(out->text, 1, sizeof(out->text), file);
    fclose(file);
}
