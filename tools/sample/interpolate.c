/* Between two images, where both are noised: DDPM figure 8. */
#include "levels.h"

#include "ddpm/diffusion/process.h"

/* (1 - lambda) x_t + lambda x_t' with the same noise in both is q(x_t | x_0) of the images mixed.
 * At lambda = 0 that is --vary of the first image. */
static ddpm_status start(float *x, const ddpm_level *level, size_t row, size_t first, size_t count,
                         void *context)
{
    enum { PART = 256 };
    const sample_job *job = context;
    const size_t d = sample_image_floats(job), columns = job->drawing.columns;
    const float *a = job->images, *b = a + d;
    (void)row;
    for (size_t i = 0; i < count; i++) {
        if (first + i < job->options.first) continue;
        const size_t place = first + i - job->options.first;
        const double lambda = columns > 1 ? (double)place / (double)(columns - 1) : 0.0;
        for (size_t j = 0; j < d; j += PART) {
            float mixed[PART], *to = x + i * d + j;
            const size_t n = d - j < PART ? d - j : PART;
            for (size_t k = 0; k < n; k++)
                mixed[k] = (float)((1.0 - lambda) * (double)a[j + k] + lambda * (double)b[j + k]);
            ddpm_q_sample(to, mixed, to, level, 1, n);
        }
    }
    return DDPM_OK;
}

static ddpm_status prepare(sample_job *job)
{
    static const double shares[] = { 0.5 };
    DDPM_TRY(sample_levels_choose(job, ddpm_sampling_schedule(job->sampling), shares,
                                  sizeof shares / sizeof *shares));
    for (size_t row = 0; row < job->level_count; row++)
        job->rows[row] = (ddpm_sample_row){ job->levels[row], 0 };
    job->drawing.rows = job->rows;
    job->drawing.row_count = job->level_count;
    job->before = job->images;
    job->after = job->images + sample_image_floats(job);
    job->drawing.start = start;
    job->drawing.start_context = job;
    return DDPM_OK;
}

const sample_mode sample_interpolate = {
    .name = "interpolate",
    .argument = "A B",
    .help = "From image A to image B: both noised to a timestep with the same noise, mixed at -n "
            "places (default 8) and denoised; a row for each --t (default: half the last)",
    .images = 2,
    .takes = SAMPLE_TAKES_T,
    .count = 8,
    .one_class = "lies between two images",
    .prepare = prepare,
    .describe = sample_levels_describe,
};
