/* Heun's method of second order (Karras et al. 2022, algorithm 1): an Euler step, a look at the
 * slope where it leads, and the same step with the mean of both slopes. */
#include "sampler_step.h"

#include <string.h>

/* Karras et al. eq. 4: d(x / signal) / d(noise / signal) = eps, with which their equation needs no
 * other choice of time; and for a flow dx / dt = eps - x_0. */
typedef struct {
    double of_x, of_slope; /* x_next = of_x x + of_slope slope */
} line;

static line between(const ddpm_diffusion__chain *chain, const ddpm_level *from,
                    const ddpm_level *to)
{
    if (chain->schedule->is_flow) return (line){ 1.0, to->noise - from->noise };
    return (line){ to->signal / from->signal,
                   to->noise - to->signal * (from->noise / from->signal) };
}

static void slope(float *out, const ddpm_diffusion__chain *chain)
{
    if (!chain->schedule->is_flow) {
        memcpy(out, chain->eps, chain->count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < chain->count; i++) out[i] = chain->eps[i] - chain->x0[i];
}

static void step(ddpm_diffusion__chain *chain, size_t index)
{
    float *first = chain->kept[0], *ahead = chain->kept[1];
    const ddpm_level from = ddpm_level_at(chain->schedule, index);
    const ddpm_level to = ddpm_diffusion__next(chain, index);
    ddpm_diffusion__evaluate(chain, chain->x, index);
    if (!ddpm_diffusion__has_slopes(chain->schedule, index)) {
        for (size_t i = 0; i < chain->count; i++)
            chain->x[i] = (float)(to.signal * (double)chain->x0[i] +
                                  to.noise * (double)chain->eps[i]);
        return;
    }
    slope(first, chain);
    const line along = between(chain, &from, &to);
    for (size_t i = 0; i < chain->count; i++)
        ahead[i] = (float)(along.of_x * (double)chain->x[i] + along.of_slope * (double)first[i]);
    ddpm_diffusion__evaluate(chain, ahead, index - 1);
    slope(ahead, chain);
    for (size_t i = 0; i < chain->count; i++)
        chain->x[i] = (float)(along.of_x * (double)chain->x[i] +
                              along.of_slope * 0.5 * ((double)first[i] + (double)ahead[i]));
}

const ddpm_diffusion__sampler ddpm_diffusion__sampler_heun = {
    .info = { .name = "heun",
              .summary = "Heun's method (Karras et al. 2022), two evaluations a step",
              .default_spacing = "karras",
              .default_steps = 20,
              .default_clip = DDPM_CLIP_X0_REDERIVE,
              .takes_eps = true,
              .takes_flow = true,
              .evaluates_twice = true },
    .step = step,
};
