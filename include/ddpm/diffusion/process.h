/** @file diffusion/process.h  The forward process and its conversions, float32 data, [N, D] with D
 * = H W C. */
#ifndef DDPM_DIFFUSION_PROCESS_H
#define DDPM_DIFFUSION_PROCESS_H
#include "ddpm/diffusion/schedule.h"

#include <stdint.h>

/** x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps (DDPM eq. 4). t [N]: indices into the schedule. */
void ddpm_q_sample(float *xt, const float *x0, const float *eps, const size_t *t, size_t n,
                   size_t d, const ddpm_schedule *schedule);
/** x_0 from eps (eq. 15), one image; xt may be x0. 0 where alpha_bar[t] = 0 (the last step of
 *  "jsd"): x_t then holds nothing of x_0, and 0 is the middle of its range. */
void ddpm_x0_from_eps(float *x0, const float *xt, const float *eps, size_t t, size_t d,
                      const ddpm_schedule *schedule);
/** eps from x_0, one image. */
void ddpm_eps_from_x0(float *eps, const float *xt, const float *x0, size_t t, size_t d,
                      const ddpm_schedule *schedule);
/** Mean of q(x_{t-1} | x_t, x_0) (eq. 7), one image; mean may be x0. */
void ddpm_posterior_mean(float *mean, const float *x0, const float *xt, size_t t, size_t d,
                         const ddpm_schedule *schedule);

/** Timesteps of training images: t[i] uniform in 0..T-1, by Philox of sample_index[i] alone. */
void ddpm_draw_timesteps(size_t *t, const uint64_t *sample_index, size_t n, uint64_t seed,
                         const ddpm_schedule *schedule);
/** eps [N,D] standard normal by sample_index alone. */
void ddpm_draw_noise(float *eps, const uint64_t *sample_index, size_t n, size_t d, uint64_t seed);
#endif
