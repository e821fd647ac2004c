/* Images that have the chain down to a timestep in common, and part there: DDPM figure 7. */
#include "levels.h"

static ddpm_status prepare(sample_job *job)
{
    static const double shares[] = { 1.0, 0.75, 0.5, 0.25 };
    const ddpm_schedule *schedule = ddpm_sampling_schedule(job->sampling);
    const ddpm_sampler_info *sampler = ddpm_sampler_find(job->options.sampler);
    if (!sampler->adds_noise && !(sampler->takes_eta && job->options.eta > 0.0))
        return ddpm_fail(DDPM_ECONFIG,
                         "--prefix: images part by the noise of later steps, and %s adds none%s",
                         job->options.sampler,
                         schedule->is_flow    ? "; along a flow there is none: see --vary"
                         : sampler->takes_eta ? " at eta 0: take --eta 1 or --sampler ddpm"
                                              : ": take --sampler ddpm");
    DDPM_TRY(sample_levels_choose(job, schedule, shares, sizeof shares / sizeof *shares));
    /* At its level x is the same; the step from there is the first that is not. */
    for (size_t row = 0; row < job->level_count; row++)
        job->rows[row] = (ddpm_sample_row){ schedule->steps - 1, job->levels[row] + 1 };
    job->drawing.rows = job->rows;
    job->drawing.row_count = job->level_count;
    return DDPM_OK;
}

const sample_mode sample_prefix = {
    .name = "prefix",
    .help = "Images that share the chain down to a timestep and then part: a row for each --t "
            "(default: the last timestep, 3/4, 1/2 and 1/4 of it) of -n images (default 8)",
    .takes = SAMPLE_TAKES_T,
    .count = 8,
    .noisy = true,
    .one_class = "noise alone decides",
    .prepare = prepare,
    .describe = sample_levels_describe,
};
