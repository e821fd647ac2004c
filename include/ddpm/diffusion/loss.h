/** @file diffusion/loss.h  Training losses and their gradients, float32, [N, D]. */
#ifndef DDPM_DIFFUSION_LOSS_H
#define DDPM_DIFFUSION_LOSS_H
#include <stddef.h>

/** L_simple (DDPM eq. 14): per_image[n] = mean over D of (prediction - target)^2, in double.
 *  d_prediction [N,D] is overwritten with the gradient of `weight` * sum over n of per_image[n]
 *  (weight 1/N makes it the mean; 1/(global batch) a share of it); may be NULL or prediction. */
void ddpm_mse_loss(double *per_image, float *d_prediction, const float *prediction,
                   const float *target, size_t n, size_t d, double weight);
#endif
