/* Data are float32; every element is computed in double and rounded once. Beside a network's
 * forward pass that costs nothing, and it keeps long chains at float32's own limit. */
#include "ddpm/diffusion/process.h"

#include "ddpm/base/philox.h"

void ddpm_q_sample(float *xt, const float *x0, const float *eps, const ddpm_level *level, size_t n,
                   size_t d)
{
    for (size_t i = 0; i < n; i++) {
        const double signal = level[i].signal, noise = level[i].noise;
        const size_t end = (i + 1) * d;
        for (size_t j = i * d; j < end; j++)
            xt[j] = (float)(signal * (double)x0[j] + noise * (double)eps[j]);
    }
}

void ddpm_eps_from_x0(float *eps, const float *xt, const float *x0, const ddpm_level *level,
                      size_t d)
{
    const double signal = level->signal, noise = level->noise;
    for (size_t j = 0; j < d; j++)
        eps[j] = (float)(((double)xt[j] - signal * (double)x0[j]) / noise);
}

void ddpm_draw_noise(float *eps, const uint64_t *sample_index, size_t n, size_t d, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        const ddpm_random random = { .seed = seed,
                                     .index = sample_index[i],
                                     .purpose = DDPM_RANDOM_NOISE };
        ddpm_random_normal(eps + i * d, d, &random);
    }
}
