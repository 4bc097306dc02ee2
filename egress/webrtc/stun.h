/* egress/webrtc/stun.h: STUN binding messages on the wire (RFC 8489, RFC 8445 section 7). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/addr.h"

enum {
    STUN_HEADER_BYTES = 20,
    STUN_TRANSACTION = 12,
    STUN_MESSAGE_MAX = 1280, /* the longest that is read (RFC 8489 section 6.1: IPv6's MTU) */
    STUN_REPLY_MAX = 128,    /* the longest answer that we write */
    STUN_UNKNOWN_MAX = 8
};

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

/* A parsed binding message. Pointers borrow from the bytes parsed. */
struct stun_message {
    enum stun_class class;
    const uint8_t *transaction; /* STUN_TRANSACTION bytes */
    const char *username;       /* not ended by NUL; NULL without one */
    size_t username_len;
    bool use_candidate, is_controlling, is_controlled;
    uint64_t tie_breaker;
    uint32_t priority;
    size_t integrity_offset;            /* of the MESSAGE-INTEGRITY attribute; 0: none */
    bool has_fingerprint;               /* there, last, and right; a wrong one is -ERR_PROTOCOL */
    uint16_t unknown[STUN_UNKNOWN_MAX]; /* comprehension-required types that we don't know, the
                                           first of them */
    unsigned unknown_count;
};

/* Whether bytes can be STUN at all, for demultiplexing (RFC 7983): first byte 0 to 3, the cookie.
 */
bool stun_is(const uint8_t *bytes, size_t len);

/* 0, or -ERR_PROTOCOL: not a binding message, longer than STUN_MESSAGE_MAX, lengths that
 * lie, attributes not aligned, anything after FINGERPRINT. What stands after MESSAGE-INTEGRITY
 * other than FINGERPRINT is ignored; of two attributes of a type the first counts. */
int stun_parse(struct stun_message *out, const uint8_t *bytes, size_t len) MUST_CHECK;

/* MESSAGE-INTEGRITY (HMAC-SHA-1) by the short-term password, in constant time. */
bool stun_is_authentic(const struct stun_message *message, const uint8_t *bytes,
                       const char *password);

/* A success with XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and FINGERPRINT. Returns its length, 0 if
 * it can't be made. Never longer than STUN_REPLY_MAX. */
size_t stun_write_success(uint8_t out[STUN_REPLY_MAX], const struct stun_message *request,
                          const struct addr *mapped, const char *password);

/* An error answer: 400, 420 (with the request's unknown attributes), 487. password NULL: without
 * MESSAGE-INTEGRITY. Returns its length. */
size_t stun_write_error(uint8_t out[STUN_REPLY_MAX], const struct stun_message *request,
                        unsigned code, const char *password);

/* A check of our own: a binding request as ICE-CONTROLLED. username is "theirs:ours", password
 * theirs. */
struct stun_check {
    uint8_t transaction[STUN_TRANSACTION];
    const char *username, *password;
    uint32_t priority;
    uint64_t tie_breaker;
};

/* Returns its length, or 0: too long for STUN_REPLY_MAX. */
size_t stun_write_check(uint8_t out[STUN_REPLY_MAX], const struct stun_check *check);
