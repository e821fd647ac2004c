/* kn2row (Vasudevan, Anderson & Gregg 2017): first one GEMM gives, for every pixel, its product
 * with all nine weights; then each output pixel gathers the nine that meet there. Nothing is copied
 * ninefold on the side with many channels, which pays where the other side has only a few: the last
 * convolution of a network (C -> 3) and, its mirror image, the input gradient of the first.
 * Stride 1 only. */
#include "conv3x3.h"
#include "conv3x3_taps.h"
#include "gemm.h"
#include "sizes.h"

#include <omp.h>
#include <string.h>

enum {
    PRODUCT_FLOATS = 1 << 17, /* of one band of rows: half a megabyte */
    PARTIALS = 16             /* parts of the pixels that have a sum of dw each */
};

static bool supports(const ddpm_conv3x3 *op)
{
    return op->stride == 1;
}

static double cost(const ddpm_conv_method *self, const ddpm_conv3x3 *op,
                   ddpm_conv_direction direction)
{
    (void)self;
    const double ns_a_product = op->bf16 ? 0.0075 : 0.0135, ns_a_sum = 0.1, ns_a_tap = 5.0;
    const size_t few = direction == DDPM_CONV_BACKWARD_DATA ? op->in.c : op->k;
    const double taps = 9.0 * (double)ddpm_shape_pixels(op->in);
    return taps * ((double)(op->in.c * op->k) * ns_a_product + (double)few * ns_a_sum + ns_a_tap);
}

/* y[p,:] = addends + sum over t of products[p + offset t][t,:], with products [rows][w][9][few] of
 * the image rows top .. top + height + 1 (rows outside of the image are not there). */
typedef struct {
    ddpm_shape image; /* of the side with many channels */
    size_t few;       /* channels of the other side */
    size_t band;      /* output rows that are computed at once */
    int direction;    /* +1: tap (i, j) looks at (r + i - 1, c + j - 1); -1: at the opposite */
    bool transpose;   /* the weights are [9 few][many], not [many][9 few] */
    bool bf16;
} product_op;

static size_t band_rows(ddpm_shape image, size_t few)
{
    const size_t rows = PRODUCT_FLOATS / (image.w * 9 * few);
    return rows < 4 ? at_most(2, image.h) : at_most(rows - 2, image.h);
}

static void gather_row(float *y, const float *products, size_t row, size_t top,
                       const product_op *op)
{
    const size_t w = op->image.w, few = op->few;
    for (size_t column = 0; column < w; column++)
        for (int t = 0; t < 9; t++) {
            const size_t from_row = row + (size_t)(op->direction * (t / 3 - 1));
            const size_t from_column = column + (size_t)(op->direction * (t % 3 - 1));
            if (from_row >= op->image.h || from_column >= w) continue; /* also those below 0 */
            const float *from = products +
                                (((from_row - top) * w + from_column) * 9 + (size_t)t) * few;
            for (size_t k = 0; k < few; k++) y[column * few + k] += from[k];
        }
}

static void multiply_and_gather(float *y, const float *x, const float *weights,
                                const ddpm_conv3x3_addends *addends, ddpm_arena *scratch,
                                const product_op *op, int threads)
{
    const ddpm_shape image = op->image, out = { image.n, image.h, image.w, op->few };
    const size_t bands = ceil_div(image.h, op->band), width = 9 * op->few;
    const size_t count_each = (op->band + 2) * image.w * width;
    float *all = ddpm_arena_take(scratch, (size_t)threads * count_each, sizeof *all);
    if (!scratch->base) return;

#pragma omp parallel num_threads(threads)
    {
        float *products = all + (size_t)omp_get_thread_num() * count_each;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < image.n * bands; i++) {
            const size_t n = i / bands, first = i % bands * op->band;
            const size_t end = at_most(image.h, first + op->band);
            const size_t top = first > 0 ? first - 1 : 0, bottom = at_most(image.h, end + 1);
            const ddpm_gemm_op gemm = { .bf16 = op->bf16,
                                        .transpose_b = op->transpose,
                                        .m = (bottom - top) * image.w,
                                        .n = width,
                                        .k = image.c,
                                        .lda = image.c,
                                        .ldb = op->transpose ? image.c : width,
                                        .ldc = width,
                                        .alpha = 1.0f };
            ddpm_kernels__gemm(products, x + (n * image.h + top) * image.w * image.c, weights,
                               &gemm);
            for (size_t row = first; row < end; row++) {
                const size_t pixel = (n * image.h + row) * image.w;
                float *to = y + pixel * op->few;
                if (!ddpm_kernels__addends_fill(to, pixel, image.w, addends, out))
                    memset(to, 0, image.w * op->few * sizeof *to);
                gather_row(to, products, row, top, op);
            }
        }
    }
}

