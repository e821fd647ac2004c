/* The bits of a mask are part of the format of a run, as a resumed run has to draw the same ones:
 * image n takes the sequence of Philox words of {seed, sample_index[n], DDPM_RANDOM_DROPOUT, layer}
 * (base/philox.h). Element i of the image, counted over [H,W,C], takes 16 bits of word i/2: the low
 * half for even i, the high one for odd i. It is dropped where they are below round(2^16 p), so
 * with a probability within 2^-17 of p. */
#include "ddpm/kernels/dropout.h"

#include "parallel.h"
#include "table.h"

#include "ddpm/base/philox.h"

#include <assert.h>
#include <math.h>

enum { ELEMENTS_PER_BLOCK = 8 };

void ddpm_dropout_mask(uint8_t *mask, uint64_t seed, const uint64_t *sample_index,
                       const ddpm_dropout *op)
{
    assert(op->p >= 0.0f && op->p < 1.0f && op->layer < UINT32_C(1) << 24);
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const size_t image = op->shape.h * op->shape.w * op->shape.c;
    const size_t pieces = (image + DDPM_PIECE - 1) / DDPM_PIECE;
#pragma omp parallel for schedule(static) if (worth_threads(ddpm_shape_count(op->shape)))
    for (size_t k = 0; k < op->shape.n * pieces; k++) {
        const size_t n = k / pieces, start = k % pieces * DDPM_PIECE;
        const ddpm_mask_source from = {
            .counter = { (uint32_t)sample_index[n], (uint32_t)(sample_index[n] >> 32),
                         (uint32_t)DDPM_RANDOM_DROPOUT << 24 | op->layer },
            .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
            .drop_below = (uint32_t)lrintf(op->p * 0x1p16f),
        };
        kernels->dropout_mask(mask + n * image + start, (uint32_t)(start / ELEMENTS_PER_BLOCK),
                              piece_length(start, image), &from);
    }
}

void ddpm_dropout_apply(float *y, const float *x, const uint8_t *mask, const ddpm_dropout *op)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const size_t count = ddpm_shape_count(op->shape);
    const float factor = 1.0f / (1.0f - op->p);
#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE)
        kernels->dropout_apply(y + i, x + i, mask + i, factor, piece_length(i, count));
}
