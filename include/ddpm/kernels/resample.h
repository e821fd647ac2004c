/** @file kernels/resample.h  Nearest upsampling and joining of channels, float32, [N,H,W,C]. */
#ifndef DDPM_KERNELS_RESAMPLE_H
#define DDPM_KERNELS_RESAMPLE_H
#include "ddpm/base/shape.h"

/** y [N,2H,2W,C]: every pixel of x [N,H,W,C] twice in both directions. */
void ddpm_upsample_forward(float *y, const float *x, ddpm_shape in);
/** dx [N,H,W,C] is overwritten with the sums of the four pixels of dy [N,2H,2W,C]. */
void ddpm_upsample_backward(float *dx, const float *dy, ddpm_shape in);

/** y [rows,a+b] = [p [rows,a], q [rows,b]]: joining along channels; rows = N H W. */
void ddpm_concat_forward(float *y, const float *p, const float *q, size_t rows, size_t a, size_t b);
/** dp [rows,a] is overwritten, dq [rows,b] is added to (a skip has other consumers too). */
void ddpm_concat_backward(float *dp, float *dq, const float *dy, size_t rows, size_t a, size_t b);
#endif
