/* http/answer.h: from what a handler says to what is sent: conditions, ranges, compression
 * (RFC 9110 sections 8, 13 and 14); pure but for the server's date.
 */
#pragma once

#include "http/request.h"

enum { ANSWER_HEADERS_MAX = 64 };

struct answer {
    struct buf *body; /* owned; NULL when no byte of it is sent */
    unsigned status;
    size_t offset, len; /* the part of body to send */
    size_t count;
    struct http_header headers[ANSWER_HEADERS_MAX]; /* borrowed, or in the texts below */
    char length_text[24], range_text[72], etag_text[136];
};

/* headers may be NULL; both are borrowed until answer_fini. */
void answer_init(struct answer *answer, struct http_request *request, unsigned status,
                 const struct http_header *headers, struct buf *body);
void answer_fini(struct answer *answer);

/* "Not Found"; "" for a status we have no phrase for. */
const char *answer_reason(unsigned status);

/* Whether an entity tag is in an If-None-Match list, by weak comparison. */
bool answer_etag_matches(const char *list, const char *etag);
