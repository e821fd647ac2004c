#include "ddpm/base/philox.h"
#include "ddpm/diffusion/repaint.h"

/* What a step is told apart by. */
static uint32_t stream_of(const ddpm_schedule *schedule, size_t index)
{
    /* Above all timesteps: steps between them are told apart by their place. */
    enum { BETWEEN = 1 << 23 };
    const bool between = schedule->between || schedule->is_flow;
    return between ? BETWEEN + (uint32_t)index : (uint32_t)schedule->timestep[index];
}

static void draw(float *noise, ddpm_random random, uint64_t first, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++) {
        random.index = first + i;
        ddpm_random_normal(noise + i * d, d, &random);
    }
}

void ddpm_image_step_noise(float *noise, size_t index, size_t n, size_t d, void *image_noise)
{
    const ddpm_image_noise *images = image_noise;
    const ddpm_random random = { .seed = images->seed,
                                 .purpose = DDPM_RANDOM_SAMPLE_NOISE,
                                 .stream = stream_of(images->schedule, index) };
    draw(noise, random, images->first_image, n, d);
}

void ddpm_image_repaint_noise(float *noise, ddpm_repaint_noise_kind kind, size_t index,
                              size_t jumps, size_t n, size_t d, void *image_noise)
{
    enum { JUMPS_SHIFT = 40 }; /* above all images */
    static const ddpm_random_purpose purposes[] = {
        [DDPM_REPAINT_STEP] = DDPM_RANDOM_SAMPLE_NOISE,
        [DDPM_REPAINT_KNOWN] = DDPM_RANDOM_INPAINT_KNOWN,
        [DDPM_REPAINT_BACK] = DDPM_RANDOM_INPAINT_BACK,
    };
    const ddpm_image_noise *images = image_noise;
    const ddpm_random random = { .seed = images->seed,
                                 .purpose = purposes[kind],
                                 .stream = stream_of(images->schedule, index) };
    draw(noise, random, images->first_image + ((uint64_t)jumps << JUMPS_SHIFT), n, d);
}

void ddpm_image_init(float *x, uint64_t seed, uint64_t first, size_t n, size_t d)
{
    draw(x, (ddpm_random){ .seed = seed, .purpose = DDPM_RANDOM_SAMPLE_INIT }, first, n, d);
}
