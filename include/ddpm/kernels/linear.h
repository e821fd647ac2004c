/** @file kernels/linear.h
 *  Dense layers and 1x1 convolutions: y = x w + b with weights [C][K] (input, output), float32.
 *  The rows of x are samples of a dense layer or pixels of an image. */
#ifndef DDPM_KERNELS_LINEAR_H
#define DDPM_KERNELS_LINEAR_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t rows, c, k; /**< rows of x; inputs; outputs */
    bool bf16; /**< factors of products with no side below 32 are rounded to bfloat16; sums stay in
                    float32 */
} ddpm_linear;

/** y [rows,K] = x [rows,C] w [C,K] + bias [K] + residual [rows,K]; bias and residual may be NULL;
 *  y may be residual. Cannot fail, allocates nothing. */
void ddpm_linear_forward(float *y, const float *x, const float *w, const float *bias,
                         const float *residual, const ddpm_linear *op);
/** dx [rows,C] is overwritten with dy [rows,K] w^T. */
void ddpm_linear_backward_data(float *dx, const float *dy, const float *w, const ddpm_linear *op);
/** Like it, but added to dx: for an input that feeds several layers. */
void ddpm_linear_backward_data_add(float *dx, const float *dy, const float *w,
                                   const ddpm_linear *op);
/** dw [C,K] += x^T dy; dbias [K] += the sum of dy over rows, where not NULL. */
void ddpm_linear_backward_weights(float *dw, float *dbias, const float *dy, const float *x,
                                  const ddpm_linear *op);
#endif
