#include "ddpm/kernels/resample.h"

#include "parallel.h"

#include <string.h>

void ddpm_upsample_forward(float *y, const float *x, ddpm_shape in)
{
    const size_t row = in.w * in.c, rows = in.n * in.h;
#pragma omp parallel for schedule(static) if (worth_threads(4 * rows * row))
    for (size_t r = 0; r < rows; r++) {
        float *const out = y + 4 * r * row; /* two rows of twice the length */
        for (size_t w = 0; w < in.w; w++) {
            memcpy(out + 2 * w * in.c, x + r * row + w * in.c, in.c * sizeof *y);
            memcpy(out + (2 * w + 1) * in.c, x + r * row + w * in.c, in.c * sizeof *y);
        }
        memcpy(out + 2 * row, out, 2 * row * sizeof *y);
    }
}

void ddpm_upsample_backward(float *dx, const float *dy, ddpm_shape in)
{
    const size_t row = in.w * in.c, rows = in.n * in.h, c = in.c;
#pragma omp parallel for schedule(static) if (worth_threads(4 * rows * row))
    for (size_t r = 0; r < rows; r++)
        for (size_t w = 0; w < in.w; w++) {
            const float *const above = dy + 4 * r * row + 2 * w * c, *const below = above + 2 * row;
            float *const sum = dx + r * row + w * c;
            for (size_t i = 0; i < c; i++)
                sum[i] = (above[i] + above[c + i]) + (below[i] + below[c + i]);
        }
}

void ddpm_concat_forward(float *y, const float *p, const float *q, size_t rows, size_t a, size_t b)
{
#pragma omp parallel for schedule(static) if (worth_threads(rows * (a + b)))
    for (size_t r = 0; r < rows; r++) {
        memcpy(y + r * (a + b), p + r * a, a * sizeof *y);
        memcpy(y + r * (a + b) + a, q + r * b, b * sizeof *y);
    }
}

void ddpm_concat_backward(float *dp, float *dq, const float *dy, size_t rows, size_t a, size_t b)
{
#pragma omp parallel for schedule(static) if (worth_threads(rows * (a + b)))
    for (size_t r = 0; r < rows; r++) {
        const float *const row = dy + r * (a + b);
        memcpy(dp + r * a, row, a * sizeof *dp);
        for (size_t i = 0; i < b; i++) dq[r * b + i] += row[a + i];
    }
}
