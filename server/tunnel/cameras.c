/* The list of an agent's cameras, in messages that fit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/tunnel/session.h"

enum { CAMERAS_PER_MESSAGE = 40 };

struct camera_row {
    Culvert__Camera message;
    char id[STORE_ID], slug[STORE_SLUG], name[STORE_NAME];
    uint8_t sealed[STORE_SEALED], sealed_sub[STORE_SEALED];
};

struct camera_list {
    struct agent_session *session;
    struct camera_row rows[CAMERAS_PER_MESSAGE];
    Culvert__Camera *row_of[CAMERAS_PER_MESSAGE];
    unsigned count;
    int err;
};

static void send_rows(struct camera_list *list, bool more)
{
    Culvert__Envelope envelope;
    Culvert__Cameras cameras;

    culvert__envelope__init(&envelope);
    culvert__cameras__init(&cameras);
    cameras.n_cameras = list->count;
    cameras.cameras = list->row_of;
    cameras.more = more;
    envelope.body_case = CULVERT__ENVELOPE__BODY_CAMERAS;
    envelope.cameras = &cameras;
    list->err = agent_session_send(list->session, &envelope);
    list->count = 0;
}

static bool add_row(void *owner, const struct store_camera *camera)
{
    struct camera_list *list = owner;
    struct camera_row *row;

    if (list->count == CAMERAS_PER_MESSAGE)
        send_rows(list, true);
    row = &list->rows[list->count];
    list->row_of[list->count++] = &row->message;
    memcpy(row->id, camera->id, sizeof(row->id));
    memcpy(row->slug, camera->slug, sizeof(row->slug));
    memcpy(row->name, camera->name, sizeof(row->name));
    memcpy(row->sealed, camera->sealed.bytes, camera->sealed.len);
    memcpy(row->sealed_sub, camera->sealed_sub.bytes, camera->sealed_sub.len);
    culvert__camera__init(&row->message);
    row->message.id = row->id;
    row->message.slug = row->slug;
    row->message.name = row->name;
    row->message.sealed = (ProtobufCBinaryData){camera->sealed.len, row->sealed};
    row->message.sealed_sub = (ProtobufCBinaryData){camera->sealed_sub.len, row->sealed_sub};
    row->message.revision = camera->revision;
    row->message.always_on = camera->is_always_on;
    return list->err == 0;
}

int cameras_send(struct agent_session *session)
{
    struct camera_list *list = malloc(sizeof(*list));
    int err;

    if (!list)
        return -ENOMEM;
    list->session = session;
    list->count = 0;
    list->err = 0;
    err = store_camera_list_of(session->tunnel->env.reader, session->relay.id, add_row, list);
    if (err == 0)
        err = list->err;
    if (err == 0) {
        send_rows(list, false);
        err = list->err;
    }
    free(list);
    return err;
}
