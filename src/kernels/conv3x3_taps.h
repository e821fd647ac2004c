/* What im2col and kn2row share: the pixels under the taps of a 3x3 kernel, laid side by side. */
#ifndef DDPM_KERNELS_CONV3X3_TAPS_H
#define DDPM_KERNELS_CONV3X3_TAPS_H
#include "ddpm/kernels/conv.h"

#include <stdbool.h>

/* Under tap t of the output pixel (r, c) lies the input pixel
 * (r step + row[t], c step + column[t]); outside of the image it is 0. */
typedef struct {
    ddpm_shape in;
    size_t rows, columns; /* of the grid of output pixels of one image */
    size_t step, taps;
    int row[9], column[9];
    size_t weight[9]; /* which of the nine 3x3 weights belongs to tap t */
} ddpm_conv_taps;

/* The taps of the convolution itself. */
ddpm_conv_taps ddpm_kernels__taps_forward(const ddpm_conv3x3 *op);
/* How many kinds of input pixels the adjoint knows, and the taps of each, over dy: with stride 1
 * all are alike; with stride 2 a pixel (2r + a, 2c + b) is reached by the weights whose row has
 * the parity of a and whose column that of b. Phase = 2a + b. Taps go from left to right. */
size_t ddpm_kernels__taps_phases(const ddpm_conv3x3 *op);
ddpm_conv_taps ddpm_kernels__taps_adjoint(const ddpm_conv3x3 *op, size_t phase);

/* matrix [count][taps][C]: the rows of the output pixels first .. first + count - 1, counted over
 * all images in row-major order. */
void ddpm_kernels__taps_gather(float *matrix, const float *x, size_t first, size_t count,
                               const ddpm_conv_taps *taps);
/* matrix [C][taps][K] from w [9][C][K]. */
void ddpm_kernels__taps_weights(float *matrix, const float *w, const ddpm_conv_taps *taps,
                                const ddpm_conv3x3 *op);
/* y = the sum of the addends that are not NULL, for the output pixels first .. first + count - 1;
 * false, and y is untouched, where there is none. */
bool ddpm_kernels__addends_fill(float *y, size_t first, size_t count,
                                const ddpm_conv3x3_addends *addends, ddpm_shape out);
#endif
