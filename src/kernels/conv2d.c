/* im2col, as conv3x3_im2col.c: what lies under the window of an output pixel becomes a row of a
 * matrix. Blocks of pixels have a size that depends on the shape alone. */
#include "ddpm/kernels/conv2d.h"

#include "gemm.h"
#include "sizes.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

enum {
    MATRIX_FLOATS = 1 << 18, /* of one block's matrix: 1 MB, what a core's own cache holds */
    PIXELS_LEAST = 64,       /* below, packing the weights costs more than the product */
    BLOCKS_WANTED = 16,
    ALIGNMENT_FLOATS = 16
};

ddpm_shape ddpm_conv2d_out_shape(const ddpm_conv2d *op)
{
    const ddpm_shape in = op->in;
    assert(in.h + 2 * op->pad_h >= op->kh && in.w + 2 * op->pad_w >= op->kw);
    return (ddpm_shape){ in.n, (in.h + 2 * op->pad_h - op->kh) / op->stride + 1,
                         (in.w + 2 * op->pad_w - op->kw) / op->stride + 1, op->k };
}

/* Of 1x1 convolutions x is the matrix. */
static bool is_dense(const ddpm_conv2d *op)
{
    return op->kh == 1 && op->kw == 1 && op->stride == 1;
}

static size_t row_floats(const ddpm_conv2d *op)
{
    return op->kh * op->kw * op->in.c;
}

static size_t block_pixels(const ddpm_conv2d *op, size_t pixels)
{
    const size_t wanted = at_least(ceil_div(pixels, BLOCKS_WANTED), PIXELS_LEAST);
    const size_t fit = at_least(MATRIX_FLOATS / row_floats(op), PIXELS_LEAST);
    return at_most(pixels, at_most(wanted, fit));
}

static size_t matrix_floats(const ddpm_conv2d *op)
{
    const size_t block = block_pixels(op, ddpm_shape_pixels(ddpm_conv2d_out_shape(op)));
    return is_dense(op) ? 0 : round_up(block * row_floats(op), ALIGNMENT_FLOATS);
}

size_t ddpm_conv2d_scratch_bytes(const ddpm_conv2d *op)
{
    return (size_t)omp_get_max_threads() * matrix_floats(op) * sizeof(float);
}

static float *put_zeros(float *to, size_t count)
{
    memset(to, 0, count * sizeof *to);
    return to + count;
}

/* The window of output pixel (oy, ox), row by row: what of it lies in the image is one copy. */
static void gather_pixel(float *row, const float *image, size_t oy, size_t ox,
                         const ddpm_conv2d *op)
{
    const ddpm_shape in = op->in;
    const size_t top = oy * op->stride, left = ox * op->stride; /* in the padded image */
    const size_t before = op->pad_w > left ? op->pad_w - left : 0;
    const size_t end = at_most(op->kw, in.w + op->pad_w - left);
    const float *first = image + (left + before - op->pad_w) * in.c;
    for (size_t i = 0; i < op->kh; i++) {
        const size_t padded = top + i;
        if (padded < op->pad_h || padded - op->pad_h >= in.h) {
            row = put_zeros(row, op->kw * in.c);
            continue;
        }
        row = put_zeros(row, before * in.c);
        memcpy(row, first + (padded - op->pad_h) * in.w * in.c,
               (end - before) * in.c * sizeof *row);
        row = put_zeros(row + (end - before) * in.c, (op->kw - end) * in.c);
    }
}

static void gather(float *matrix, const float *x, size_t first, size_t count, ddpm_shape out,
                   const ddpm_conv2d *op)
{
    const size_t image = op->in.h * op->in.w * op->in.c;
    for (size_t p = first; p < first + count; p++, matrix += row_floats(op)) {
        const size_t oy = p / out.w % out.h, n = p / (out.h * out.w);
        gather_pixel(matrix, x + n * image, oy, p % out.w, op);
    }
}

static void block_forward(float *y, const float *rows, const float *w, const float *bias,
                          size_t count, const ddpm_conv2d *op)
{
    for (size_t p = 0; p < count; p++) memcpy(y + p * op->y_stride, bias, op->k * sizeof *y);
    ddpm_kernels__gemm(y, rows, w,
                       &(ddpm_gemm_op){ .m = count,
                                        .n = op->k,
                                        .k = row_floats(op),
                                        .lda = row_floats(op),
                                        .ldb = op->k,
                                        .ldc = op->y_stride,
                                        .alpha = 1.0f,
                                        .beta = 1.0f });
    if (!op->relu) return;
    for (size_t p = 0; p < count; p++) {
        float *const pixel = y + p * op->y_stride;
        /* A NaN stays. */
        for (size_t i = 0; i < op->k; i++) pixel[i] = pixel[i] < 0.0f ? 0.0f : pixel[i];
    }
}

static int threads_that_fit(size_t matrix_count, size_t scratch_bytes)
{
    const size_t threads = (size_t)omp_get_max_threads();
    if (matrix_count == 0) return (int)threads;
    return (int)at_most(threads, scratch_bytes / (matrix_count * sizeof(float)));
}

void ddpm_conv2d_forward(float *y, const float *x, const float *w, const float *bias, void *scratch,
                         size_t scratch_bytes, const ddpm_conv2d *op)
{
    const ddpm_shape out = ddpm_conv2d_out_shape(op);
    const size_t pixels = ddpm_shape_pixels(out), block = block_pixels(op, pixels);
    const size_t matrix_count = matrix_floats(op);
    const int threads = threads_that_fit(matrix_count, scratch_bytes);
    assert(threads >= 1);
    assert(op->y_stride >= op->k && op->pad_h < op->kh && op->pad_w < op->kw);

#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t first = 0; first < pixels; first += block) {
        const size_t count = at_most(block, pixels - first);
        const float *rows = x + first * op->in.c;
        if (matrix_count) {
            float *matrix = (float *)scratch + (size_t)omp_get_thread_num() * matrix_count;
            gather(matrix, x, first, count, out, op);
            rows = matrix;
        }
        block_forward(y + first * op->y_stride, rows, w, bias, count, op);
    }
}
