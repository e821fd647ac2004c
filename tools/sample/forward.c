/* q(x_t | x_0) (DDPM eq. 4): what the forward process does to images. */
#include "levels.h"

#include "ddpm/base/memory.h"
#include "ddpm/diffusion/process.h"

static ddpm_status prepare(sample_job *job)
{
    double shares[SAMPLE_ROWS];
    const size_t columns = job->arguments->count ? job->arguments->count : job->mode->count;
    if (job->arguments->t_count && job->arguments->count)
        return ddpm_fail(DDPM_EUSAGE, "--forward: -n and --t both say how many columns there are");
    if (columns > SAMPLE_ROWS)
        return ddpm_fail(DDPM_EUSAGE, "--forward -n %zu: at most %d columns", columns, SAMPLE_ROWS);
    for (size_t i = 0; i < columns; i++)
        shares[i] = columns > 1 ? (double)i / (double)(columns - 1) : 1.0;
    DDPM_TRY(sample_levels_choose(job, job->schedule, shares, columns));
    job->drawing.columns = job->level_count;
    job->drawing.rows = job->rows; /* an image each; only how many there are matters */
    job->drawing.row_count = job->arguments->image_count;
    job->before = job->images;
    job->before_stride = sample_image_floats(job);
    return DDPM_OK;
}

/* One noise for a row, so that the eye can follow it as it grows. */
static void noise_row(float *x, const sample_job *job, size_t row)
{
    const size_t d = sample_image_floats(job), columns = job->level_count;
    const uint64_t image = job->options.first + row;
    for (size_t i = 0; i < columns; i++) {
        const ddpm_level level = ddpm_level_at(job->schedule, job->levels[i]);
        ddpm_image_init(x + i * d, job->options.seed, image, 1, d);
        ddpm_q_sample(x + i * d, job->images + row * d, x + i * d, &level, 1, d);
    }
}

static ddpm_status draw(sample_job *job, ddpm_sample_sink *sink, void *context)
{
    const size_t columns = job->level_count, first = job->options.first;
    float *x = NULL;
    ddpm_status status = DDPM_OK;
    if (sample_is_first(job)) {
        status = ddpm_memory_alloc(&x, columns, sample_image_floats(job) * sizeof *x,
                                   DDPM_MEMORY_SCRATCH);
        for (size_t row = 0; status == DDPM_OK && row < job->drawing.row_count; row++) {
            noise_row(x, job, row);
            status = sink(x, first + row * columns, columns, context);
        }
    }
    ddpm_memory_free(x);
    return ddpm_comm_agree(job->comm, status);
}

const sample_mode sample_forward = {
    .name = "forward",
    .argument = "IMAGE",
    .help = "IMAGE as the forward process noises it, without the network: a column for each --t, "
            "or -n of them (default 10) from the first timestep to the last; again for more rows",
    .images = 1,
    .repeats = true,
    .takes = SAMPLE_TAKES_T,
    .count = 10,
    .prepare = prepare,
    .draw = draw,
    .describe = sample_levels_describe,
};
