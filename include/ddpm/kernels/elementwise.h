/** @file kernels/elementwise.h  Loops over flat float32 buffers. Each may work in place. */
#ifndef DDPM_KERNELS_ELEMENTWISE_H
#define DDPM_KERNELS_ELEMENTWISE_H
#include <stddef.h>
#include <stdint.h>

/** y = x sigmoid(x), for any finite x. */
void ddpm_silu_forward(float *y, const float *x, size_t count);
/** dx = dy s(x) (1 + x (1 - s(x))), overwritten. */
void ddpm_silu_backward(float *dx, const float *dy, const float *x, size_t count);
/** y += x. */
void ddpm_add_to(float *y, const float *x, size_t count);
/** y = a + b. */
void ddpm_add(float *y, const float *a, const float *b, size_t count);
/** y = factor x. */
void ddpm_scale(float *y, float factor, const float *x, size_t count);

enum { DDPM_SUM_CHUNK = 16384 };
/** Sum of squares in double, in chunks of DDPM_SUM_CHUNK floats added in order: the same bits for
 *  any number of threads. NaN and infinities come through. */
double ddpm_sum_squares(const float *x, size_t count);
/** The chunks' sums alone: sum [count / DDPM_SUM_CHUNK, rounded up] is overwritten. Added to 0 in
 *  order they are ddpm_sum_squares, whoever computed them. */
void ddpm_sum_squares_chunks(double *sum, const float *x, size_t count);
#endif
