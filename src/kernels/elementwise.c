#include "ddpm/kernels/elementwise.h"

#include "parallel.h"
#include "table.h"

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

/* Pieces are summed in any order, and their sums added in one: a batch of pieces at a time, since
 * nothing may be allocated here. */
double ddpm_sum_squares(const float *x, size_t count)
{
    enum { BATCH = 256 };
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const size_t pieces = (count + DDPM_PIECE - 1) / DDPM_PIECE;
    double total = 0.0;
    for (size_t first = 0; first < pieces; first += BATCH) {
        double sum[BATCH];
        const size_t batch = pieces - first < BATCH ? pieces - first : BATCH;
#pragma omp parallel for schedule(static) if (worth_threads(count))
        for (size_t k = 0; k < batch; k++) {
            const size_t i = (first + k) * DDPM_PIECE;
            kernels->sum_squares(&sum[k], x + i, piece_length(i, count));
        }
        for (size_t k = 0; k < batch; k++) total += sum[k];
    }
    return total;
}
