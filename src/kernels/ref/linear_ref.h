/* Dense layers written as their definition, in double: what the tests believe. All outputs are
 * overwritten; shapes as in ddpm/kernels/linear.h. */
#ifndef DDPM_KERNELS_REF_LINEAR_REF_H
#define DDPM_KERNELS_REF_LINEAR_REF_H
#include "ddpm/kernels/linear.h"

void ddpm_linear_forward_ref(double *y, const float *x, const float *w, const float *bias,
                             const float *residual, const ddpm_linear *op);
void ddpm_linear_backward_data_ref(double *dx, const float *dy, const float *w,
                                   const ddpm_linear *op);
void ddpm_linear_backward_weights_ref(double *dw, double *dbias, const float *dy, const float *x,
                                      const ddpm_linear *op);
#endif
