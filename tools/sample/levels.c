#include "levels.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

ddpm_status sample_levels_choose(sample_job *job, const ddpm_schedule *schedule,
                                 const double *shares, size_t count)
{
    const sample_arguments *arguments = job->arguments;
    const double last = job->schedule->timestep[job->schedule->steps - 1];
    job->level_count = arguments->t_count ? arguments->t_count : count;
    assert(job->level_count <= SAMPLE_ROWS);
    for (size_t i = 0; i < job->level_count; i++) {
        const double t = arguments->t_count ? arguments->t[i] : shares[i] * last;
        if (t > last)
            return ddpm_fail(DDPM_ECONFIG, "--t %g: the timesteps of %s end with %g", t,
                             job->source.path, last);
        job->levels[i] = ddpm_schedule_nearest(schedule, t);
    }
    return DDPM_OK;
}

void sample_levels_describe(sample_notes *notes, const sample_job *job)
{
    const ddpm_schedule *schedule = job->sampling ? ddpm_sampling_schedule(job->sampling)
                                                  : job->schedule;
    char text[SAMPLE_ROWS * 32] = "";
    for (size_t i = 0; i < job->level_count; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%.12g", i ? "," : "",
                 schedule->timestep[job->levels[i]]);
    }
    sample_note_text(notes, "t", text);
}
