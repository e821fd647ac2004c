/* Matrix products by our own kernels, for gemm.c. */
#ifndef DDPM_KERNELS_GEMM_PANELS_H
#define DDPM_KERNELS_GEMM_PANELS_H
#include "gemm.h"

/* Whether they are faster than BLAS; a function of the shape alone. */
bool ddpm_kernels__gemm_panels_suit(const ddpm_gemm_op *op);
void ddpm_kernels__gemm_panels(float *c, const float *a, const float *b, const ddpm_gemm_op *op);
#endif
