/** @file sampler_step.h  What a sampler is to the shared loop in sampler.c. */
#ifndef DDPM_DIFFUSION_SAMPLER_STEP_H
#define DDPM_DIFFUSION_SAMPLER_STEP_H
#include "ddpm/diffusion/sampler.h"

typedef struct {
    ddpm_sampler_info info;
    /** Standard deviation of the noise that the step from `index` adds; 0: none is drawn. */
    double (*sigma)(size_t index, const ddpm_schedule *schedule,
                    const ddpm_sampler_options *options);
    /** x [count]: x_t on entry, x_{t-1} on return. eps: what the network said, rederived from x0
     *  where the options say so; noise is NULL where sigma is 0. */
    void (*step)(float *x, const float *x0, const float *eps, const float *noise, double sigma,
                 size_t count, size_t index, const ddpm_schedule *schedule);
} ddpm_diffusion__sampler;

extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddpm;
extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddim;
#endif
