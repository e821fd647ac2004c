/* Clocks. Durations are measured by the monotonic one; wall clocks only stamp logs and files. */
#include "doctor.h"

#include "ddpm/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static const double most_apart_seconds = 5.0;
static const int64_t short_rest_seconds = 600;

void ddpm_app__collect_clock(ddpm_doctor_clock *clock)
{
    struct timespec resolution = { 0 };
    clock_getres(CLOCK_MONOTONIC, &resolution);
    clock->resolution_ns = (uint64_t)resolution.tv_sec * 1000000000 + (uint64_t)resolution.tv_nsec;
    const char *end = getenv("SLURM_JOB_END_TIME");
    int64_t at;
    clock->seconds_left = end && ddpm_text_int64(&at, end, 1, INT64_MAX) ? at - (int64_t)time(NULL)
                                                                         : INT64_MAX;
}

void ddpm_app__judge_clock(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_clock *first = &group->rank[0]->clock;
    const ddpm_doctor_facts *farthest = group->rank[0];
    uint64_t coarsest = 0;
    for (int r = 0; r < group->count; r++) {
        const ddpm_doctor_clock *clock = &group->rank[r]->clock;
        if (fabs(clock->offset_seconds) > fabs(farthest->clock.offset_seconds))
            farthest = group->rank[r];
        if (clock->resolution_ns > coarsest) coarsest = clock->resolution_ns;
    }
    char text[32];
    if (fabs(farthest->clock.offset_seconds) > most_apart_seconds)
        ddpm_app__warn(report, "chrony or ntp on all nodes",
                       "the clock of rank %d (%s) is %.0f s off rank 0's: times in logs do not "
                       "compare; training itself does not mind",
                       farthest->rank, farthest->host, farthest->clock.offset_seconds);
    if (coarsest > 1000000)
        ddpm_app__warn(report, NULL,
                       "the monotonic clock counts in steps of %" PRIu64 " ns: times "
                       "of phases are rough",
                       coarsest);
    if (first->seconds_left < short_rest_seconds)
        ddpm_app__warn(report, "ask for more time (sbatch --time); the run goes on in the next job",
                       first->seconds_left > 0 ? "SLURM ends the job in %s"
                                               : "SLURM's end of the job is past (%s)",
                       ddpm_text_seconds(text, (double)llabs(first->seconds_left)));
    ddpm_app__fine(report, "monotonic, %" PRIu64 " ns; wall clocks of the ranks within %.1f s%s%s",
                   coarsest, fabs(farthest->clock.offset_seconds),
                   first->seconds_left < INT64_MAX ? "; SLURM ends the job in " : "",
                   first->seconds_left < INT64_MAX
                       ? ddpm_text_seconds(text, (double)first->seconds_left)
                       : "");
}
