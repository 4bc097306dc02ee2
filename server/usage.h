/* server/usage.h: what each loop's viewers took, gathered for the store every ten seconds.
 *
 * Batches carry the node, its boot and a sequence number, so that one that is sent again
 * counts once. A crash loses at most ten seconds.
 */
#pragma once

#include "base/err.h"

struct grant;
struct usage;
struct worker;

int usage_new(struct usage **out) MUST_CHECK;
void usage_free(struct usage *usage);

/* Adds what the viewer took since the last call. */
void usage_add(struct grant *grant);

/* Adds every viewer's, and hands what is gathered to the store. */
void usage_flush(struct worker *worker);
