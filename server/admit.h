/* server/admit.h: answers the egresses' one question, and ends what it allowed in time.
 *
 *     asked ──token good──▶ counted ──camera live──▶ watching ──leave──▶ gone
 *       └─refused             └─too many   └─10 s─▶ away  └─revoked, expired─▶ told, then leave
 */
#pragma once

#include "server/relay.h"

struct admission;
struct egress_env;
struct view;
struct worker;

void admit(struct egress_env *env, struct admission *admission);
void admit_leave(struct egress_env *env, struct admission *admission);
struct view *admit_view(struct egress_env *env, const char *slug);
bool admit_token_by_id(struct egress_env *env, const char *id, char *out);

/* The grants of a token, of a camera (its slug), or all (both NULL) are told to go. */
void admit_revoke(struct worker *worker, const char *token_id, const char *slug,
                  const char *reason);

/* Those who wait for this camera learn that it won't come. */
void admit_camera_failed(struct worker *worker, const char *slug);

/* Twice a second: expired grants end. */
void admit_tick(struct worker *worker);
