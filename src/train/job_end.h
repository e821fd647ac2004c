/* The end of the job that this process is a part of: a batch system kills it then, whatever it
 * does. */
#ifndef DDPM_TRAIN_JOB_END_H
#define DDPM_TRAIN_JOB_END_H
#include "ddpm/base/config.h"

typedef struct {
    uint64_t end_ns; /* ddpm_clock_ns; 0: not known */
    double reserve_seconds;
} ddpm_job_end;

/* From train.wall_clock, counted from start_ns, or else from SLURM_JOB_END_TIME, a Unix time, at
 * which alone the clock of the wall is looked at. The reserve is train.wall_clock_margin, but at
 * most half of what is left. */
void ddpm_train__job_end_find(ddpm_job_end *end, const ddpm_config *config, uint64_t start_ns);
/* Whether something that takes `seconds` should no longer be begun at now_ns. */
bool ddpm_train__job_end_is_near(const ddpm_job_end *end, uint64_t now_ns, double seconds);
#endif
