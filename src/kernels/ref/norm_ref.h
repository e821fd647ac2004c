/* GroupNorm written as its definition, in double: what the tests believe. All outputs are
 * overwritten; the moments are found anew from x. Shapes as in ddpm/kernels/norm.h. */
#ifndef DDPM_KERNELS_REF_NORM_REF_H
#define DDPM_KERNELS_REF_NORM_REF_H
#include "ddpm/kernels/norm.h"

void ddpm_norm_forward_ref(double *y, double *mean, double *rstd, const float *x,
                           const float *gamma, const float *beta, const ddpm_norm *op);
void ddpm_norm_backward_ref(double *dx, double *dgamma, double *dbeta, const float *dy,
                            const float *x, const float *gamma, const float *beta,
                            const ddpm_norm *op);
#endif
