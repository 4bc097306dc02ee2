#include "server/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/server.h"

static void metric(struct writer *out, const char *name, const char *type, const char *help)
{
    writer_printf(out, "# HELP culvert_%s %s\n# TYPE culvert_%s %s\n", name, help, name, type);
}

static long resident_bytes(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder's own */
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void metrics_write(struct server *server, struct writer *out)
{
    metric(out, "info", "gauge", "The version that runs.");
    writer_printf(out, "culvert_info{version=\"%s\",node=\"%s\"} 1\n", CULVERT_VERSION,
                  server->node_id);
    metric(out, "uptime_seconds", "gauge", "Since the start.");
    writer_printf(out, "culvert_uptime_seconds %" PRId64 "\n",
                  (clock_mono_us() - server->started_us) / 1000000);
    metric(out, "viewers", "gauge", "Viewers now, by protocol.");
    for (unsigned i = 0; egress_all[i]; i++)
        writer_printf(out, "culvert_viewers{protocol=\"%s\"} %u\n", egress_all[i]->name,
                      atomic_load(&server->viewers[i]));
    for (unsigned i = 0; egress_all[i]; i++)
        if (egress_all[i]->measure)
            egress_all[i]->measure(out);
    metric(out, "cpu_seconds_total", "counter", "Processor time, user and system.");
    writer_printf(out, "culvert_cpu_seconds_total %.2f\n", cpu_seconds());
    metric(out, "resident_bytes", "gauge", "Memory in use.");
    writer_printf(out, "culvert_resident_bytes %ld\n", resident_bytes());
    metric(out, "open_descriptors", "gauge", "Files and sockets open.");
    writer_printf(out, "culvert_open_descriptors %u\n", open_descriptors());
}
