/* Pooling and resizing against their definitions in double. */
#include "ddpm/kernels/pool.h"

#include "kernel_arrays.h"

/* in, stride, pad, y_stride, mean */
static const ddpm_pool3x3 cases[] = {
    { { 1, 3, 3, 1 }, 1, 0, 1, false },     { { 2, 5, 7, 9 }, 2, 0, 9, false },
    { { 2, 8, 6, 20 }, 2, 0, 33, true },    { { 1, 1, 1, 3 }, 1, 1, 3, true },
    { { 3, 17, 17, 40 }, 1, 1, 40, true },  { { 3, 17, 17, 40 }, 1, 1, 41, false },
    { { 1, 8, 8, 200 }, 1, 1, 200, false }, { { 1, 6, 5, 4 }, 2, 1, 4, true },
};
enum { CASES = sizeof cases / sizeof *cases };

static double reference(const float *x, size_t n, size_t oy, size_t ox, size_t c,
                        const ddpm_pool3x3 *op)
{
    const ddpm_shape in = op->in;
    double sum = 0.0, largest = -HUGE_VAL;
    size_t there = 0;
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
            const size_t row = oy * op->stride + a, column = ox * op->stride + b;
            if (row < op->pad || row >= in.h + op->pad) continue;
            if (column < op->pad || column >= in.w + op->pad) continue;
            const double value = (double)
                x[((n * in.h + row - op->pad) * in.w + column - op->pad) * in.c + c];
            sum += value;
            largest = value > largest ? value : largest;
            there++;
        }
    return op->mean ? sum / (double)there : largest;
}

static void pools_are_over_the_pixels_that_are_there(void **state)
{
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        const ddpm_pool3x3 op = cases[k];
        const ddpm_shape out = ddpm_pool3x3_out_shape(&op);
        const float *x = normals(ddpm_shape_count(op.in), 1);
        float *y = blank(ddpm_shape_pixels(out) * op.y_stride);
        ddpm_pool3x3_forward(y, x, &op);
        for (size_t i = 0; i < ddpm_shape_pixels(out) * op.y_stride; i++) {
            const size_t c = i % op.y_stride, p = i / op.y_stride;
            if (c >= op.in.c)
                assert_true(isnan(y[i]));
            else
                CHECK_LE(fabs((double)y[i] - reference(x, p / (out.h * out.w), p / out.w % out.h,
                                                       p % out.w, c, &op)),
                         1e-6);
        }
        free_kept(NULL);
    }
}

static void the_largest_of_a_window_with_nan_is_nan(void **state)
{
    (void)state;
    const ddpm_pool3x3 op = { { 1, 3, 3, 1 }, 1, 0, 1, false };
    for (size_t i = 0; i < 9; i++) {
        float x[9] = { 1, 2, 3, 4, 5, 4, 3, 2, 1 }, y = 0.0f;
        x[i] = NAN;
        ddpm_pool3x3_forward(&y, x, &op);
        assert_true(isnan(y));
    }
}

static void a_mean_over_all_pixels_is_one(void **state)
{
    (void)state;
    const ddpm_shape in = { 3, 5, 7, 130 };
    const float *x = normals(ddpm_shape_count(in), 1);
    float *y = blank(in.n * in.c);
    ddpm_pool_all_forward(y, x, in);
    for (size_t i = 0; i < in.n * in.c; i++) {
        double sum = 0.0;
        for (size_t p = 0; p < 35; p++) sum += (double)x[(i / in.c * 35 + p) * in.c + i % in.c];
        CHECK_LE(fabs((double)y[i] - sum / 35.0), 1e-7);
    }
}

/* Exact where an image is a plane, but for the half pixel at its edges, where it is continued as
 * it ends. */
static void resizing_meets_a_plane(void **state)
{
    (void)state;
    static const size_t sizes[][4] = { { 4, 6, 9, 13 }, { 28, 28, 299, 299 }, { 40, 36, 17, 11 } };
    for (size_t k = 0; k < 3; k++) {
        const ddpm_shape in = { 2, sizes[k][0], sizes[k][1], 3 };
        const size_t h = sizes[k][2], w = sizes[k][3];
        float *x = blank(ddpm_shape_count(in)), *y = blank(in.n * h * w * in.c);
        for (size_t i = 0; i < ddpm_shape_count(in); i++) {
            const size_t c = i % 3, u = i / 3 % in.w, v = i / 3 / in.w % in.h;
            const size_t n = i / 3 / in.w / in.h;
            x[i] = (float)(c + 1) * (float)u + 0.5f * (float)v + (float)n;
        }
        ddpm_resize_bilinear_forward(y, x, in, h, w);
        for (size_t i = 0; i < in.n * h * w * in.c; i++) {
            const size_t c = i % 3, n = i / 3 / w / h;
            const double u = ((double)(i / 3 % w) + 0.5) * (double)in.w / (double)w - 0.5;
            const double v = ((double)(i / 3 / w % h) + 0.5) * (double)in.h / (double)h - 0.5;
            const double inside_u = fmin(fmax(u, 0.0), (double)in.w - 1.0);
            const double inside_v = fmin(fmax(v, 0.0), (double)in.h - 1.0);
            CHECK_LE(fabs((double)y[i] - (double)(c + 1) * inside_u - 0.5 * inside_v - (double)n),
                     3e-5);
        }
        free_kept(NULL);
    }
}

static void resizing_to_the_same_size_changes_nothing(void **state)
{
    (void)state;
    const ddpm_shape in = { 2, 7, 5, 3 };
    const float *x = normals(ddpm_shape_count(in), 1);
    float *y = blank(ddpm_shape_count(in));
    ddpm_resize_bilinear_forward(y, x, in, 7, 5);
    check_same_bits(y, x, ddpm_shape_count(in));
}

enum { SIDE = 40, C = 70, POOLED = 2 * SIDE * SIDE * C, ALL = POOLED + 2 * C + 2 * 99 * 99 * C };

static void run_all(float *out)
{
    const ddpm_shape in = { 2, SIDE, SIDE, C };
    const float *x = normals(POOLED, 1);
    ddpm_pool3x3_forward(out, x, &(ddpm_pool3x3){ in, 1, 1, C, true });
    ddpm_pool_all_forward(out + POOLED, x, in);
    ddpm_resize_bilinear_forward(out + POOLED + 2 * C, x, in, 99, 99);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_all, ALL);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(pools_are_over_the_pixels_that_are_there),
        TEST(the_largest_of_a_window_with_nan_is_nan),
        TEST(a_mean_over_all_pixels_is_one),
        TEST(resizing_meets_a_plane),
        TEST(resizing_to_the_same_size_changes_nothing),
        TEST(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
