/* server/api/api.h: the API under /api/v1, JSON, one file a noun; docs/openapi.yaml says it all.
 *
 * Lives on one loop. Who may ask is decided where connections are accepted: the routes are only
 * in the router of the Unix socket. Errors are problem+json whose detail names the field.
 */
#pragma once

#include "auth/auth.h"
#include "base/loop.h"
#include "db/store.h"
#include "egress/egress.h"
#include "net/tls.h"

struct http_router;

struct api_camera_state {
    const char *state; /* one word */
    const char *text;  /* a sentence for people, or NULL; both valid until the next call */
};

/* What the API needs; borrowed, all of it, for as long as the routes are in use. */
struct api_env {
    struct loop *loop; /* on which requests arrive */
    struct store *store;
    struct store_reader *reader; /* of that loop's thread */
    const struct auth *auth;
    const struct tls_server *tls;         /* for the key's pin in enrolment codes */
    const char *public_address;           /* host:port, for agents */
    const struct egress *const *egresses; /* ended by NULL: what tokens may name */
    unsigned loops;
    int64_t started_us; /* monotonic */

    /* The live side. On the loop's thread. */
    void *owner;
    int (*camera_state)(void *owner, const char *camera_id, struct api_camera_state *out);
    bool (*agent_online)(void *owner, const char *agent_id);
    size_t (*agents_online)(void *owner);
    size_t (*viewers)(void *owner, const char *protocol); /* NULL: of all */

    /* The i-th state's word, and how many cameras are in it; NULL past the last. */
    const char *(*cameras_in)(void *owner, unsigned i, size_t *count);

    /* Calls each with every address of a stream, with %s where the token goes. */
    void (*camera_urls)(void *owner, const char *slug,
                        void (*each)(void *to, const struct egress_url *url), void *to);
};

/* env is borrowed for as long as the router. */
int api_add_routes(struct http_router *router, struct api_env *env) MUST_CHECK;
