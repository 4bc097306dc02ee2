/* media/format/fmtp.h: the format parameters of an SDP (a=fmtp), and the texts they are in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fmtp_value {
    const char *text; /* borrowed from the fmtp line, not ended; NULL: not there */
    size_t len;
};

/* The value of name (any case) in "a=1; b=2"; fmtp may be NULL. */
struct fmtp_value fmtp_find(const char *fmtp, const char *name);

/* A decimal number, or preset when it isn't there or isn't one below 2^31. */
uint32_t fmtp_number(const char *fmtp, const char *name, uint32_t preset);

/* Decode at most room bytes; stop at the first character that doesn't belong. Return how many
 * bytes there are. */
size_t fmtp_decode_hex(struct fmtp_value value, uint8_t *out, size_t room);
size_t fmtp_decode_base64(struct fmtp_value value, uint8_t *out, size_t room);

/* Cuts the part before the next comma off *list; false at the end. */
bool fmtp_next(struct fmtp_value *list, struct fmtp_value *out);
