/* server/directory.h: what a loop knows of each camera besides its stream: its state, in words
 * for those who can't watch it now.
 */
#pragma once

#include "server/relay.h"

struct worker;

struct directory_entry {
    struct map_node node;
    char slug[SLUG_MAX];
    enum camera_state state;
    char text[192];
};

/* Made if there is none; NULL without memory. */
struct directory_entry *directory_put(struct worker *worker, const char *slug,
                                      enum camera_state state, const char *text);
struct directory_entry *directory_find(const struct worker *worker, const char *slug);
void directory_remove(struct worker *worker, const char *slug);
void directory_fini(struct worker *worker);
