/* Threads share blocks of the output: rows of y and dx, tiles of dw. Within a block OpenBLAS adds
 * up in its own fixed order, and the blocks are the same for any number of threads. */
#include "ddpm/kernels/linear.h"

#include "gemm.h"
#include "parallel.h"
#include "table.h"

#include <string.h>

enum {
    ROWS = 256, /* with fewer, packing w once more for every block costs more than a tenth */
    TILE = 128
};

static size_t at_most(size_t most, size_t left)
{
    return left < most ? left : most;
}

/* Below two million multiplications (some 20 us) starting threads costs more than they save. */
static bool worth_gemm_threads(const ddpm_linear *op)
{
    return op->rows * op->c * op->k >= (size_t)1 << 21;
}

/* y = bias + residual in rows; false where there is neither. */
static bool put_addends(float *y, const float *bias, const float *residual, size_t rows, size_t k)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    if (bias && residual) {
        for (size_t r = 0; r < rows; r++) kernels->add(y + r * k, residual + r * k, bias, k);
    } else if (bias) {
        for (size_t r = 0; r < rows; r++) memcpy(y + r * k, bias, k * sizeof *y);
    } else if (residual && residual != y) {
        memcpy(y, residual, rows * k * sizeof *y);
    }
    return bias || residual;
}

void ddpm_linear_forward(float *y, const float *x, const float *w, const float *bias,
                         const float *residual, const ddpm_linear *op)
{
    const size_t c = op->c, k = op->k;
#pragma omp parallel for schedule(static) if (worth_gemm_threads(op))
    for (size_t r = 0; r < op->rows; r += ROWS) {
        const size_t rows = at_most(ROWS, op->rows - r);
        const bool add = put_addends(y + r * k, bias, residual ? residual + r * k : NULL, rows, k);
        ddpm_kernels__gemm(y + r * k, x + r * c, w,
                           &(ddpm_gemm_op){ .bf16 = op->bf16,
                                            .m = rows,
                                            .n = k,
                                            .k = c,
                                            .lda = c,
                                            .ldb = k,
                                            .ldc = k,
                                            .alpha = 1.0f,
                                            .beta = add ? 1.0f : 0.0f });
    }
}

static void backward_data(float *dx, const float *dy, const float *w, float beta,
                          const ddpm_linear *op)
{
    const size_t c = op->c, k = op->k;
#pragma omp parallel for schedule(static) if (worth_gemm_threads(op))
    for (size_t r = 0; r < op->rows; r += ROWS)
        ddpm_kernels__gemm(dx + r * c, dy + r * k, w,
                           &(ddpm_gemm_op){ .bf16 = op->bf16,
                                            .transpose_b = true,
                                            .m = at_most(ROWS, op->rows - r),
                                            .n = c,
                                            .k = k,
                                            .lda = k,
                                            .ldb = k,
                                            .ldc = c,
                                            .alpha = 1.0f,
                                            .beta = beta });
}

void ddpm_linear_backward_data(float *dx, const float *dy, const float *w, const ddpm_linear *op)
{
    backward_data(dx, dy, w, 0.0f, op);
}

void ddpm_linear_backward_data_add(float *dx, const float *dy, const float *w,
                                   const ddpm_linear *op)
{
    backward_data(dx, dy, w, 1.0f, op);
}

void ddpm_linear_backward_weights(float *dw, float *dbias, const float *dy, const float *x,
                                  const ddpm_linear *op)
{
    const size_t c = op->c, k = op->k, across = (k + TILE - 1) / TILE;
    const size_t tiles = (c + TILE - 1) / TILE * across;
#pragma omp parallel for schedule(static) if (worth_gemm_threads(op))
    for (size_t t = 0; t < tiles; t++) {
        const size_t i = t / across * TILE, j = t % across * TILE;
        ddpm_kernels__gemm(dw + i * k + j, x + i, dy + j,
                           &(ddpm_gemm_op){ .bf16 = op->bf16,
                                            .transpose_a = true,
                                            .m = at_most(TILE, c - i),
                                            .n = at_most(TILE, k - j),
                                            .k = op->rows,
                                            .lda = c,
                                            .ldb = k,
                                            .ldc = k,
                                            .alpha = 1.0f,
                                            .beta = 1.0f });
    }
    if (!dbias) return;
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for schedule(static) if (worth_threads(op->rows * k))
    for (size_t j = 0; j < k; j += DDPM_STRIP) {
        double sum[DDPM_STRIP];
        const ddpm_columns columns = { op->rows, at_most(DDPM_STRIP, k - j), k };
        kernels->column_sums(sum, dy + j, &columns);
        for (size_t i = 0; i < columns.channels; i++) dbias[j + i] += (float)sum[i];
    }
}
