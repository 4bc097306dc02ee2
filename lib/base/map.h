/* base/map.h: an intrusive hash table with text keys; one thread.
 *
 * Owns its array of chains, never the nodes nor their keys. Keys are hashed with a random
 * seed, so that nobody outside can make them collide.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct map_node {
    struct map_node *next;
    const char *key; /* borrowed from the object that embeds the node */
    uint64_t hash;
};

struct map {
    struct map_node **chains; /* owned */
    size_t room, count;
    uint64_t seed;
};

#define map_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

int map_init(struct map *map) MUST_CHECK;

/* The nodes stay as they are. */
void map_fini(struct map *map);

struct map_node *map_find(const struct map *map, const char *key);

/* key must outlive the node's stay, and not be in the map yet. Never fails: without memory
 * to grow, chains get longer. */
void map_insert(struct map *map, struct map_node *node, const char *key);
void map_remove(struct map *map, struct map_node *node);

/* The node after node (NULL: the first), in no order; NULL at the end. To remove the current
 * one inside a walk, take the next one first. */
struct map_node *map_next(const struct map *map, const struct map_node *node);
