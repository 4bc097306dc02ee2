/* The list of an agent's cameras, in parts that fit, as the agent takes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/tunnel/session.h"

enum { PART_CAMERAS = 40, PART_BYTES = 40 * 1024, ROW_OVERHEAD = 64 };

struct camera_row {
    Culvert__Camera message;
    char id[STORE_ID], slug[STORE_SLUG], name[STORE_NAME];
    uint8_t sealed[STORE_SEALED], sealed_sub[STORE_SEALED];
};

struct camera_part {
    struct camera_row rows[PART_CAMERAS];
    Culvert__Camera *row_of[PART_CAMERAS];
    unsigned count;
    size_t bytes;
    bool has_more;
};

static int send_part(struct agent_session *session, struct camera_part *part)
{
    Culvert__Envelope envelope;
    Culvert__Cameras cameras;

    culvert__envelope__init(&envelope);
    culvert__cameras__init(&cameras);
    cameras.n_cameras = part->count;
    cameras.cameras = part->row_of;
    cameras.more = part->has_more;
    envelope.body_case = CULVERT__ENVELOPE__BODY_CAMERAS;
    envelope.cameras = &cameras;
    return agent_session_send(session, &envelope);
}

static size_t row_bytes(const struct store_camera *camera)
{
    return strlen(camera->id) + strlen(camera->slug) + strlen(camera->name) + camera->sealed.len +
           camera->sealed_sub.len + ROW_OVERHEAD;
}

static bool add_row(void *owner, const struct store_camera *camera)
{
    struct camera_part *part = owner;
    struct camera_row *row;

    part->bytes += row_bytes(camera);
    part->has_more = part->count == PART_CAMERAS || part->bytes > PART_BYTES;
    if (part->has_more)
        return false;
    row = &part->rows[part->count];
    part->row_of[part->count++] = &row->message;
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
    return true;
}

int cameras_send_part(struct agent_session *session)
{
    struct camera_part *part = malloc(sizeof(*part));
    struct camera_listing *listing = &session->listing;
    int err;

    if (!part)
        return -ENOMEM;
    part->count = 0;
    part->bytes = 0;
    part->has_more = false;
    err = store_camera_list_of(session->tunnel->env.reader, session->relay.id, listing->after,
                               add_row, part);
    if (err == 0)
        err = send_part(session, part);
    if (err == 0 && part->has_more)
        memcpy(listing->after, part->rows[part->count - 1].id, sizeof(listing->after));
    else
        *listing = (struct camera_listing){.is_on = listing->is_due};
    free(part);
    return err;
}
