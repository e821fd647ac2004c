/** @file kernels/pool.h  Pooling and resizing, forward only, float32, [N,H,W,C]. The same bits on
 * any number of threads. */
#ifndef DDPM_KERNELS_POOL_H
#define DDPM_KERNELS_POOL_H
#include "ddpm/base/shape.h"

#include <stdbool.h>

/** 3x3 windows. */
typedef struct {
    ddpm_shape in;
    size_t stride;
    size_t pad; /**< 0 or 1 pixels all round, which are not looked at: a mean is over the pixels of
                     the window that are there */
    size_t y_stride; /**< floats from a pixel of y to the next: C, or more */
    bool mean;       /**< else the largest value */
} ddpm_pool3x3;
ddpm_shape ddpm_pool3x3_out_shape(const ddpm_pool3x3 *op);
void ddpm_pool3x3_forward(float *y, const float *x, const ddpm_pool3x3 *op);

/** y [N,C]: the mean over all pixels of x [N,H,W,C], added up in double. */
void ddpm_pool_all_forward(float *y, const float *x, ddpm_shape in);

/** y [N,h,w,C] by bilinear interpolation of x [N,H,W,C], in both directions without a filter before
 *  it: PyTorch's interpolate(mode="bilinear", align_corners=False). */
void ddpm_resize_bilinear_forward(float *y, const float *x, ddpm_shape in, size_t h, size_t w);
#endif
