/* How many viewers a limited token has at once, over all loops: counted on the first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/grant.h"

struct token_count {
    struct map_node node;
    char token_id[STORE_ID];
    unsigned viewers;
};

struct count_message {
    struct loop_task task;
    struct server *server;
    struct grant *grant; /* the asker's own: only its loop looks inside */
    struct loop *from;
    void (*on_counted)(struct grant *grant, bool is_allowed);
    char token_id[STORE_ID];
    uint32_t viewers_max;
    bool is_allowed;
};

static struct token_count *count_find(struct server *server, const char *token_id)
{
    struct map_node *node = map_find(&server->token_viewers, token_id);
    struct token_count *count;

    if (node)
        return map_entry(node, struct token_count, node);
    count = calloc(1, sizeof(*count));
    if (!count)
        return NULL;
    memcpy(count->token_id, token_id, sizeof(count->token_id));
    map_insert(&server->token_viewers, &count->node, count->token_id);
    return count;
}

static void run_answer(struct loop_task *task)
{
    struct count_message *message = list_entry(task, struct count_message, task);

    message->on_counted(message->grant, message->is_allowed);
    free(message);
}

static void run_ask(struct loop_task *task)
{
    struct count_message *message = list_entry(task, struct count_message, task);
    struct token_count *count = count_find(message->server, message->token_id);

    message->is_allowed = count && count->viewers < message->viewers_max;
    if (message->is_allowed)
        count->viewers++;
    message->task.run = run_answer;
    loop_post(message->from, &message->task);
}

static void run_leave(struct loop_task *task)
{
    struct count_message *message = list_entry(task, struct count_message, task);
    struct token_count *count = count_find(message->server, message->token_id);

    if (count && --count->viewers == 0) {
        map_remove(&message->server->token_viewers, &count->node);
        free(count);
    }
    free(message);
}

static struct count_message *message_new(struct grant *grant, void (*run)(struct loop_task *task))
{
    struct count_message *message = calloc(1, sizeof(*message));

    if (!message)
        return NULL;
    message->server = grant->worker->server;
    message->from = grant->worker->loop;
    message->viewers_max = grant->viewers_max;
    memcpy(message->token_id, grant->token_id, sizeof(message->token_id));
    message->task.run = run;
    return message;
}

int viewer_count_ask(struct grant *grant, void (*on_counted)(struct grant *grant, bool is_allowed))
{
    struct count_message *message = message_new(grant, run_ask);

    if (!message)
        return -ENOMEM;
    message->grant = grant;
    message->on_counted = on_counted;
    loop_post(message->server->workers[0].loop, &message->task);
    return 0;
}

void viewer_count_leave(struct grant *grant)
{
    struct count_message *message = message_new(grant, run_leave);

    if (message)
        loop_post(message->server->workers[0].loop, &message->task);
}
