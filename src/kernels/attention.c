/* Threads share images, cut into blocks of ROWS queries (or keys) where an image has more. */
#include "ddpm/kernels/attention.h"

#include "gemm.h"
#include "parallel.h"
#include "table.h"

#include <math.h>

enum { ROWS = 128 };

/* Row block number `index` of all images: rows `row` ... of image `image`. */
typedef struct {
    size_t image, row, rows;
} block;

static size_t block_count(const ddpm_attention *op)
{
    return op->n * ((op->tokens + ROWS - 1) / ROWS);
}

static block block_at(size_t index, const ddpm_attention *op)
{
    const size_t an_image = (op->tokens + ROWS - 1) / ROWS, row = index % an_image * ROWS;
    const size_t left = op->tokens - row;
    return (block){ index / an_image, row, left < ROWS ? left : ROWS };
}

/* As in linear.c, for the forward pass' two products. */
static bool worth_gemm_threads(const ddpm_attention *op)
{
    return op->n * op->tokens * op->tokens * op->c >= (size_t)1 << 20;
}

void ddpm_attention_forward(float *o, float *probabilities, const float *q, const float *k,
                            const float *v, const ddpm_attention *op)
{
    const size_t T = op->tokens, C = op->c, stride = op->row_stride, blocks = block_count(op);
    const float scale = 1.0f / sqrtf((float)C);
#pragma omp parallel for schedule(static) if (worth_gemm_threads(op))
    for (size_t i = 0; i < blocks; i++) {
        const block b = block_at(i, op);
        const size_t image = b.image * T * stride;
        float *const p = probabilities + (b.image * T + b.row) * T;
        ddpm_kernels__gemm(p, q + image + b.row * stride, k + image,
                           &(ddpm_gemm_op){ .bf16 = op->bf16,
                                            .transpose_b = true,
                                            .m = b.rows,
                                            .n = T,
                                            .k = C,
                                            .lda = stride,
                                            .ldb = stride,
                                            .ldc = T,
                                            .alpha = scale });
        for (size_t r = 0; r < b.rows; r++) ddpm_kernels__table()->softmax(p + r * T, T);
        ddpm_kernels__gemm(o + (b.image * T + b.row) * C, p, v + image,
                           &(ddpm_gemm_op){ .bf16 = op->bf16,
                                            .m = b.rows,
                                            .n = C,
                                            .k = T,
                                            .lda = T,
                                            .ldb = stride,
                                            .ldc = C,
                                            .alpha = 1.0f });
    }
}

/* ds [N,tokens,tokens]: the gradient before the softmax */
size_t ddpm_attention_scratch_bytes(const ddpm_attention *op)
{
    return op->n * op->tokens * op->tokens * sizeof(float);
}

/* With s = scale q k^T, p = softmax(s), o = p v:
 *   dp = do v^T;  ds = p (dp - sum_j p dp);  dq = scale ds k;  dk = scale ds^T q;  dv = p^T do.
 * First the rows of ds and dq, by blocks of queries; then dk and dv, by blocks of keys. */
void ddpm_attention_backward(float *dq, float *dk, float *dv, const float *d_o,
                             const float *probabilities, const float *q, const float *k,
                             const float *v, void *scratch, const ddpm_attention *op)
{
    const size_t T = op->tokens, C = op->c, stride = op->row_stride, blocks = block_count(op);
    const float scale = 1.0f / sqrtf((float)C);
    float *const ds = scratch;
#pragma omp parallel if (worth_gemm_threads(op))
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < blocks; i++) {
            const block b = block_at(i, op);
            const size_t image = b.image * T * stride, row = (b.image * T + b.row) * T;
            ddpm_kernels__gemm(ds + row, d_o + (b.image * T + b.row) * C, v + image,
                               &(ddpm_gemm_op){ .bf16 = op->bf16,
                                                .transpose_b = true,
                                                .m = b.rows,
                                                .n = T,
                                                .k = C,
                                                .lda = C,
                                                .ldb = stride,
                                                .ldc = T,
                                                .alpha = 1.0f });
            for (size_t r = 0; r < b.rows; r++)
                ddpm_kernels__table()->softmax_backward(ds + row + r * T,
                                                        probabilities + row + r * T, T);
            ddpm_kernels__gemm(dq + image + b.row * stride, ds + row, k + image,
                               &(ddpm_gemm_op){ .bf16 = op->bf16,
                                                .m = b.rows,
                                                .n = C,
                                                .k = T,
                                                .lda = T,
                                                .ldb = stride,
                                                .ldc = stride,
                                                .alpha = scale });
        }
#pragma omp for schedule(static)
        for (size_t i = 0; i < blocks; i++) {
            const block b = block_at(i, op);
            const size_t image = b.image * T * stride, column = b.image * T * T + b.row;
            const ddpm_gemm_op product = { .bf16 = op->bf16,
                                           .transpose_a = true,
                                           .m = b.rows,
                                           .n = C,
                                           .k = T,
                                           .lda = T,
                                           .ldb = stride,
                                           .ldc = stride,
                                           .alpha = scale };
            ddpm_kernels__gemm(dk + image + b.row * stride, ds + column, q + image, &product);
            ddpm_kernels__gemm(dv + image + b.row * stride, probabilities + column,
                               d_o + b.image * T * C,
                               &(ddpm_gemm_op){ .bf16 = op->bf16,
                                                .transpose_a = true,
                                                .m = b.rows,
                                                .n = C,
                                                .k = T,
                                                .lda = T,
                                                .ldb = C,
                                                .ldc = stride,
                                                .alpha = 1.0f });
        }
    }
}
