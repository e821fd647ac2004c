/** @file kernels/conv2d.h
 *  Convolutions of any window for networks that are only evaluated, float32, activations [N,H,W,C],
 *  weights [kh][kw][C][K]: what networks of others need. Those that are trained use conv.h. */
#ifndef DDPM_KERNELS_CONV2D_H
#define DDPM_KERNELS_CONV2D_H
#include "ddpm/base/shape.h"

#include <stdbool.h>

typedef struct {
    ddpm_shape in;       /**< N, H, W, C of the input */
    size_t k;            /**< output channels */
    size_t kh, kw;       /**< the window */
    size_t stride;       /**< in both directions */
    size_t pad_h, pad_w; /**< zeros above and below, left and right; less than the window */
    size_t y_stride; /**< floats from a pixel of y to the next: K, or more where y is a part of the
                          channels of a larger output */
    bool relu;       /**< y = max(0, ...) */
} ddpm_conv2d;

/** floor((H + 2 pad - kh) / stride) + 1, and so on; requires a window that fits. */
ddpm_shape ddpm_conv2d_out_shape(const ddpm_conv2d *op);
/** Scratch for the number of OpenMP threads now. With less, down to that of one thread, fewer
 *  threads work; with more it lies idle. */
size_t ddpm_conv2d_scratch_bytes(const ddpm_conv2d *op);
/** y = conv(x, w) + bias [K], each pixel's K channels y_stride floats after the last one's; what
 * lies between is left alone. scratch: 64-byte aligned. Cannot fail, allocates nothing. The same
 * bits on any number of threads. */
void ddpm_conv2d_forward(float *y, const float *x, const float *w, const float *bias, void *scratch,
                         size_t scratch_bytes, const ddpm_conv2d *op);
#endif
