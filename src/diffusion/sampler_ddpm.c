/* Ancestral sampling: DDPM algorithm 2 through the predicted x_0, so that it can be clipped. */
#include "sampler_step.h"

#include "ddpm/diffusion/variance.h"

#include <math.h>

/* A network that says xprev says the mean itself, and the official code takes it as it is, x_0
 * clipped or not. It is that of a step of the training; over a longer one it has to go by x_0. */
static bool mean_is_said(const ddpm_diffusion__chain *chain, size_t index)
{
    return chain->options->prediction == DDPM_PREDICT_XPREV &&
           ddpm_schedule_is_training_step(chain->schedule, index);
}

/* x_{t-1} = mean of q(x_{t-1} | x_t, x_0) + sigma z (DDPM eq. 7); no noise in the last step */
static void step(ddpm_diffusion__chain *chain, size_t index)
{
    ddpm_diffusion__evaluate(chain, chain->x, index);
    const bool said = mean_is_said(chain, index);
    const ddpm_posterior posterior = ddpm_posterior_at(chain->schedule, index);
    const ddpm_log_variance log_variance = ddpm_log_variance_at(chain->schedule, index,
                                                                chain->options->variance);
    const bool fixed = !ddpm_variance_is_learned(chain->options->variance);
    const double sigma = fixed ? exp(0.5 * log_variance.base) : 0.0;
    if (index > 0) ddpm_diffusion__draw(chain, index);
    for (size_t i = 0; i < chain->count; i++) {
        const double mean = said ? (double)chain->said[i]
                                 : ddpm_posterior_mean(&posterior, chain->x0[i], chain->x[i]);
        if (index == 0) {
            chain->x[i] = (float)mean;
            continue;
        }
        const double s = fixed ? sigma
                               : exp(0.5 * ddpm_log_variance_of(&log_variance, chain->variance[i]));
        chain->x[i] = (float)(mean + s * (double)chain->noise[i]);
    }
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddpm = {
    .info = { .name = "ddpm",
              .summary = "ancestral sampling (Ho et al. 2020), stochastic",
              .default_spacing = "sections",
              .default_clip = DDPM_CLIP_X0,
              .takes_variance = true,
              .adds_noise = true },
    .step = step,
};
