/* 3x3 convolution of stride 1 by minimal filtering F(m x m, 3 x 3) (Winograd 1980; Lavin & Gray
 * 2016), NHWC. An output tile of m x m pixels comes from (m+2) x (m+2) input pixels d and the
 * weights g, at (m+2)^2 positions:
 *     Y = A^T [ (G g G^T) * (B^T d B) ] A
 * and the product at each position, summed over channels, is a small GEMM over many tiles:
 *     M[position] [tiles, K] = V[position] [tiles, C]  U[position] [C, K].
 * With w rotated by 180 degrees and its channels exchanged, the same is the input gradient. The
 * weight gradient is the adjoint with respect to g:
 *     dg = sum over tiles of G^T [ (A dY A^T) * (B^T d B) ] G,   dU[position] = V^T D.
 *
 * The kernels work on these buffers. Channels of the output side are cut into panels of `panel`
 * channels, the last one filled up with zeros:
 *     V  [position][tile][c_row]            D  [position][panels][tile][panel]
 *     U  [panels][position][C][panel]       dU [panels][position][C][panel]
 *     M  [position][tile][panel]            for one panel at a time
 *
 * In bfloat16 V, U and D hold pairs in words as long as a float: of neighbouring channels, so that
 * C above becomes (C + 1) / 2, or, V and D of the weight gradient, of tiles 2 t and 2 t + 1. */
#ifndef DDPM_KERNELS_WINOGRAD_H
#define DDPM_KERNELS_WINOGRAD_H
#include "ddpm/kernels/conv.h"

#include <stdbool.h>

/* Sums over channels and over tiles are made of partial sums of this many products: shorter chains
 * of roundings. */
enum { DDPM_DEPTH_BLOCK = 64 };

typedef struct {
    ddpm_shape in;        /* the image that is convolved: x, or dy for the input gradient */
    size_t k;             /* channels of the other side */
    size_t rows, columns; /* tiles of an image; the last ones may hang over its border */
    size_t block;         /* tiles that V, M and D have room for */
    size_t panels;
    size_t c_row; /* words of a row of V */
    /* Words from one position to the next. */
    size_t v_stride, m_stride, d_stride, u_stride;
    float *zeros;   /* what lies outside of the image: at least max(C, K) floats */
    float *nowhere; /* where what is computed outside goes: as many */
} ddpm_winograd;

typedef struct {
    size_t tile, positions, panel; /* m; (m+2)^2; channels of a panel */
    size_t per_word;               /* numbers of V, U and D in a word: 1 float, 2 in bfloat16 */
    /* V of the tiles first .. first + count - 1, counted over all images. */
    void (*input)(float *v, const float *x, size_t first, size_t count, const ddpm_winograd *op);
    /* The same for the weight gradient; count is even, unless these are the last tiles. */
    void (*input_by_tiles)(float *v, const float *x, size_t first, size_t count,
                           const ddpm_winograd *op);
    /* U of one panel and the channels c_first .. c_first + c_count - 1, from w [9][C][K]; with
     * adjoint, w is [9][K][C] and is used rotated and transposed. */
    void (*weights)(float *u, const float *w, size_t panel, size_t c_first, size_t c_count,
                    bool adjoint, const ddpm_winograd *op);
    /* M of one panel, whose U is u; next is fetched into the cache meanwhile. */
    void (*multiply)(float *m, const float *v, const float *u, const float *next, size_t count,
                     const ddpm_winograd *op);
    /* The pixels of the tiles first .. and of one panel, with the addends that are not NULL. */
    void (*output)(float *y, const float *m, const ddpm_conv3x3_addends *addends, size_t panel,
                   size_t first, size_t count, const ddpm_winograd *op);
    /* D of one panel of the tiles first .., with dy [N,H,W,K]. */
    void (*output_gradient)(float *d, const float *dy, size_t panel, size_t first, size_t count,
                            const ddpm_winograd *op);
    /* dU = or += V^T D at one position, of one panel and c_count channels: du [c_count][panel],
     * v [count][c_row] from the first of these channels on, d [count][panel]; in bfloat16 v and d
     * have half as many rows. */
    void (*multiply_gradient)(float *du, const float *v, const float *d, size_t c_count,
                              size_t count, bool add, const ddpm_winograd *op);
    /* dw += G^T dU G for one panel and the channels c_first .., of which du is the first row. */
    void (*weight_gradient)(float *dw, const float *du, size_t panel, size_t c_first,
                            size_t c_count, const ddpm_winograd *op);
} ddpm_winograd_kernels;
#endif
