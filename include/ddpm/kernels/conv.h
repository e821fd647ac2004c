/** @file kernels/conv.h
 *  3x3 convolutions, float32, activations [N,H,W,C], weights [3][3][C][K] (HWIO).
 *  Stride 1 pads by zeros all round; stride 2 pads by 0 above and left, 1 below and right (what
 *  TensorFlow's SAME does on even sizes, and the DDPM code therefore does): output
 *  ceil(H/2) x ceil(W/2). A plan picks the algorithm for the shape once and says which. */
#ifndef DDPM_KERNELS_CONV_H
#define DDPM_KERNELS_CONV_H
#include "ddpm/base/shape.h"
#include "ddpm/base/status.h"

#include <stdbool.h>

typedef struct {
    ddpm_shape in; /**< N, H, W, C of the input */
    size_t k;      /**< output channels */
    size_t stride; /**< 1 or 2 */
    bool bf16;     /**< factors of products are rounded to bfloat16; sums stay in float32 */
} ddpm_conv3x3;

/** What is added to the convolution at once; each may be NULL. */
typedef struct {
    const float *bias;      /**< [K] */
    const float *per_image; /**< [N,K], added to every pixel: the time embedding */
    const float *residual;  /**< [N,Ho,Wo,K] */
} ddpm_conv3x3_addends;

typedef struct ddpm_conv3x3_plan ddpm_conv3x3_plan;

/** Picks algorithms for op; op->bf16 has no effect below 32 channels on a side. DDPM_EOS. The
 * caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_conv3x3_plan_create(ddpm_conv3x3_plan **out,
                                                    const ddpm_conv3x3 *op);
void ddpm_conv3x3_plan_free(ddpm_conv3x3_plan *plan); /**< takes NULL */
ddpm_shape ddpm_conv3x3_out_shape(const ddpm_conv3x3 *op);
/** "winograd4", "im2col", ... of one direction: 0 forward, 1 input gradient, 2 weight gradient. */
const char *ddpm_conv3x3_plan_algorithm(const ddpm_conv3x3_plan *plan, int direction);
/** What the planner thinks that direction costs, the least of all algorithms: roughly the
 *  nanoseconds of one core with AVX-512. */
double ddpm_conv3x3_plan_cost_ns(const ddpm_conv3x3_plan *plan, int direction);

/** Scratch that any of the three calls needs (64-byte aligned), for the number of OpenMP threads
 *  at the time of planning. Its contents mean nothing between calls. */
size_t ddpm_conv3x3_scratch_bytes(const ddpm_conv3x3_plan *plan);
/** Weights in the form that the forward pass wants, worth keeping where weights stay the same over
 *  many calls (sampling): pack once, then pass `packed`. 0 bytes: there is no such form. */
size_t ddpm_conv3x3_packed_bytes(const ddpm_conv3x3_plan *plan);
void ddpm_conv3x3_pack(float *packed, const float *w, const ddpm_conv3x3_plan *plan);

/** y = conv(x, w) + addends. y [N,Ho,Wo,K] is overwritten and may be addends->residual;
 *  x [N,H,W,C]; w [3][3][C][K]; packed NULL or from ddpm_conv3x3_pack. Cannot fail. */
void ddpm_conv3x3_forward(float *y, const float *x, const float *w, const float *packed,
                          const ddpm_conv3x3_addends *addends, void *scratch,
                          const ddpm_conv3x3_plan *plan);
/** dx [N,H,W,C] is overwritten: the adjoint with respect to x. dy [N,Ho,Wo,K]. */
void ddpm_conv3x3_backward_data(float *dx, const float *dy, const float *w, void *scratch,
                                const ddpm_conv3x3_plan *plan);
/** dw [3][3][C][K] and, where not NULL, dbias [K] and dper_image [N,K] are added to. */
void ddpm_conv3x3_backward_weights(float *dw, float *dbias, float *dper_image, const float *dy,
                                   const float *x, void *scratch, const ddpm_conv3x3_plan *plan);
#endif
