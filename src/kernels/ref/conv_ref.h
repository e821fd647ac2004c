/* 3x3 convolutions written as their definition, in double: what the tests believe. All outputs are
 * overwritten; shapes as in ddpm/kernels/conv.h. */
#ifndef DDPM_KERNELS_REF_CONV_REF_H
#define DDPM_KERNELS_REF_CONV_REF_H
#include "ddpm/kernels/conv.h"

void ddpm_conv3x3_forward_ref(double *y, const float *x, const float *w,
                              const ddpm_conv3x3_addends *addends, const ddpm_conv3x3 *op);
void ddpm_conv3x3_backward_data_ref(double *dx, const float *dy, const float *w,
                                    const ddpm_conv3x3 *op);
void ddpm_conv3x3_backward_weights_ref(double *dw, double *dbias, double *dper_image,
                                       const float *dy, const float *x, const ddpm_conv3x3 *op);
#endif
