#include "server/directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "server/server.h"

struct directory_entry *directory_find(const struct worker *worker, const char *slug)
{
    struct map_node *node = map_find(&worker->directory, slug);

    return node ? map_entry(node, struct directory_entry, node) : NULL;
}

static bool is_trouble(enum camera_state state)
{
    return state == CAMERA_UNREACHABLE || state == CAMERA_UNAUTHORISED ||
           state == CAMERA_UNSUPPORTED || state == CAMERA_STALLED || state == CAMERA_AGENT_AWAY;
}

struct directory_entry *directory_put(struct worker *worker, const char *slug,
                                      enum camera_state state, const char *text)
{
    struct directory_entry *entry = directory_find(worker, slug);
    size_t len = strnlen(text, sizeof(entry->text) - 1);

    if (!entry) {
        entry = calloc(1, sizeof(*entry));
        if (!entry)
            return NULL;
        memcpy(entry->slug, slug, strnlen(slug, sizeof(entry->slug) - 1));
        map_insert(&worker->directory, &entry->node, entry->slug);
    }
    entry->state = state;
    if (state == CAMERA_LIVE)
        entry->was_live = true;
    else if (is_trouble(state))
        entry->was_live = false;
    memcpy(entry->text, text, len);
    entry->text[len] = '\0';
    return entry;
}

void directory_describe(struct egress_env *env, const char *slug, struct writer *text)
{
    const struct directory_entry *entry = directory_find(env->owner, slug);
    enum camera_state state = entry ? entry->state : CAMERA_STARTING;

    writer_printf(text, ",\"camera\":\"%s\",\"agent\":\"%s\"", camera_state_name(state),
                  state == CAMERA_AGENT_AWAY ? "away" : "connected");
}

void directory_remove(struct worker *worker, const char *slug)
{
    struct directory_entry *entry = directory_find(worker, slug);

    if (!entry)
        return;
    map_remove(&worker->directory, &entry->node);
    free(entry);
}

void directory_fini(struct worker *worker)
{
    struct map_node *node;

    while (worker->directory.count && (node = map_next(&worker->directory, NULL)))
        directory_remove(worker, map_entry(node, struct directory_entry, node)->slug);
    map_fini(&worker->directory);
}
