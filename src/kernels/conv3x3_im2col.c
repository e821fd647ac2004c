/* im2col (Chellapilla et al. 2006): the pixels under the nine taps of an output pixel become a row
 * of a matrix, and the convolution a GEMM. Every shape, stride and direction.
 *
 * Blocks of pixels have a size that depends on the shape alone, so that BLAS is asked for the same
 * products whatever the number of threads. */
#include "conv3x3.h"
#include "conv3x3_taps.h"
#include "gemm.h"
#include "sizes.h"

#include <omp.h>
#include <string.h>

enum {
    MATRIX_FLOATS = 1 << 18, /* of one block's matrix: 1 MB, what a core's own cache holds */
    PIXELS_LEAST = 64,       /* below, BLAS spends its time on packing the weights */
    BLOCKS_WANTED = 16,      /* work for this many threads, where there are pixels enough */
    SLICES_MOST = 9,         /* rows of dw are cut into as many, one a thread at a time */
    SLICE_ROWS_LEAST = 32,
    PARTIALS = 16, /* sums of dw over as many parts of the pixels, where dw is small */
    PARTIAL_FLOATS_MOST = 1 << 14
};

/* Pixels of a block, for matrices `width` floats wide. */
static size_t block_pixels(size_t pixels, size_t width, size_t floats)
{
    const size_t wanted = at_least(ceil_div(pixels, BLOCKS_WANTED), PIXELS_LEAST);
    return at_most(pixels, at_most(wanted, at_least(floats / width, PIXELS_LEAST)));
}

static bool supports(const ddpm_conv3x3 *op)
{
    (void)op;
    return true;
}

static double cost(const ddpm_conv_method *self, const ddpm_conv3x3 *op,
                   ddpm_conv_direction direction)
{
    (void)self;
    const double ns_a_product = op->bf16 ? 0.0075 : 0.0135; /* 270 or 150 GFLOP/s */
    const double ns_a_copy = 0.1, ns_a_tap = 1.0;
    const ddpm_shape out = ddpm_conv3x3_out_shape(op);
    const size_t copied = direction == DDPM_CONV_BACKWARD_DATA ? op->k : op->in.c;
    const double taps = 9.0 * (double)ddpm_shape_pixels(out);
    return taps *
           ((double)(op->in.c * op->k) * ns_a_product + (double)copied * ns_a_copy + ns_a_tap);
}

static void forward(float *y, const float *x, const float *w, const float *packed,
                    const ddpm_conv3x3_addends *addends, ddpm_arena *scratch,
                    const ddpm_conv3x3_plan *plan)
{
    (void)packed;
    const ddpm_conv_taps taps = ddpm_kernels__taps_forward(&plan->op);
    const size_t pixels = ddpm_shape_pixels(plan->out), k = plan->op.k, width = 9 * plan->op.in.c;
    const size_t block = block_pixels(pixels, width, MATRIX_FLOATS);
    const size_t matrix_count = block * width;
    float *matrices = ddpm_arena_take(scratch, (size_t)plan->threads * matrix_count,
                                      sizeof *matrices);
    if (!scratch->base) return;

#pragma omp parallel num_threads(plan->threads)
    {
        float *matrix = matrices + (size_t)omp_get_thread_num() * matrix_count;
#pragma omp for schedule(dynamic)
        for (size_t first = 0; first < pixels; first += block) {
            const size_t count = at_most(block, pixels - first);
            float *rows = y + first * k;
            ddpm_kernels__taps_gather(matrix, x, first, count, &taps);
            const bool add = ddpm_kernels__addends_fill(rows, first, count, addends, plan->out);
            const ddpm_gemm_op gemm = { .bf16 = plan->op.bf16,
                                        .m = count,
                                        .n = k,
                                        .k = width,
                                        .lda = width,
                                        .ldb = k,
                                        .ldc = k,
                                        .alpha = 1.0f,
                                        .beta = add ? 1.0f : 0.0f };
            ddpm_kernels__gemm(rows, matrix, w, &gemm);
        }
    }
}

/* Writes the pixels of one phase to where they lie in dx. */
static void scatter_phase(float *dx, const float *rows, size_t first, size_t count, size_t phase,
                          const ddpm_conv_taps *taps, const ddpm_conv3x3 *op)
{
    const ddpm_shape in = op->in;
    const size_t a = phase / op->stride, b = phase % op->stride;
    for (size_t p = first; p < first + count; p++, rows += in.c) {
        const size_t c = p % taps->columns, r = p / taps->columns % taps->rows;
        const size_t n = p / (taps->columns * taps->rows);
        const size_t pixel = (n * in.h + r * op->stride + a) * in.w + c * op->stride + b;
        memcpy(dx + pixel * in.c, rows, in.c * sizeof *dx);
    }
}

