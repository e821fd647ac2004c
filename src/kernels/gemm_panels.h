/* Matrix products by our own kernels, for gemm.c. */
#ifndef DDPM_KERNELS_GEMM_PANELS_H
#define DDPM_KERNELS_GEMM_PANELS_H
#include "gemm.h"
#include "kernel_list.h"

/* Whether they are faster than BLAS; a function of the shape alone. */
bool ddpm_kernels__gemm_panels_suit(const ddpm_gemm_op *op);
void ddpm_kernels__gemm_panels(float *c, const float *a, const float *b, const ddpm_gemm_op *op);
/* Whether the product is to be made, and is worth making, in bfloat16; on every processor the same.
 */
bool ddpm_kernels__gemm_bf16_suits(const ddpm_gemm_op *op);
void ddpm_kernels__gemm_bf16(float *c, const float *a, const float *b, const ddpm_gemm_op *op);

/* A panel's product of which C takes the first `columns`; with bf16, a and b are pairs. */
void ddpm_kernels__multiply_columns(float *c, size_t columns, const float *a, const float *b,
                                    const ddpm_panel_product *op, bool bf16);
#endif
