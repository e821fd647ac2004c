/* Denoising diffusion implicit models (Song et al. 2021). */
#include "sampler_step.h"

#include <math.h>

/* DDIM eq. 16: eta sqrt((1 - abar_prev) / (1 - abar)) sqrt(1 - abar / abar_prev), where the last
 * factor is sqrt(beta): eta times the posterior's standard deviation. */
static double sigma(size_t index, const ddpm_schedule *schedule,
                    const ddpm_sampler_options *options)
{
    return options->eta * sqrt(schedule->posterior_variance[index]);
}

/* DDIM eq. 12: sqrt(abar_prev) x_0 + sqrt(1 - abar_prev - sigma^2) eps + sigma z */
static void step(float *x, const float *x0, const float *eps, const float *noise, double s,
                 size_t count, size_t index, const ddpm_schedule *schedule)
{
    const double before = schedule->alpha_bar_prev[index];
    const double of_x0 = sqrt(before);
    const double of_eps = sqrt(fmax(1.0 - before - s * s, 0.0));
    for (size_t i = 0; i < count; i++) {
        const double mean = of_x0 * (double)x0[i] + of_eps * (double)eps[i];
        x[i] = (float)(noise ? mean + s * (double)noise[i] : mean);
    }
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddim = {
    .info = { .name = "ddim",
              .summary = "implicit models (Song et al. 2021); deterministic at eta 0",
              .default_spacing = "leading",
              .default_clip = DDPM_CLIP_X0_REDERIVE,
              .takes_eta = true,
              .takes_eps = true },
    .sigma = sigma,
    .step = step,
};
