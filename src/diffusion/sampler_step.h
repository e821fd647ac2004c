/** @file sampler_step.h  What a sampler is to the shared loop in sampler.c. */
#ifndef DDPM_DIFFUSION_SAMPLER_STEP_H
#define DDPM_DIFFUSION_SAMPLER_STEP_H
#include "ddpm/diffusion/sampler.h"

/** Images on their way from x_T to x_0. Buffers are [count]. */
typedef struct {
    size_t n, d, count;
    const ddpm_schedule *schedule;
    const ddpm_sampler_options *options;
    float *x;     /**< now */
    float *x0;    /**< of the last evaluation, clipped if the options say so */
    float *eps;   /**< of the last evaluation; rederived from x0 if the options say so */
    float *noise; /**< of this step */
    float *said;  /**< by the network, and its variance */
    float *variance;
    float *kept[2]; /**< between evaluations and steps, as the sampler pleases */
} ddpm_diffusion__chain;

/** Evaluates the network at `x` and level `index`: chain->x0, eps and, where it is learned, the
 *  network's word on the variance. */
void ddpm_diffusion__evaluate(ddpm_diffusion__chain *chain, const float *x, size_t index);
/** Whether the step from `index` has a slope at both of its ends: at the image itself there is
 * none, and without signal noise / signal has no end. */
bool ddpm_diffusion__has_slopes(const ddpm_schedule *schedule, size_t index);
/** The level after `index`: the one below, or the image itself. */
ddpm_level ddpm_diffusion__next(const ddpm_diffusion__chain *chain, size_t index);
/** Fills chain->noise for the step from `index`. */
void ddpm_diffusion__draw(ddpm_diffusion__chain *chain, size_t index);

typedef struct {
    ddpm_sampler_info info;
    /** From x_t to x_{t-1}, with as many evaluations as it takes; on return chain->x0 is what the
     *  last of them said. */
    void (*step)(ddpm_diffusion__chain *chain, size_t index);
} ddpm_diffusion__sampler;

/** The sampler of the options, and a chain at x with `scratch` cut into its buffers. */
const ddpm_diffusion__sampler *ddpm_diffusion__begin(ddpm_diffusion__chain *chain, float *x,
                                                     float *scratch, size_t n, size_t d,
                                                     const ddpm_schedule *schedule,
                                                     const ddpm_sampler_options *options);

extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddpm;
extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_ddim;
extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_euler;
extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_heun;
extern const ddpm_diffusion__sampler ddpm_diffusion__sampler_dpmpp;
#endif
