/* Kernels outside the convolutions that are compiled once per instruction set, each described here
 * once: table.h makes a function pointer of a row, simd/isa.h a prototype, simd/isa_table.c an
 * entry. All may work in place where argument types allow it, and n may be any number. */
#ifndef DDPM_KERNELS_KERNEL_LIST_H
#define DDPM_KERNELS_KERNEL_LIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The widest strip of channels that the kernels on columns take. */
enum { DDPM_STRIP = 32 };

/* Adjacent channels (at most DDPM_STRIP) of the pixels of an image, or columns of a matrix. */
typedef struct {
    size_t pixels, channels;
    size_t stride; /* floats from a pixel to the next */
} ddpm_columns;

/* GroupNorm of a strip, by channel: u = (x - mean) scale + shift. The slope is used by its
 * gradient alone (norm_gradient). */
typedef struct {
    float mean[DDPM_STRIP], scale[DDPM_STRIP], shift[DDPM_STRIP], slope[DDPM_STRIP];
} ddpm_norm_line;

/* A panel of a matrix product: c [rows][panel] (+)= a b, with b [depth][panel], rows b_stride
 * apart. Element (row, d) of a lies at row * a_row + d * a_depth; one of the two is 1. Sums over d
 * are made of partial sums of depth_block products. What comes after it is fetched into the cache
 * meanwhile, a line for every d of every group of rows, next_depth floats apart: for groups that
 * begin at row r from next + r * next_row on; where next_row is 0, the lines of a panel by turns.
 */
typedef struct {
    size_t rows, depth, depth_block;
    size_t a_row, a_depth, b_stride, c_stride; /* floats */
    bool add;                                  /* to what c holds */
    const float *next;
    size_t next_row, next_depth;
} ddpm_panel_product;

/* depth rows of at most a panel's columns, to be packed; `transposed`: the columns are rows. */
typedef struct {
    size_t depth, columns;
    size_t stride; /* floats from a stored row to the next */
    bool transposed;
    float factor;
} ddpm_panel_source;

/* Adam's step as elementwise arithmetic: see simd/optimizer.c. */
typedef struct {
    float grad_factor, rate1, rate2; /* rate = 1 - beta */
    float step_size, inverse_root_correction, epsilon;
} ddpm_adam_factors;

/* Philox counter words 1 to 3 and the key of one image's dropout mask. */
typedef struct {
    uint32_t counter[3], key[2];
    uint32_t drop_below; /* element i is dropped where its 16 bits are below */
} ddpm_mask_source;

// clang-format off
#define DDPM_KERNEL_LIST(X)                                                                        \
    X(multiply_panel, (float *c, const float *a, const float *b, const ddpm_panel_product *op))    \
    /* the same with pairs in bfloat16: depth and strides of a and b count pairs */                \
    X(multiply_panel_bf16, (float *c, const uint32_t *a, const uint32_t *b,                        \
                            const ddpm_panel_product *op))                                         \
    /* panel [depth][panel] = factor b, filled up with columns of zeros */                          \
    X(pack_panel, (float *panel, const float *b, const ddpm_panel_source *from))                   \
    /* panel [(depth + 1) / 2][panel], pairs of rows 2 d and 2 d + 1 */                            \
    X(pack_panel_bf16, (uint32_t *panel, const float *b, const ddpm_panel_source *from))           \
    /* pair i = (x[2 i], x[2 i + 1]), where n is odd the last one with 0 */                        \
    X(pack_pairs, (uint32_t *pairs, const float *x, size_t n))                                     \
    /* pair i = (even[i], odd[i]); odd may be NULL, for zeros */                                   \
    X(pack_row_pairs, (uint32_t *pairs, const float *even, const float *odd, size_t n))            \
    /* sum[c] = the sum of column c, all in double */                                              \
    X(column_sums, (double *sum, const float *x, const ddpm_columns *at))                          \
    /* sum[c] = the sum of (x - mean[c])^2 over column c */                                        \
    X(column_squares, (double *sum, const float *x, const float *mean, const ddpm_columns *at))    \
    /* y = u or silu(u) */                                                                         \
    X(norm_apply, (float *y, const float *x, const ddpm_norm_line *line, const ddpm_columns *at,   \
                   bool with_silu))                                                                \
    /* du = dy, or dy silu'(u); sum[c] = the sum of du, sum_e[c] that of du (x - mean) */          \
    X(norm_gradient_sums, (float *du, double *sum, double *sum_e, const float *dy, const float *x, \
                           const ddpm_norm_line *line, const ddpm_columns *at, bool with_silu))    \
    /* dx = dx scale - ((x - mean) slope + shift) */                                               \
    X(norm_gradient, (float *dx, const float *x, const ddpm_norm_line *line,                       \
                      const ddpm_columns *at))                                                     \
    X(silu_forward, (float *y, const float *x, size_t n))                                          \
    X(silu_backward, (float *dx, const float *dy, const float *x, size_t n))                       \
    X(add, (float *y, const float *a, const float *b, size_t n))                                   \
    X(scale, (float *y, float factor, const float *x, size_t n))                                   \
    X(sum_squares, (double *sum, const float *x, size_t n))                                        \
    /* row = softmax(row) */                                                                       \
    X(softmax, (float *row, size_t n))                                                             \
    /* d = p (d - sum p d): the gradient before the softmax from that after it */                  \
    X(softmax_backward, (float *d, const float *p, size_t n))                                      \
    X(adam, (float *p, float *m, float *v, const float *grad, size_t n,                            \
             const ddpm_adam_factors *by))                                                         \
    /* average += rate (p - average) */                                                            \
    X(ema, (float *average, const float *p, float rate, size_t n))                                 \
    /* elements 8 first_block ... of a mask */                                                     \
    X(dropout_mask, (uint8_t *mask, uint32_t first_block, size_t n, const ddpm_mask_source *from)) \
    X(dropout_apply, (float *y, const float *x, const uint8_t *mask, float factor, size_t n))
// clang-format on
#endif
