/* Convolutions of any window against their definition in double. */
#include "ddpm/kernels/conv2d.h"

#include "kernel_arrays.h"

/* in, k, kh, kw, stride, pad_h, pad_w, y_stride, relu */
static const ddpm_conv2d cases[] = {
    { { 1, 1, 1, 1 }, 1, 1, 1, 1, 0, 0, 1, false },
    { { 2, 9, 11, 3 }, 32, 3, 3, 2, 0, 0, 32, true },
    { { 2, 10, 12, 5 }, 7, 3, 3, 2, 1, 1, 9, false },
    { { 3, 8, 8, 48 }, 64, 5, 5, 1, 2, 2, 200, true },
    { { 2, 17, 17, 40 }, 33, 1, 7, 1, 0, 3, 33, true },
    { { 2, 17, 17, 40 }, 33, 7, 1, 1, 3, 0, 40, true },
    { { 1, 2, 3, 16 }, 40, 7, 5, 1, 6, 4, 40, false }, /* windows larger than the image */
    { { 4, 21, 19, 70 }, 96, 1, 1, 1, 0, 0, 100, true },
    { { 1, 9, 9, 8 }, 16, 1, 1, 2, 0, 0, 16, false },
    { { 1, 40, 37, 33 }, 48, 3, 3, 1, 1, 1, 48, true },
};
enum { CASES = sizeof cases / sizeof *cases };

static void reference(double *y, const float *x, const float *w, const float *bias,
                      const ddpm_conv2d *op)
{
    const ddpm_shape in = op->in, out = ddpm_conv2d_out_shape(op);
    for (size_t p = 0; p < ddpm_shape_pixels(out); p++)
        for (size_t k = 0; k < op->k; k++) {
            const size_t ox = p % out.w, oy = p / out.w % out.h, n = p / (out.w * out.h);
            double sum = (double)bias[k];
            for (size_t i = 0; i < op->kh * op->kw * in.c; i++) {
                const size_t c = i % in.c, b = i / in.c % op->kw, a = i / in.c / op->kw;
                const size_t row = oy * op->stride + a, column = ox * op->stride + b;
                if (row < op->pad_h || row >= in.h + op->pad_h) continue;
                if (column < op->pad_w || column >= in.w + op->pad_w) continue;
                const size_t pixel = (n * in.h + row - op->pad_h) * in.w + column - op->pad_w;
                sum += (double)x[pixel * in.c + c] * (double)w[i * op->k + k];
            }
            y[p * op->k + k] = op->relu && sum < 0.0 ? 0.0 : sum;
        }
}

/* Into y of NaN, so that what is not written shows. */
static float *forward(const ddpm_conv2d *op, size_t scratch_bytes)
{
    const size_t pixels = ddpm_shape_pixels(ddpm_conv2d_out_shape(op));
    float *y = blank(pixels * op->y_stride);
    const float *x = normals(ddpm_shape_count(op->in), 1), *bias = normals(op->k, 3);
    const float *w = normals(op->kh * op->kw * op->in.c * op->k, 2);
    ddpm_conv2d_forward(y, x, w, bias, scratch_of(scratch_bytes), scratch_bytes, op);
    return y;
}

static void the_output_is_the_sum_under_the_window(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const ddpm_conv2d op = cases[i];
        const size_t pixels = ddpm_shape_pixels(ddpm_conv2d_out_shape(&op));
        const float *y = forward(&op, ddpm_conv2d_scratch_bytes(&op));
        const float *x = normals(ddpm_shape_count(op.in), 1), *bias = normals(op.k, 3);
        const float *w = normals(op.kh * op.kw * op.in.c * op.k, 2);
        float *dense = blank(pixels * op.k);
        double *expected = wide(pixels * op.k);
        for (size_t p = 0; p < pixels; p++) {
            memcpy(dense + p * op.k, y + p * op.y_stride, op.k * sizeof *y);
            for (size_t k = op.k; k < op.y_stride; k++) assert_true(isnan(y[p * op.y_stride + k]));
        }
        reference(expected, x, w, bias, &op);
        CHECK_LE(max_error(dense, expected, pixels * op.k), 1e-6);
        free_kept(NULL);
    }
}

static void the_output_has_the_size_that_the_window_leaves(void **state)
{
    (void)state;
    const ddpm_conv2d stem = { { 1, 299, 299, 3 }, 32, 3, 3, 2, 0, 0, 32, true };
    const ddpm_shape out = ddpm_conv2d_out_shape(&stem);
    assert_true(out.n == 1 && out.h == 149 && out.w == 149 && out.c == 32);
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    const ddpm_conv2d op = { { 1, 3, 3, 4 }, 32, 1, 1, 1, 0, 0, 32, true };
    float *x = normals(36, 1), *w = normals(128, 2), *y = blank(288);
    x[17] = NAN; /* pixel 4 */
    ddpm_conv2d_forward(y, x, w, normals(32, 3), NULL, 0, &op);
    for (size_t i = 0; i < 288; i++) assert_true(isnan(y[i]) == (i / 32 == 4));
}

static const ddpm_conv2d large = { { 2, 30, 30, 48 }, 64, 3, 3, 1, 1, 1, 64, true };
enum { LARGE_OUT = 2 * 30 * 30 * 64 };

static void run_large(float *out)
{
    memcpy(out, forward(&large, ddpm_conv2d_scratch_bytes(&large)), LARGE_OUT * sizeof *out);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, LARGE_OUT);
}

static void scratch_for_fewer_threads_does(void **state)
{
    (void)state;
    ddpm_kernels_set_threads(1);
    const size_t bytes = ddpm_conv2d_scratch_bytes(&large);
    const float *one = forward(&large, bytes);
    ddpm_kernels_set_threads(3);
    assert_int_equal(ddpm_conv2d_scratch_bytes(&large), 3 * bytes);
    check_same_bits(forward(&large, bytes), one, LARGE_OUT);
    check_same_bits(forward(&large, 2 * bytes + 100), one, LARGE_OUT);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(the_output_is_the_sum_under_the_window),
        TEST(the_output_has_the_size_that_the_window_leaves),
        TEST(not_a_number_stays_one),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(scratch_for_fewer_threads_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
