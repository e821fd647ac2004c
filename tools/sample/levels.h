/** @file levels.h  --t: from timesteps of the training to those that are drawn along. */
#ifndef SAMPLE_LEVELS_H
#define SAMPLE_LEVELS_H
#include "job.h"

/** job->levels: the levels of `schedule` nearest to --t or, where nothing was said, to `count`
 *  timesteps at these shares of the last one. DDPM_ECONFIG: beyond the last timestep. */
DDPM_NODISCARD ddpm_status sample_levels_choose(sample_job *job, const ddpm_schedule *schedule,
                                                const double *shares, size_t count);
/** Notes the timesteps as "t". */
void sample_levels_describe(sample_notes *notes, const sample_job *job);
#endif
