/* egress/srt/wire.h: what callers ask for: the stream id, in the access-control guideline's form or
 * in those that people type; pure.
 */
#pragma once

#include "egress/egress.h"
#include "media/view.h"

/* The guideline's reject codes, as callers see them. */
enum srt_code {
    SRT_CODE_OK = 0,
    SRT_CODE_BAD_REQUEST = 1400,
    SRT_CODE_UNAUTHORIZED = 1401,
    SRT_CODE_OVERLOAD = 1402,
    SRT_CODE_FORBIDDEN = 1403,
    SRT_CODE_NOT_FOUND = 1404,
    SRT_CODE_BAD_MODE = 1405,
    SRT_CODE_UNACCEPTABLE = 1406,
    SRT_CODE_MEDIA = 1415,
    SRT_CODE_DOWN = 1503
};

enum { STREAM_ID_MAX = 512, MESSAGE_BYTES = 7 * 188 };

struct srt_request {
    char slug[SLUG_MAX];
    char token[TOKEN_TEXT]; /* "" without one */
};

/* "#!::r=SLUG,m=request,u=TOKEN" (s= where there is no u=), "SLUG?token=TOKEN",
 * "read:SLUG:USER:TOKEN", or "SLUG": SRT_CODE_OK, or the code to refuse with. */
enum srt_code srt_request_parse(struct srt_request *out, const char *stream_id);

enum srt_code srt_code_of(enum verdict verdict);
