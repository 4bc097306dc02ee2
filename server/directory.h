/* server/directory.h: what a loop knows of each camera besides its stream: its state, in words
 * for those who can't watch it now.
 */
#pragma once

#include "server/relay.h"

struct egress_env;
struct worker;
struct writer;

struct directory_entry {
    struct map_node node;
    char slug[SLUG_MAX];
    enum camera_state state;
    char text[192];
    bool was_live; /* nothing has gone wrong with it since */
};

/* Made if there is none; NULL without memory. */
struct directory_entry *directory_put(struct worker *worker, const char *slug,
                                      enum camera_state state, const char *text);
struct directory_entry *directory_find(const struct worker *worker, const char *slug);
/* For struct egress_env: members of a JSON object. */
void directory_describe(struct egress_env *env, const char *slug, struct writer *text);

void directory_remove(struct worker *worker, const char *slug);
void directory_fini(struct worker *worker);
