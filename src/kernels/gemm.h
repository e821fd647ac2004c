/* Matrix products: by our own panels where they are faster, else by BLAS, to which this is the only
 * door (cblas.h is included by gemm.c alone). Row-major float32, one thread a call; may be called
 * from several OpenMP threads at once. */
#ifndef DDPM_KERNELS_GEMM_H
#define DDPM_KERNELS_GEMM_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    bool transpose_a, transpose_b;
    size_t m, n, k;       /* C [m,n] = alpha op(A) [m,k] op(B) [k,n] + beta C */
    size_t lda, ldb, ldc; /* floats from one stored row to the next */
    float alpha, beta;    /* beta 0 overwrites C, whatever it holds */
    bool bf16;            /* factors may be rounded to bfloat16, of products that are not small */
} ddpm_gemm_op;

void ddpm_kernels__gemm(float *c, const float *a, const float *b, const ddpm_gemm_op *op);
/* The same by BLAS, whatever suits. */
void ddpm_kernels__gemm_blas(float *c, const float *a, const float *b, const ddpm_gemm_op *op);
void ddpm_kernels__blas_init(void); /* one thread a call */
#endif
