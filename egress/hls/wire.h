/* egress/hls/wire.h: what players ask by: file names and delivery directives (RFC 8216bis section
 * 6.2.5); pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum hls_file {
    HLS_MEDIA_PLAYLIST, /* media.m3u8 */
    HLS_INIT,           /* init-GENERATION.mp4 */
    HLS_SEGMENT,        /* seg-MSN.mp4, or seg-MSN.ts */
    HLS_PART            /* part-MSN-INDEX.mp4 */
};

struct hls_request {
    enum hls_file file;
    uint64_t segment; /* or the generation */
    uint32_t part;
    bool is_ts; /* a segment by the name of MPEG-TS */
};

/* 0, or -ERR_NOT_FOUND: no name of ours (a number is decimal, without sign or leading zero). */
int hls_file_parse(struct hls_request *out, const char *name) MUST_CHECK;

struct hls_directives {
    bool has_segment, has_part; /* _HLS_msn, _HLS_part */
    uint64_t segment;
    uint32_t part;
    bool is_delta; /* _HLS_skip=YES or v2 */
};

/* 0, or -ERR_PROTOCOL: a number that is none, or a part without a segment. */
int hls_directives_parse(struct hls_directives *out, const char *query) MUST_CHECK;