/* dx[p,:] = sum over taps dy[under tap t of p,:] w_t^T: a convolution again, one for each phase. */
static void backward_data(float *dx, const float *dy, const float *w, ddpm_arena *scratch,
                          const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv3x3 *op = &plan->op;
    const size_t c = op->in.c, k = op->k;
    float *weights = ddpm_arena_take(scratch, c * 9 * k, sizeof *weights);
    const size_t mark = ddpm_arena_mark(scratch);
    for (size_t phase = 0; phase < ddpm_kernels__taps_phases(op); phase++) {
        const ddpm_conv_taps taps = ddpm_kernels__taps_adjoint(op, phase);
        const size_t pixels = op->in.n * taps.rows * taps.columns, width = taps.taps * k;
        if (pixels == 0) continue;
        const size_t block = block_pixels(pixels, width, MATRIX_FLOATS);
        const size_t count_each = block * (width + c);
        ddpm_arena_release(scratch, mark);
        float *blocks = ddpm_arena_take(scratch, (size_t)plan->threads * count_each,
                                        sizeof *blocks);
        if (!scratch->base) continue;

        ddpm_kernels__taps_weights(weights, w, &taps, op);
#pragma omp parallel num_threads(plan->threads)
        {
            float *matrix = blocks + (size_t)omp_get_thread_num() * count_each;
            float *sums = matrix + block * width;
#pragma omp for schedule(dynamic)
            for (size_t first = 0; first < pixels; first += block) {
                const size_t count = at_most(block, pixels - first);
                float *rows = op->stride == 1 ? dx + first * c : sums;
                ddpm_kernels__taps_gather(matrix, dy, first, count, &taps);
                const ddpm_gemm_op gemm = { .bf16 = plan->op.bf16,
                                            .transpose_b = true,
                                            .m = count,
                                            .n = c,
                                            .k = width,
                                            .lda = width,
                                            .ldb = width,
                                            .ldc = c,
                                            .alpha = 1.0f };
                ddpm_kernels__gemm(rows, matrix, weights, &gemm);
                if (op->stride != 1) scatter_phase(dx, sums, first, count, phase, &taps, op);
            }
        }
    }
}

/* dw [9C][K] += matrix^T dy, one block of pixels after the other; threads share the rows of the
 * matrix, then those of dw. */
static void weights_by_slices(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                              const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv_taps taps = ddpm_kernels__taps_forward(&plan->op);
    const size_t pixels = ddpm_shape_pixels(plan->out), k = plan->op.k, width = 9 * plan->op.in.c;
    const size_t block = at_most(pixels, at_least(4 * (size_t)MATRIX_FLOATS / width, PIXELS_LEAST));
    const size_t slice = at_least(ceil_div(width, SLICES_MOST), SLICE_ROWS_LEAST);
    float *matrix = ddpm_arena_take(scratch, block * width, sizeof *matrix);
    if (!scratch->base) return;

#pragma omp parallel num_threads(plan->threads)
    for (size_t first = 0; first < pixels; first += block) {
        const size_t count = at_most(block, pixels - first);
#pragma omp for schedule(static)
        for (size_t p = 0; p < count; p++)
            ddpm_kernels__taps_gather(matrix + p * width, x, first + p, 1, &taps);
#pragma omp for schedule(dynamic)
        for (size_t row = 0; row < width; row += slice) {
            const ddpm_gemm_op gemm = { .bf16 = plan->op.bf16,
                                        .transpose_a = true,
                                        .m = at_most(slice, width - row),
                                        .n = k,
                                        .k = count,
                                        .lda = width,
                                        .ldb = k,
                                        .ldc = k,
                                        .alpha = 1.0f,
                                        .beta = 1.0f };
            ddpm_kernels__gemm(dw + row * k, matrix + row, dy + first * k, &gemm);
        }
    }
}

/* The same where dw is too small to share: each of PARTIALS parts of the pixels has a sum of its
 * own, and these are added in their order. */
static void weights_by_partials(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                                const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv_taps taps = ddpm_kernels__taps_forward(&plan->op);
    const size_t pixels = ddpm_shape_pixels(plan->out), k = plan->op.k, width = 9 * plan->op.in.c;
    const size_t part = ceil_div(pixels, PARTIALS), parts = ceil_div(pixels, part);
    const size_t block = at_most(part, at_least(MATRIX_FLOATS / width, PIXELS_LEAST));
    const size_t matrix_count = block * width;
    float *sums = ddpm_arena_take(scratch, parts * width * k, sizeof *sums);
    float *matrices = ddpm_arena_take(scratch, (size_t)plan->threads * matrix_count,
                                      sizeof *matrices);
    if (!scratch->base) return;

#pragma omp parallel num_threads(plan->threads)
    {
        float *matrix = matrices + (size_t)omp_get_thread_num() * matrix_count;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < parts; i++) {
            const size_t end = at_most(pixels, (i + 1) * part);
            for (size_t first = i * part; first < end; first += block) {
                const size_t count = at_most(block, end - first);
                ddpm_kernels__taps_gather(matrix, x, first, count, &taps);
                const ddpm_gemm_op gemm = { .bf16 = plan->op.bf16,
                                            .transpose_a = true,
                                            .m = width,
                                            .n = k,
                                            .k = count,
                                            .lda = width,
                                            .ldb = k,
                                            .ldc = k,
                                            .alpha = 1.0f,
                                            .beta = first == i * part ? 0.0f : 1.0f };
                ddpm_kernels__gemm(sums + i * width * k, matrix, dy + first * k, &gemm);
            }
        }
    }
    for (size_t i = 0; i < parts; i++)
        for (size_t j = 0; j < width * k; j++) dw[j] += sums[i * width * k + j];
}

static void backward_weights(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                             const ddpm_conv3x3_plan *plan)
{
    const bool small = 9 * plan->op.in.c * plan->op.k <= PARTIAL_FLOATS_MOST;
    (small ? weights_by_partials : weights_by_slices)(dw, dy, x, scratch, plan);
}

const ddpm_conv_method ddpm_kernels__conv_im2col = {
    .name = "im2col",
    .supports = supports,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
