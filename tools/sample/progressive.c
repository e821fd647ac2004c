/* The network's idea of the image along the chain: DDPM figure 6. */
#include "job.h"

static ddpm_status prepare(sample_job *job)
{
    enum { COLUMNS = 10 };
    const size_t steps = ddpm_sampling_schedule(job->sampling)->steps;
    job->drawing.frames = job->arguments->frames;
    if (job->drawing.frames == 0) job->drawing.frames = steps < COLUMNS ? steps : COLUMNS;
    if (job->drawing.frames <= steps) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "--progressive=%zu: a chain of %zu steps has no more than %zu moments; take "
                     "more --steps",
                     job->drawing.frames, steps, steps);
}

static void describe(sample_notes *notes, const sample_job *job)
{
    sample_note_count(notes, "frames", job->drawing.frames);
}

const sample_mode sample_progressive = {
    .name = "progressive",
    .argument = "COLUMNS",
    .argument_is_optional = true,
    .help = "What the network takes for the image, at COLUMNS moments (default 10) from the first "
            "step to the last, which is the image: a row each of -n images (default 8)",
    .takes = SAMPLE_TAKES_INIT_NOISE,
    .count = 8,
    .prepare = prepare,
    .describe = describe,
};
