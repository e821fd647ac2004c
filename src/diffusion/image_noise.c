#include "ddpm/base/philox.h"
#include "ddpm/diffusion/sampler.h"

void ddpm_image_step_noise(float *noise, size_t index, size_t n, size_t d, void *image_noise)
{
    /* Above all timesteps: steps between them are told apart by their place. */
    enum { BETWEEN = 1 << 23 };
    const ddpm_image_noise *images = image_noise;
    const uint32_t stream = images->schedule->between ? BETWEEN + (uint32_t)index
                                                      : (uint32_t)images->schedule->timestep[index];
    for (size_t i = 0; i < n; i++) {
        const ddpm_random random = { .seed = images->seed,
                                     .index = images->first_image + i,
                                     .purpose = DDPM_RANDOM_SAMPLE_NOISE,
                                     .stream = stream };
        ddpm_random_normal(noise + i * d, d, &random);
    }
}

void ddpm_image_init(float *x, uint64_t seed, uint64_t first, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++) {
        const ddpm_random random = { .seed = seed,
                                     .index = first + i,
                                     .purpose = DDPM_RANDOM_SAMPLE_INIT };
        ddpm_random_normal(x + i * d, d, &random);
    }
}
