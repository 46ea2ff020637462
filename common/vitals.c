#include "vitals.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "svc.h"

enum { STREAM_CHARS = 32 };

const struct metric_def vitals_metrics[] = {
    [VITALS_PRODUCERS] = {"zaehlwerk_stream_producers", METRIC_GAUGE, "stream",
                          "Producers that this service is connected to now."},
    [VITALS_REFUSED] = {"zaehlwerk_stream_refused_total", METRIC_COUNTER, "reason",
                        "Connections of streams that were refused, by this end or by the other."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

void vitals_peers(struct svc *svc, const char *variable, size_t up)
{
    size_t len = strcspn(variable, "_");
    char stream[STREAM_CHARS];

    if (len >= sizeof stream)
        return;
    for (size_t i = 0; i < len; i++)
        stream[i] = (char)tolower((unsigned char)variable[i]);
    stream[len] = '\0';
    metrics_set(svc->vitals, VITALS_PRODUCERS, stream, (int64_t)up);
}

/* Octets in memory, 0 where /proc does not tell. */
static int64_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char text[128] = "", *end;
    int64_t pages = 0;

    if (f == NULL)
        return 0;
    if (fgets(text, sizeof text, f) != NULL) {
        (void)strtoll(text, &end, 10); /* the whole size */
        pages = strtoll(end, NULL, 10);
    }
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void print_process(int64_t started, FILE *out)
{
    struct timespec cpu = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    fprintf(out,
            "# HELP process_start_time_seconds Start of the process since the epoch.\n"
            "# TYPE process_start_time_seconds gauge\n"
            "process_start_time_seconds %" PRId64 "\n"
            "# HELP process_cpu_seconds_total User and system CPU time.\n"
            "# TYPE process_cpu_seconds_total counter\n"
            "process_cpu_seconds_total %" PRId64 ".%03d\n"
            "# HELP process_resident_memory_bytes Memory that is resident.\n"
            "# TYPE process_resident_memory_bytes gauge\n"
            "process_resident_memory_bytes %" PRId64 "\n",
            started, (int64_t)cpu.tv_sec, (int)(cpu.tv_nsec / 1000000), resident());
}

void vitals_print(struct svc *svc, int64_t started, FILE *out)
{
    fprintf(out,
            "# HELP zaehlwerk_build_info The running version.\n"
            "# TYPE zaehlwerk_build_info gauge\n"
            "zaehlwerk_build_info{service=\"%s\",version=\"%s\"} 1\n",
            svc->info->name, ZW_VERSION);
    print_process(started, out);
    svc_print_dependencies(svc, out);
    metrics_print(svc->vitals, out);
}
