/* base/err.h: the one table of errors.
 *
 * A function that can fail returns 0 or a negative code: an errno value (-ENOMEM) or one
 * of ours (-ERR_PROTOCOL). A library's own error becomes one of these in the one file
 * that knows the library.
 */
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_PROTOCOL = 4096, /* the peer broke the protocol's rules */
    ERR_TOO_LONG,        /* longer than the limit for its kind */
    ERR_TOO_MANY,        /* more than the limit for its kind */
    ERR_UNSUPPORTED,     /* well-formed, but nothing we can handle */
    ERR_VERSION,         /* no version in common, or newer than this program */
    ERR_AUTH,            /* no credential, or a wrong one */
    ERR_DENIED,          /* a good credential that does not allow this */
    ERR_NOT_FOUND,       /* no such object */
    ERR_EXISTS,          /* there is one already */
    ERR_NOT_READY,       /* not now: ask again later */
    ERR_CLOSED,          /* the other end closed in good order */
    ERR_TIMEOUT,         /* a deadline passed */
    ERR_TLS,             /* the TLS library refused */
    ERR_PIN,             /* the peer's key is not the one that was pinned */
    ERR_STORE,           /* the database refused */
    ERR_LIBRARY,         /* another library refused */
    ERR_LAST
};

/* A short fixed name ("protocol", "ENOMEM"), for logs and JSON. Takes either sign. */
const char *err_name(int err);

/* A sentence for people, without a full stop. Takes either sign. Thread-safe. */
const char *err_text(int err);
