#include "gemm.h"

#include "ddpm/kernels/isa.h"
#include "gemm_panels.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

void ddpm_kernels__gemm(float *c, const float *a, const float *b, const ddpm_gemm_op *op)
{
    assert(op->m <= INT_MAX && op->n <= INT_MAX && op->k <= INT_MAX);
    assert(op->lda <= INT_MAX && op->ldb <= INT_MAX && op->ldc <= INT_MAX);
    assert(op->lda >= (op->transpose_a ? op->m : op->k));
    assert(op->ldb >= (op->transpose_b ? op->k : op->n) && op->ldc >= op->n);
    if (ddpm_kernels__gemm_bf16_suits(op)) {
        ddpm_kernels__gemm_bf16(c, a, b, op);
        return;
    }
    if (ddpm_kernels__gemm_panels_suit(op)) {
        ddpm_kernels__gemm_panels(c, a, b, op);
        return;
    }
    ddpm_kernels__gemm_blas(c, a, b, op);
}

void ddpm_kernels__gemm_blas(float *c, const float *a, const float *b, const ddpm_gemm_op *op)
{
    cblas_sgemm(CblasRowMajor, op->transpose_a ? CblasTrans : CblasNoTrans,
                op->transpose_b ? CblasTrans : CblasNoTrans, (blasint)op->m, (blasint)op->n,
                (blasint)op->k, op->alpha, a, (blasint)op->lda, b, (blasint)op->ldb, op->beta, c,
                (blasint)op->ldc);
}

void ddpm_kernels__blas_init(void)
{
    openblas_set_num_threads(1);
}

static char blas_name[128];

/* openblas_get_config() reads "OpenBLAS 0.3.21 DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64":
 * of it the name and the version, then the kernels that were chosen at run time. */
static void find_blas_name(void)
{
    char name[32] = "OpenBLAS", version[32] = "";
    if (sscanf(openblas_get_config(), "%31s %31s", name, version) < 1) name[0] = '\0';
    snprintf(blas_name, sizeof blas_name, "%s %s %s", name, version, openblas_get_corename());
}

const char *ddpm_blas_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_blas_name);
    return blas_name;
}
