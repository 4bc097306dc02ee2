/* egress/egress.h: what every viewers' protocol has in common.
 *
 * Each egress/NAME/ defines exactly one struct egress. The server starts one instance of each
 * on every loop, hands it the connections that speak its protocol, and answers its one
 * question: may this viewer see this stream?
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/option.h"
#include "media/view.h"
#include "net/addr.h"

struct conn;
struct egress_env;
struct http_router;
struct tls_server;
struct writer;

enum verdict {
    VERDICT_ALLOW,
    VERDICT_NO_CREDENTIAL,  /* none was shown: RTSP and HTTP 401 */
    VERDICT_BAD_CREDENTIAL, /* unknown or forged, expired, not yet valid, revoked: 401 */
    VERDICT_DENIED,         /* valid, but not for this: scope, protocol, network, origin: 403 */
    VERDICT_TOO_MANY,       /* viewers at once: RTSP 453, HTTP 429 */
    VERDICT_ABSENT,         /* the camera has no such stream: 404 */
    VERDICT_AWAY,           /* the camera or its agent can't be reached now: 503, Retry-After */
    VERDICT_OVERLOADED      /* out of memory or descriptors, or draining: 503 */
};

enum { TOKEN_TEXT = 72, PASSPHRASE_TEXT = 33 };

/* One viewer's request to watch, and its grant while it does. Embedded in the viewer's
 * session; the strings asked with are copied by admit. */
struct admission {
    /* Asked with. */
    const struct egress *egress;
    const char *slug;   /* the stream's name: SLUG, or SLUG/sub (media/profile.h) */
    const char *token;  /* "" without one */
    const char *origin; /* of a web page, or NULL */
    struct addr peer;
    /* A camera known to work may still be starting when the verdict comes, its tracks in the view;
     * if it isn't there in 10 s, the viewer is revoked. Else the verdict waits for it as long. */
    bool may_be_early;

    /* Or NULL. Once at most, before on_verdict: the token is good, its camera is waited for. */
    void (*on_wait)(struct admission *admission);

    /* Called once after admit, maybe before it returns; not after leave. On anything but
     * VERDICT_ALLOW the admission is over and rule says why in one fixed word. */
    void (*on_verdict)(struct admission *admission, enum verdict verdict);

    /* After VERDICT_ALLOW: the token was revoked or ran out, the camera was removed, or the
     * server drains; the viewer must go now. leave is still to be called. */
    void (*on_revoked)(struct admission *admission, const char *reason);

    /* Answered with. */
    const char *rule;   /* "expired", "scope" …, or the camera's state in words when away */
    const char *detail; /* a sentence for the person; static or valid until the call returns */
    struct view *view;  /* held for the viewer until leave */
    const char
        *origins; /* where pages may embed it, for CORS: space-separated, "" any; until leave */
    char viewer_id[17]; /* for logs */

    /* What media is encrypted with, where the protocol has passphrases; "" without one. There from
     * on_wait on; the egress wipes it once it has used it. */
    char passphrase[PASSPHRASE_TEXT];

    uint64_t out_bytes; /* the egress counts what it sent: metering reads it */

    /* The server's own. */
    struct egress_env *env;
    struct list link;
    void *grant;
};

/* What the server gives each instance. */
struct egress_env {
    struct loop *loop;
    const struct options *options;
    struct http_router *router; /* to add routes to, in start */
    struct tls_server *tls;
    const char *public_host;
    const char *node_id; /* of this process, as URLs name it */
    void *owner;

    void (*admit)(struct egress_env *env, struct admission *admission);

    /* Ends what admit began, at any time, in any state, also never admitted. Idempotent. */
    void (*leave)(struct egress_env *env, struct admission *admission);

    /* The stream's view on this loop, or NULL: for what an admitted viewer does on other loops
     * than the one that admitted it. */
    struct view *(*view)(struct egress_env *env, const char *slug);

    /* The token with this public id, for Digest, where the password is the token itself.
     * False when there is none. out is wiped by the caller. */
    bool (*token_by_id)(struct egress_env *env, const char *id, char out[TOKEN_TEXT]);

    /* Adds members to a JSON object about the stream's camera and agent: ,"camera":"live" … */
    void (*describe)(struct egress_env *env, const char *slug, struct writer *text);
};

struct egress_instance;

struct egress_url {
    const char *name;
    const char *passphrase; /* NULL, or what stands between text and a token's passphrase */
    char text[512];
};

struct egress {
    const char *name;             /* "rtsp", "hls": also what tokens name */
    const struct option *options; /* rows, or NULL */

    /* 0 and an owned instance in *out. Opens its own listeners, adds its routes. The error is
     * logged by the callee with the address at fault. */
    int (*start)(struct egress_instance **out, struct egress_env *env);

    /* No new viewers; those there are told, as the protocol can. */
    void (*drain)(struct egress_instance *instance);

    /* Ends all viewers at once. */
    void (*stop)(struct egress_instance *instance);

    /* Takes a connection to the shared TLS port that turned out to speak this protocol.
     * NULL where that can't be. */
    void (*accept)(struct egress_instance *instance, struct conn *conn);

    /* Viewers now. */
    size_t (*count)(const struct egress_instance *instance);

    /* NULL, or adds what it counts beside its viewers to /metrics. On any loop. */
    void (*measure)(struct writer *out);

    /* The i-th address of a stream, for people, with %s where the token goes: 0 and text in
     * out, or -ERR_NOT_FOUND past the last. name tells them apart ("rtsp", "rtsps"). */
    int (*url)(const struct egress_env *env, unsigned i, const char *slug, struct egress_url *out);
};

/* egress/all.c: every protocol, ended by NULL. */
extern const struct egress *const egress_all[];

/* egress/verdict.c: the sentence that goes with a verdict, for any protocol. */
const char *verdict_detail(enum verdict verdict);
