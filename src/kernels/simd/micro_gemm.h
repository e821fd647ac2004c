/* The small matrix products of Winograd's algorithm, on panels of packed columns. */
#ifndef DDPM_KERNELS_SIMD_MICRO_GEMM_H
#define DDPM_KERNELS_SIMD_MICRO_GEMM_H
#include "isa.h"

#include <stdbool.h>

/* Columns of a panel: two registers, so that a row of c needs two and each broadcast element of a
 * serves two multiplications. */
enum { PANEL = 2 * LANES };

#define MULTIPLY_PANEL            DDPM_K(multiply_panel)
#define MULTIPLY_PANEL_TRANSPOSED DDPM_K(multiply_panel_transposed)

/* c [rows][PANEL] = a [rows][depth] b [depth][PANEL], rows of a a_stride floats apart. Meanwhile
 * depth * PANEL floats from next on are fetched into the cache. */
void MULTIPLY_PANEL(float *c, const float *a, const float *b, const float *next, size_t rows,
                    size_t depth, size_t a_stride);
/* c [rows][PANEL] = or += a^T b, with a [depth][rows] and b [depth][PANEL]. */
void MULTIPLY_PANEL_TRANSPOSED(float *c, const float *a, const float *b, size_t rows, size_t depth,
                               size_t a_stride, bool add);
#endif
