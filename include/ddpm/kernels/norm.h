/** @file kernels/norm.h
 *  GroupNorm (Wu & He 2018, eq. 1-2), alone or fused with SiLU, float32, [N,H,W,C]. */
#ifndef DDPM_KERNELS_NORM_H
#define DDPM_KERNELS_NORM_H
#include "ddpm/base/shape.h"

#include <stdbool.h>

typedef struct {
    ddpm_shape shape;
    size_t groups; /**< C % groups == 0; groups of adjacent channels */
    float epsilon; /**< 1e-6 in DDPM */
    bool silu;     /**< y = silu(normalised) instead of the normalised value */
} ddpm_norm;

/** y = silu(gamma (x - mean) rstd + beta), without silu where op->silu is false.
 *  y, x [N,H,W,C]; mean, rstd [N,G], kept for the backward pass; gamma, beta [C].
 *  y may be x. Cannot fail, allocates nothing. */
void ddpm_norm_forward(float *y, float *mean, float *rstd, const float *x, const float *gamma,
                       const float *beta, const ddpm_norm *op);
/** y again from x and the kept mean and rstd: what recomputation in the backward pass calls. */
void ddpm_norm_reapply(float *y, const float *x, const float *mean, const float *rstd,
                       const float *gamma, const float *beta, const ddpm_norm *op);
/** Adjoint: dx [N,H,W,C] is overwritten; dgamma, dbeta [C] are added to. dx may be dy.
 *  scratch: ddpm_norm_scratch_bytes(op), 64-byte aligned. */
void ddpm_norm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                        const float *mean, const float *rstd, const float *gamma, const float *beta,
                        void *scratch, const ddpm_norm *op);
size_t ddpm_norm_scratch_bytes(const ddpm_norm *op);
#endif
