#include "ddpm/kernels/elementwise.h"

#include "parallel.h"
#include "table.h"

#include <assert.h>

void ddpm_silu_forward(float *y, const float *x, size_t count)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->silu_forward(y + i, x + i, piece_length(i, count));
}

void ddpm_silu_backward(float *dx, const float *dy, const float *x, size_t count)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->silu_backward(dx + i, dy + i, x + i, piece_length(i, count));
}

void ddpm_add_to(float *y, const float *x, size_t count)
{
    ddpm_add(y, y, x, count);
}

void ddpm_add(float *y, const float *a, const float *b, size_t count)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->add(y + i, a + i, b + i, piece_length(i, count));
}

void ddpm_scale(float *y, float factor, const float *x, size_t count)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->scale(y + i, factor, x + i, piece_length(i, count));
}

void ddpm_sum_squares_chunks(double *sum, const float *x, size_t count)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    static_assert((int)DDPM_SUM_CHUNK == (int)DDPM_PIECE, "a chunk is a piece");
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->sum_squares(&sum[i / DDPM_PIECE], x + i, piece_length(i, count));
}

/* Chunks are summed in any order, and their sums added in one: a batch of chunks at a time, since
 * nothing may be allocated here. */
double ddpm_sum_squares(const float *x, size_t count)
{
    enum { BATCH = 256 };
    double total = 0.0;
    for (size_t first = 0; first < count; first += (size_t)BATCH * DDPM_SUM_CHUNK) {
        double sum[BATCH];
        const size_t left = count - first, batch = (size_t)BATCH * DDPM_SUM_CHUNK;
        const size_t floats = left < batch ? left : batch;
        ddpm_sum_squares_chunks(sum, x + first, floats);
        for (size_t k = 0; k * DDPM_SUM_CHUNK < floats; k++) total += sum[k];
    }
    return total;
}
