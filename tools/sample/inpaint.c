/* RePaint (Lugmayr et al. 2022): see ddpm/diffusion/repaint.h. */
#include "job.h"

#include "ddpm/base/memory.h"
#include "input.h"

#include <math.h>

/* The paper walks every stretch of 10 of its 250 steps 10 times: a 25th of the chain. */
enum { STEPS = 250, TIMES = 10, STRETCHES = 25 };

static size_t default_jump(size_t steps)
{
    return steps < STRETCHES ? 1 : (steps + STRETCHES / 2) / STRETCHES;
}

/* For the eye: what is missing in middle grey. */
static ddpm_status make_holes(sample_job *job)
{
    const size_t d = sample_image_floats(job);
    DDPM_TRY(ddpm_memory_alloc(&job->holed, d, sizeof *job->holed, DDPM_MEMORY_DATA));
    for (size_t i = 0; i < d; i++) job->holed[i] = job->missing[i] ? 0.0f : job->images[i];
    job->before = job->holed;
    return DDPM_OK;
}

static ddpm_status check_mask(const sample_job *job)
{
    for (size_t i = 0; i < sample_image_floats(job); i++)
        if (job->missing[i]) return DDPM_OK;
    return ddpm_fail(
        DDPM_ECONFIG,
        "--mask %s is white nowhere (128 of 255 and more), so nothing is to be filled in",
        job->arguments->mask);
}

static ddpm_status prepare(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    const size_t steps = ddpm_sampling_schedule(job->sampling)->steps;
    ddpm_status status = ddpm_memory_alloc(&job->missing, sample_image_floats(job),
                                           sizeof *job->missing, DDPM_MEMORY_DATA);
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(sample_mask_read(job->missing, job->comm, arguments->mask, sample_image_shape(job)));
    DDPM_TRY(check_mask(job));
    DDPM_TRY(make_holes(job));
    job->inpaint = (ddpm_sample_inpaint){
        .known = job->images,
        .missing = job->missing,
        .jump = arguments->jump ? arguments->jump : default_jump(steps),
        .times = arguments->times ? arguments->times : TIMES,
    };
    if (job->inpaint.jump >= steps && job->inpaint.times > 1 && arguments->jump)
        return ddpm_fail(DDPM_ECONFIG,
                         "--jump %zu: a chain of %zu steps has no stretch as long; take less, or "
                         "--times 1 for no jumps",
                         job->inpaint.jump, steps);
    job->drawing.inpaint = &job->inpaint;
    const ddpm_repaint repaint = { .jump = job->inpaint.jump, .times = job->inpaint.times };
    return ddpm_repaint_check(&repaint, job->options.sampler);
}

static void describe(sample_notes *notes, const sample_job *job)
{
    sample_note_text(notes, "mask", job->arguments->mask);
    sample_note_count(notes, "jump", job->inpaint.jump);
    sample_note_count(notes, "times", job->inpaint.times);
}

const sample_mode sample_inpaint = {
    .name = "inpaint",
    .argument = "IMAGE",
    .help = "IMAGE with what --mask has white filled in by RePaint, -n times (default 8); the rest "
            "stays as it is",
    .images = 1,
    .takes = SAMPLE_TAKES_MASK,
    .count = 8,
    .noisy = true,
    .default_steps = STEPS,
    .prepare = prepare,
    .describe = describe,
};
