/** @file diffusion/bound.h
 *  The variational bound (DDPM eq. 5 and section 3.3), term by term, of one image [D], in bits a
 *  dimension: L_T, L_1 .. L_{T-1} and L_0. Pixels are x / 127.5 - 1 of 8 bits; of other data L_0
 *  is the likelihood of bins as wide. */
#ifndef DDPM_DIFFUSION_BOUND_H
#define DDPM_DIFFUSION_BOUND_H
#include "ddpm/diffusion/variance.h"

/** What is known of p(x_{t-1} | x_t). */
typedef struct {
    const float *x0, *xt; /**< the image, and what it was noised to */
    const float *x0_hat;  /**< by the network; the mean follows by DDPM eq. 7 */
    const float *said;    /**< by the network of the variance; NULL where it is fixed */
    ddpm_variance variance;
    size_t index; /**< t */
    const ddpm_schedule *schedule;
} ddpm_bound_step;

/** L_{t-1}: KL(q(x_{t-1} | x_t, x_0) || p); for t = 0 the decoder's -log p(x_0 | x_1) by a
 *  discretised Gaussian (DDPM eq. 13; the official code's tanh for its distribution function). */
double ddpm_bound_term(const ddpm_bound_step *step, size_t d);
/** The same, and `scale` times its derivatives: d_x0_hat [D] and d_said [D], overwritten; either
 *  may be NULL. */
double ddpm_bound_gradient(float *d_x0_hat, float *d_said, const ddpm_bound_step *step, size_t d,
                           double scale);
/** L_T: KL(q(x_T | x_0) || N(0, 1)). */
double ddpm_bound_prior(const float *x0, size_t d, const ddpm_schedule *schedule);
#endif
