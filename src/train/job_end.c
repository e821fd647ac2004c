#include "job_end.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"

#include <errno.h>
#include <stdlib.h>

/* 0: there is none, or none that can be true. */
static double seconds_left_by_slurm(void)
{
    const char *text = getenv("SLURM_JOB_END_TIME");
    if (!text || !*text) return 0.0;
    char *rest;
    errno = 0;
    const long long end = strtoll(text, &rest, 10);
    const double left = (double)(end - ddpm_clock_unix());
    if (errno == 0 && *rest == 0 && left > 0.0) return left;
    ddpm_log_warning("SLURM_JOB_END_TIME = %s is no time to come: the job's end is not known",
                     text);
    return 0.0;
}

void ddpm_train__job_end_find(ddpm_job_end *end, const ddpm_config *config, uint64_t start_ns)
{
    *end = (ddpm_job_end){ .end_ns = 0 };
    const uint64_t now = ddpm_clock_ns();
    double left = config->train.wall_clock;
    uint64_t from = start_ns;
    if (left <= 0.0) {
        left = seconds_left_by_slurm();
        from = now;
    }
    if (left <= 0.0) return;
    end->end_ns = from + (uint64_t)(left * 1e9);
    const double half = left / 2.0, margin = config->train.wall_clock_margin;
    end->reserve_seconds = margin < half ? margin : half;
}

bool ddpm_train__job_end_is_near(const ddpm_job_end *end, uint64_t now_ns, double seconds)
{
    if (end->end_ns == 0) return false;
    return (double)now_ns + (seconds + end->reserve_seconds) * 1e9 >= (double)end->end_ns;
}
