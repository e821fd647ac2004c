/* The transpose of LANES x LANES floats in registers. */
#ifndef DDPM_KERNELS_SIMD_TRANSPOSE_H
#define DDPM_KERNELS_SIMD_TRANSPOSE_H
#include "isa.h"

/* The first halves of p and q, one element of each in turn, and the second halves. */
// clang-format off
#if defined __AVX512F__
#define INTERLEAVE_LOW(p, q)                                                                       \
    __builtin_shufflevector(p, q, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(p, q)                                                                      \
    __builtin_shufflevector(p, q, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif defined __AVX2__
#define INTERLEAVE_LOW(p, q)  __builtin_shufflevector(p, q, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(p, q) __builtin_shufflevector(p, q, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(p, q)  __builtin_shufflevector(p, q, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(p, q) __builtin_shufflevector(p, q, 2, 6, 3, 7)
#endif
// clang-format on

/* An element's address is its row's bits followed by its column's. Interleaving row i with row
 * i + LANES / 2 rotates these bits by one place; after log2(LANES) times rows and columns have
 * changed places. */
INLINE void transpose(vec rows[LANES])
{
    for (size_t bit = 1; bit < LANES; bit *= 2) {
        vec next[LANES];
        foreach (i, LANES / 2) {
            next[2 * i] = INTERLEAVE_LOW(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = INTERLEAVE_HIGH(rows[i], rows[i + LANES / 2]);
        }
        foreach (i, LANES) rows[i] = next[i];
    }
}
#endif
