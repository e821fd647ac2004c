/** @file diffusion/process.h  The forward process and its conversions, float32 data, [N, D] with D
 * = H W C. */
#ifndef DDPM_DIFFUSION_PROCESS_H
#define DDPM_DIFFUSION_PROCESS_H
#include "ddpm/diffusion/prediction.h"

#include <stdint.h>

/** x_t = signal x_0 + noise eps (DDPM eq. 4); level [N]. xt may be x0 or eps. */
void ddpm_q_sample(float *xt, const float *x0, const float *eps, const ddpm_level *level, size_t n,
                   size_t d);
/** eps from x_0, one image; eps may be xt or x0. */
void ddpm_eps_from_x0(float *eps, const float *xt, const float *x0, const ddpm_level *level,
                      size_t d);

/** eps [N,D] standard normal by sample_index alone. */
void ddpm_draw_noise(float *eps, const uint64_t *sample_index, size_t n, size_t d, uint64_t seed);
#endif
