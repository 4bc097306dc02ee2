/* A lane's bytes, in two pieces cut where the first two bytes say. */
#include <stddef.h>
#include <stdint.h>

#include "agent-proto/lane.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int on_hello(void *owner, const Culvert__LaneHello *hello)
{
    (void)owner;
    return hello->camera_id[0] == '!' ? -ERR_DENIED : 0;
}

static int on_tracks(void *owner, struct tracks *tracks)
{
    (void)owner;
    return tracks->count ? 0 : -ERR_PROTOCOL;
}

static int on_frame(void *owner, struct frame *frame)
{
    (void)owner;
    return frame->buf->len ? 0 : -ERR_PROTOCOL;
}

static void on_drops(void *owner, const Culvert__LaneDrops *drops)
{
    (void)owner;
    (void)drops;
}

static void on_end(void *owner)
{
    (void)owner;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct lane_handler handler = {on_hello, on_tracks, on_frame, on_drops, on_end};
    struct lane_reader reader;
    size_t cut;
    ssize_t used;

    if (len < 2)
        return 0;
    cut = (size_t)(bytes[0] << 8 | bytes[1]) % (len - 1);
    lane_reader_init(&reader, &handler, NULL);
    used = lane_reader_input(&reader, bytes + 2, cut < len - 2 ? cut : len - 2);
    if (used >= 0)
        (void)!lane_reader_input(&reader, bytes + 2 + used, len - 2 - (size_t)used);
    lane_reader_fini(&reader);
    return 0;
}
