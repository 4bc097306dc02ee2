/* `culvert-agent status`: what the running agent last wrote of itself. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/camera.h"
#include "agent/run.h"
#include "base/clock.h"
#include "base/writer.h"

enum { STATUS_MAX = 32 * 1024 };

static void write_camera(void *owner, const struct camera_report *report)
{
    struct writer *to = owner;

    writer_printf(to, "camera %s (%s): %s", report->id, report->name, report->state);
    if (report->text[0])
        writer_printf(to, ": %s", report->text);
    if (report->is_wanted)
        writer_printf(
            to, "; %" PRIu64 " frames, %" PRIu64 " bytes sent, %" PRIu64 " dropped, %u ms waiting",
            report->frames, report->bytes, report->dropped, report->queue_ms);
    writer_text(to, "\n");
}

void status_write(const struct agent *agent)
{
    struct writer writer;

    writer_init(&writer, STATUS_MAX - 1);
    writer_printf(&writer, "agent %s (%s)\n", agent->identity.agent_id, agent->identity.name);
    writer_printf(&writer, "server %s port %u: %s\n", agent->host, agent->port,
                  agent->words[0] ? agent->words : "connecting");
    if (agent->online_us)
        writer_printf(&writer, "online for %" PRId64 " s, transport: %s\n",
                      (loop_now_us(agent->loop) - agent->online_us) / 1000000, agent->way->name);
    cameras_report(agent, write_camera, &writer);
    writer_uint(&writer, 0, 1);
    if (!writer.err)
        state_write_status(agent->state, (const char *)writer.bytes);
    writer_fini(&writer);
}

/* A running agent holds the lock. */
static bool is_running(const char *directory)
{
    char path[1100];
    int fd, is_locked;

    (void)snprintf(path, sizeof(path), "%s/lock", directory);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    is_locked = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return is_locked;
}

int status_print(const struct options *options)
{
    char directory[1024], text[STATUS_MAX] = "", identity[64];
    int err = run_state_dir(options, directory, sizeof(directory));

    if (err == 0)
        err = state_read_file(directory, "identity", identity, sizeof(identity));
    if (err == -ENOENT) {
        printf("not enrolled (nothing in %s)\n", directory);
        return 1;
    }
    if (err < 0) {
        (void)fprintf(stderr, "culvert-agent: %s: %s\n", directory, err_text(err));
        return 1;
    }
    if (!is_running(directory)) {
        printf("enrolled, not running\n");
        return 3;
    }
    if (state_read_file(directory, "status", text, sizeof(text)) < 0)
        (void)snprintf(text, sizeof(text), "starting\n");
    (void)fputs(text, stdout);
    return 0;
}
