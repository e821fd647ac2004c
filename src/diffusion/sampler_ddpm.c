/* Ancestral sampling: DDPM algorithm 2 through the predicted x_0, so that it can be clipped. */
#include "sampler_step.h"

#include "ddpm/diffusion/process.h"

#include <math.h>

static double sigma(size_t index, const ddpm_schedule *schedule,
                    const ddpm_sampler_options *options)
{
    if (index == 0) return 0.0;
    const double *log_variance = options->variance == DDPM_VARIANCE_FIXEDLARGE
                                     ? schedule->fixedlarge_log_variance
                                     : schedule->posterior_log_variance_clipped;
    return exp(0.5 * log_variance[index]);
}

/* x_{t-1} = mean of q(x_{t-1} | x_t, x_0) + sigma z (DDPM eq. 7) */
static void step(float *x, const float *x0, const float *eps, const float *noise, double s,
                 size_t count, size_t index, const ddpm_schedule *schedule)
{
    (void)eps;
    const double of_x0 = schedule->posterior_mean_coef1[index];
    const double of_xt = schedule->posterior_mean_coef2[index];
    for (size_t i = 0; i < count; i++) {
        const double mean = of_x0 * (double)x0[i] + of_xt * (double)x[i];
        x[i] = (float)(noise ? mean + s * (double)noise[i] : mean);
    }
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddpm = {
    .info = { .name = "ddpm",
              .summary = "ancestral sampling (Ho et al. 2020), stochastic",
              .default_spacing = "sections",
              .default_clip = DDPM_CLIP_X0,
              .takes_variance = true },
    .sigma = sigma,
    .step = step,
};