static void forward(float *y, const float *x, const float *w, const float *packed,
                    const ddpm_conv3x3_addends *addends, ddpm_arena *scratch,
                    const ddpm_conv3x3_plan *plan)
{
    (void)packed;
    const ddpm_conv3x3 *op = &plan->op;
    const ddpm_conv_taps taps = ddpm_kernels__taps_forward(op);
    float *weights = ddpm_arena_take(scratch, op->in.c * 9 * op->k, sizeof *weights);
    if (scratch->base) ddpm_kernels__taps_weights(weights, w, &taps, op);
    const product_op product = {
        .image = op->in,
        .few = op->k,
        .direction = 1,
        .band = band_rows(op->in, op->k),
        .bf16 = op->bf16,
    };
    multiply_and_gather(y, x, weights, addends, scratch, &product, plan->threads);
}

/* dx[p,:] = sum over t of dy[p - offset t,:] w_t^T, and w [9][C][K] is [9 few][many] as it stands.
 */
static void backward_data(float *dx, const float *dy, const float *w, ddpm_arena *scratch,
                          const ddpm_conv3x3_plan *plan)
{
    const size_t few = plan->op.in.c;
    const product_op product = { .image = plan->out,
                                 .few = few,
                                 .direction = -1,
                                 .band = band_rows(plan->out, few),
                                 .transpose = true,
                                 .bf16 = plan->op.bf16 };
    multiply_and_gather(dx, dy, w, NULL, scratch, &product, plan->threads);
}

/* dw_t [C][K] = sum over pixels x[p,:]^T dy[p - offset t,:]: one GEMM of x with the pixels of dy
 * under the adjoint's taps. */
static void backward_weights(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                             const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv3x3 *op = &plan->op;
    const ddpm_conv_taps taps = ddpm_kernels__taps_adjoint(op, 0);
    const size_t pixels = ddpm_shape_pixels(op->in), c = op->in.c, width = 9 * op->k;
    const size_t part = ceil_div(pixels, PARTIALS), parts = ceil_div(pixels, part);
    const size_t block = at_most(part, PRODUCT_FLOATS / width + 1), matrix_count = block * width;
    float *sums = ddpm_arena_take(scratch, parts * c * width, sizeof *sums);
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
                ddpm_kernels__taps_gather(matrix, dy, first, count, &taps);
                const ddpm_gemm_op gemm = { .bf16 = plan->op.bf16,
                                            .transpose_a = true,
                                            .m = c,
                                            .n = width,
                                            .k = count,
                                            .lda = c,
                                            .ldb = width,
                                            .ldc = width,
                                            .alpha = 1.0f,
                                            .beta = first == i * part ? 0.0f : 1.0f };
                ddpm_kernels__gemm(sums + i * c * width, x + first * c, matrix, &gemm);
            }
        }
    }
    for (size_t i = 0; i < parts; i++)
        for (size_t row = 0; row < c; row++)
            for (size_t t = 0; t < 9; t++) {
                const float *from = sums + ((i * c + row) * 9 + t) * op->k;
                float *to = dw + (taps.weight[t] * c + row) * op->k;
                for (size_t k = 0; k < op->k; k++) to[k] += from[k];
            }
}

const ddpm_conv_method ddpm_kernels__conv_kn2row = {
    .name = "kn2row",
    .supports = supports,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
