#include "base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { FIRST_ROOM = 16 };

/* FNV-1a over the seed and the key, then mixed. */
static uint64_t map_hash(const struct map *map, const char *key)
{
    uint64_t hash = 0xcbf29ce484222325u ^ map->seed;

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= map->seed | 1;
    return hash ^ hash >> 29;
}

static struct map_node **map_chain(const struct map *map, uint64_t hash)
{
    return &map->chains[hash & (map->room - 1)];
}

int map_init(struct map *map)
{
    *map = (struct map){.room = FIRST_ROOM, .seed = random_u64()};
    map->chains = calloc(map->room, sizeof(struct map_node *));
    return map->chains ? 0 : -ENOMEM;
}

void map_fini(struct map *map)
{
    free(map->chains);
    *map = (struct map){.chains = NULL};
}

struct map_node *map_find(const struct map *map, const char *key)
{
    uint64_t hash = map_hash(map, key);
    struct map_node *node = *map_chain(map, hash);

    while (node && (node->hash != hash || strcmp(node->key, key) != 0))
        node = node->next;
    return node;
}

static void map_link(struct map *map, struct map_node *node)
{
    struct map_node **chain = map_chain(map, node->hash);

    node->next = *chain;
    *chain = node;
}

static void map_grow(struct map *map)
{
    struct map old = *map;
    struct map_node **chains = calloc(old.room * 2, sizeof(struct map_node *));

    if (!chains)
        return;
    map->chains = chains;
    map->room = old.room * 2;
    for (size_t i = 0; i < old.room; i++)
        for (struct map_node *node = old.chains[i], *next; node; node = next) {
            next = node->next;
            map_link(map, node);
        }
    free(old.chains);
}

void map_insert(struct map *map, struct map_node *node, const char *key)
{
    if (map->count >= map->room)
        map_grow(map);
    node->key = key;
    node->hash = map_hash(map, key);
    map_link(map, node);
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at = map_chain(map, node->hash);

    while (*at && *at != node)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = node->next;
    node->next = NULL;
    map->count--;
}

struct map_node *map_next(const struct map *map, const struct map_node *node)
{
    size_t i = 0;

    if (node && node->next)
        return node->next;
    if (node)
        i = (node->hash & (map->room - 1)) + 1;
    for (; i < map->room; i++)
        if (map->chains[i])
            return map->chains[i];
    return NULL;
}
