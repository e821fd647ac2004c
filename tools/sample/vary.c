/* How different images come out of one that was noised to a timestep and denoised again. */
#include "levels.h"

#include "ddpm/diffusion/process.h"

/* x_t of q(x_t | x_0) (DDPM eq. 4), with the noise that each image would begin with. */
static ddpm_status start(float *x, const ddpm_level *level, size_t row, size_t first, size_t count,
                         void *context)
{
    const sample_job *job = context;
    const size_t d = sample_image_floats(job);
    (void)row, (void)first;
    for (size_t i = 0; i < count; i++)
        ddpm_q_sample(x + i * d, job->images, x + i * d, level, 1, d);
    return DDPM_OK;
}

static ddpm_status prepare(sample_job *job)
{
    static const double shares[] = { 0.25, 0.5, 0.75 };
    DDPM_TRY(sample_levels_choose(job, ddpm_sampling_schedule(job->sampling), shares,
                                  sizeof shares / sizeof *shares));
    for (size_t row = 0; row < job->level_count; row++)
        job->rows[row] = (ddpm_sample_row){ job->levels[row], DDPM_SAMPLE_OWN };
    job->drawing.rows = job->rows;
    job->drawing.row_count = job->level_count;
    job->before = job->images;
    job->drawing.start = start;
    job->drawing.start_context = job;
    return DDPM_OK;
}

const sample_mode sample_vary = {
    .name = "vary",
    .argument = "IMAGE",
    .help = "IMAGE noised to a timestep and denoised again: a row for each --t (default: 1/4, 1/2 "
            "and 3/4 of the last timestep) of -n images (default 8)",
    .images = 1,
    .takes = SAMPLE_TAKES_T,
    .count = 8,
    .prepare = prepare,
    .describe = sample_levels_describe,
};
