/* Denoising diffusion implicit models (Song et al. 2021), and Euler's method, which without noise
 * they are: constant eps over a step of noise / signal, or constant velocity over one of a flow. */
#include "sampler_step.h"

#include <math.h>

/* DDIM eq. 12: signal x_0 + sqrt(noise^2 - sigma^2) eps + sigma z, at the next level */
static void move(ddpm_diffusion__chain *chain, size_t index, double sigma)
{
    const ddpm_level next = ddpm_diffusion__next(chain, index);
    const double of_eps = sigma > 0.0 ? sqrt(fmax(next.noise * next.noise - sigma * sigma, 0.0))
                                      : next.noise;
    if (sigma > 0.0) ddpm_diffusion__draw(chain, index);
    for (size_t i = 0; i < chain->count; i++) {
        const double mean = next.signal * (double)chain->x0[i] + of_eps * (double)chain->eps[i];
        chain->x[i] = (float)(sigma > 0.0 ? mean + sigma * (double)chain->noise[i] : mean);
    }
}

/* DDIM eq. 16: eta sqrt((1 - abar_prev) / (1 - abar)) sqrt(1 - abar / abar_prev), where the last
 * factor is sqrt(beta): eta times the posterior's standard deviation. */
static void step_ddim(ddpm_diffusion__chain *chain, size_t index)
{
    ddpm_diffusion__evaluate(chain, chain->x, index);
    const double eta = chain->options->eta;
    move(chain, index, eta > 0.0 ? eta * sqrt(chain->schedule->posterior_variance[index]) : 0.0);
}

static void step_euler(ddpm_diffusion__chain *chain, size_t index)
{
    ddpm_diffusion__evaluate(chain, chain->x, index);
    move(chain, index, 0.0);
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddim = {
    .info = { .name = "ddim",
              .summary = "implicit models (Song et al. 2021); deterministic at eta 0",
              .default_spacing = "leading",
              .default_steps = 50,
              .default_clip = DDPM_CLIP_X0_REDERIVE,
              .takes_eta = true,
              .takes_eps = true },
    .step = step_ddim,
};
const ddpm_diffusion__sampler ddpm_diffusion__sampler_euler = {
    .info = { .name = "euler",
              .summary = "Euler's method on the probability flow or the rectified flow",
              .default_spacing = "spread",
              .default_steps = 50,
              .default_clip = DDPM_CLIP_X0_REDERIVE,
              .takes_eps = true,
              .takes_flow = true },
    .step = step_euler,
};
