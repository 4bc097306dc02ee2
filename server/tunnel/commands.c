/* What an agent is to be told, kept until its connection takes it: the list of its cameras, which
 * is made part by part from the store, and after it what to start and to stop, in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/tunnel/session.h"

enum { COMMANDS_MAX = 512 };

/* 64 bytes: an agent that never reads costs 32 KiB of them. */
struct agent_command {
    struct agent_command *next;
    bool is_start;
    char camera_id[STORE_ID];
    uint8_t ticket[RELAY_TICKET];
};

static int send_start(struct agent_session *session, struct agent_command *command)
{
    Culvert__Envelope envelope;
    Culvert__Start start;

    culvert__envelope__init(&envelope);
    culvert__start__init(&start);
    start.camera_id = command->camera_id;
    start.ticket = (ProtobufCBinaryData){sizeof(command->ticket), command->ticket};
    envelope.body_case = CULVERT__ENVELOPE__BODY_START;
    envelope.start = &start;
    return agent_session_send(session, &envelope);
}

static int send_stop(struct agent_session *session, struct agent_command *command)
{
    Culvert__Envelope envelope;
    Culvert__Stop stop;

    culvert__envelope__init(&envelope);
    culvert__stop__init(&stop);
    stop.camera_id = command->camera_id;
    envelope.body_case = CULVERT__ENVELOPE__BODY_STOP;
    envelope.stop = &stop;
    return agent_session_send(session, &envelope);
}

static struct agent_command *take_first(struct command_queue *queue)
{
    struct agent_command *command = queue->first;

    queue->first = command->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    return command;
}

static int send_first(struct agent_session *session)
{
    struct agent_command *command = take_first(&session->commands);
    int err = command->is_start ? send_start(session, command) : send_stop(session, command);

    free(command);
    return err;
}

int commands_pump(struct agent_session *session)
{
    int err = 0;

    while (err == 0 && session->conn && conn_backlog(session->conn) <= SESSION_LOW_WATER) {
        if (session->listing.is_on)
            err = cameras_send_part(session);
        else if (session->commands.first)
            err = send_first(session);
        else
            return 0;
    }
    return err;
}

int commands_list_cameras(struct agent_session *session)
{
    /* An agent takes a list as whole: one that has begun goes on, and then comes again. */
    if (session->listing.is_on && session->listing.after[0])
        session->listing.is_due = true;
    session->listing.is_on = true;
    return commands_pump(session);
}

int commands_add(struct agent_session *session, const char *camera_id,
                 const uint8_t ticket[RELAY_TICKET])
{
    struct command_queue *queue = &session->commands;
    struct agent_command *command;

    if (queue->count == COMMANDS_MAX)
        return ticket ? 0 : -ENOBUFS; /* a start is asked for again; a stop is not */
    command = calloc(1, sizeof(*command));
    if (!command)
        return -ENOMEM;
    (void)!snprintf(command->camera_id, sizeof(command->camera_id), "%s", camera_id);
    command->is_start = ticket != NULL;
    if (ticket)
        memcpy(command->ticket, ticket, sizeof(command->ticket));
    if (queue->last)
        queue->last->next = command;
    else
        queue->first = command;
    queue->last = command;
    queue->count++;
    return commands_pump(session);
}

void commands_drop(struct agent_session *session)
{
    while (session->commands.first)
        free(take_first(&session->commands));
}
