/* DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): of second order in lambda = log(signal / noise),
 * with the x_0 of the step before in place of a second evaluation. */
#include "sampler_step.h"

#include <math.h>
#include <string.h>

static double lambda(const ddpm_level *level)
{
    return log(level->signal) - log(level->noise);
}

/* x = noise' / noise x - signal' (exp(-h) - 1) D,  D = x_0 + (x_0 - x_0 before) / (2 r),
 * r = h before / h; the first and the last step are of first order. */
static void step(ddpm_diffusion__chain *chain, size_t index)
{
    float *before = chain->kept[0];
    const ddpm_level from = ddpm_level_at(chain->schedule, index);
    const ddpm_level to = ddpm_diffusion__next(chain, index);
    ddpm_diffusion__evaluate(chain, chain->x, index);
    const double h = lambda(&to) - lambda(&from); /* infinite into the image itself */
    double slope = 0.0;
    if (index > 0 && index + 1 < chain->schedule->steps) {
        const ddpm_level last = ddpm_level_at(chain->schedule, index + 1);
        slope = 0.5 * h / (lambda(&from) - lambda(&last));
    }
    const double of_x = to.noise / from.noise, of_d = -to.signal * expm1(-h);
    for (size_t i = 0; i < chain->count; i++) {
        const double x0 = (double)chain->x0[i];
        const double d = slope != 0.0 ? x0 + slope * (x0 - (double)before[i]) : x0;
        chain->x[i] = (float)(of_x * (double)chain->x[i] + of_d * d);
    }
    memcpy(before, chain->x0, chain->count * sizeof *before);
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_dpmpp = {
    .info = { .name = "dpm++",
              .summary = "DPM-Solver++(2M) (Lu et al. 2022), second order, 10 to 25 steps",
              .default_spacing = "uniform",
              .default_steps = 20,
              .default_clip = DDPM_CLIP_X0,
              .takes_flow = true,
              .remembers = true },
    .step = step,
};
