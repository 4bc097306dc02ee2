#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/server.h"

struct worker_message {
    struct loop_task task;
    struct worker *worker;
    void (*call)(struct worker *worker, const void *arg);
    _Alignas(max_align_t) unsigned char arg[];
};

static void run_worker_message(struct loop_task *task)
{
    struct worker_message *message = list_entry(task, struct worker_message, task);

    message->call(message->worker, message->arg);
    free(message);
}

void server_tell_all(struct server *server, void (*call)(struct worker *worker, const void *arg),
                     const void *arg, size_t arg_len)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker_message *message = malloc(sizeof(*message) + arg_len);

        if (!message) {
            LOG(LOG_ERROR, "server", NULL, "message-lost", KV_ERR(ENOMEM));
            continue;
        }
        *message = (struct worker_message){
            .task = {.run = run_worker_message}, .worker = &server->workers[i], .call = call};
        if (arg_len)
            memcpy(message->arg, arg, arg_len);
        loop_post(server->workers[i].loop, &message->task);
    }
}
