#include "ddpm/kernels/elementwise.h"

#include "golden.h"
#include "kernel_arrays.h"

#include <float.h>

static double sigmoid(double u)
{
    return 1.0 / (1.0 + exp(-u));
}

/* Every exponent of both signs, 64 values of each, and the interesting places between them. */
enum { SPREAD = 2 * 255 * 64 };
static float *spread(void)
{
    float *x = blank(SPREAD);
    for (uint32_t i = 0; i < SPREAD; i++) {
        const uint32_t exponent = i / 128, sign = i % 2, fraction = (i / 2 % 64) * 131357u;
        const uint32_t bits = sign << 31 | exponent << 23 | (fraction & 0x7FFFFF);
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

/* e^u is subnormal below u = -87, where products with it have no relative accuracy any more. */
static double subnormal_error(double u)
{
    return (double)FLT_TRUE_MIN * (1.0 + fmin(fabs(u), 104.0));
}

static void silu_is_right_for_every_finite_number(void **state)
{
    (void)state;
    const float *x = spread();
    float *y = blank(SPREAD);
    ddpm_silu_forward(y, x, SPREAD);
    for (size_t i = 0; i < SPREAD; i++) {
        const double expected = (double)x[i] * sigmoid((double)x[i]);
        CHECK_LE(fabs((double)y[i] - expected),
                 3e-7 * fabs(expected) + subnormal_error((double)x[i]));
    }
}

static void silus_slope_is_right_for_every_finite_number(void **state)
{
    (void)state;
    const float *x = spread();
    float *dy = blank(SPREAD), *dx = blank(SPREAD);
    for (size_t i = 0; i < SPREAD; i++) dy[i] = 2.0f;
    ddpm_silu_backward(dx, dy, x, SPREAD);
    for (size_t i = 0; i < SPREAD; i++) {
        const double u = (double)x[i], s = sigmoid(u), product = u * s * sigmoid(-u);
        const double expected = 2.0 * (s + product);
        const double size = fabs(s) + fabs(product); /* they cancel near -1.28 */
        CHECK_LE(fabs((double)dx[i] - expected), 1e-6 * size + 2.0 * subnormal_error(u));
    }
}

static void silu_of_700_is_700_and_of_minus_700_is_minus_0(void **state)
{
    (void)state;
    const float x[] = { 700.0f, -700.0f, FLT_MAX, -FLT_MAX, 0.0f, NAN };
    float y[6];
    ddpm_silu_forward(y, x, 6);
    assert_float_equal(y[0], 700.0f, 0.0f);
    assert_true(y[1] == 0.0f && signbit(y[1]));
    assert_float_equal(y[2], FLT_MAX, 0.0f);
    assert_true(y[3] == 0.0f && signbit(y[3]));
    assert_true(y[4] == 0.0f);
    assert_true(isnan(y[5]));
}

static void golden_values_of_pytorch_are_met(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    size_t count;
    const float *x = keep(golden_f32(file, &count, "silu/x"));
    const float *gy = keep(golden_f32(file, NULL, "silu/gy"));
    const double *y = keep(golden_f64(file, NULL, "silu/y"));
    const double *gx = keep(golden_f64(file, NULL, "silu/gx"));
    float *mine = blank(count), *gradient = blank(count);
    ddpm_silu_forward(mine, x, count);
    ddpm_silu_backward(gradient, gy, x, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_LE(fabs((double)mine[i] - y[i]), 3e-7 * fabs(y[i]) + subnormal_error((double)x[i]));
        CHECK_LE(fabs((double)gradient[i] - gx[i]), 5e-7 * (fabs(gx[i]) + fabs((double)gy[i])));
    }
    golden_close(file);
}

static void lengths_that_end_within_a_vector_change_nothing_beyond(void **state)
{
    (void)state;
    enum { MOST = 70 };
    const float *x = normals(MOST, 1), *b = normals(MOST, 2);
    float *whole[5], *part[5];
    for (int k = 0; k < 5; k++) whole[k] = blank(MOST);
    ddpm_silu_forward(whole[0], x, MOST);
    ddpm_silu_backward(whole[1], b, x, MOST);
    ddpm_add(whole[2], x, b, MOST);
    ddpm_scale(whole[3], 0.3f, x, MOST);
    memcpy(whole[4], x, MOST * sizeof *x);
    ddpm_add_to(whole[4], b, MOST);
    for (size_t n = 0; n < MOST; n++) {
        const size_t at = n % 7, end = n < at ? at : n;
        for (int k = 0; k < 5; k++) part[k] = blank(MOST);
        memcpy(part[4], x, MOST * sizeof *x);
        ddpm_silu_forward(part[0] + at, x + at, end - at);
        ddpm_silu_backward(part[1] + at, b + at, x + at, end - at);
        ddpm_add(part[2] + at, x + at, b + at, end - at);
        ddpm_scale(part[3] + at, 0.3f, x + at, end - at);
        ddpm_add_to(part[4] + at, b + at, end - at);
        for (int k = 0; k < 5; k++) {
            check_same_bits(part[k] + at, whole[k] + at, end - at);
            if (k < 4) assert_true(isnan(part[k][end]));
        }
        check_same_bits(part[4] + end, x + end, MOST - end);
    }
}

static void sums_and_multiples_are_exact(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    const float *a = normals(COUNT, 1), *b = normals(COUNT, 2);
    float *y = blank(COUNT);
    ddpm_add(y, a, b, COUNT);
    for (size_t i = 0; i < COUNT; i++) assert_float_equal(y[i], a[i] + b[i], 0.0f);
    ddpm_scale(y, -0.7f, a, COUNT);
    for (size_t i = 0; i < COUNT; i++) assert_float_equal(y[i], -0.7f * a[i], 0.0f);
}

static void all_work_in_place(void **state)
{
    (void)state;
    enum { COUNT = 1001 };
    const float *x = normals(COUNT, 1), *dy = normals(COUNT, 2);
    float *expected = blank(COUNT), *y = copy_of(x, COUNT), *dx = copy_of(dy, COUNT);
    ddpm_silu_forward(expected, x, COUNT);
    ddpm_silu_forward(y, y, COUNT);
    check_same_bits(y, expected, COUNT);
    ddpm_silu_backward(expected, dy, x, COUNT);
    ddpm_silu_backward(dx, dx, x, COUNT);
    check_same_bits(dx, expected, COUNT);
}

/* Integers, so that the sum is exact; long enough for a second batch of pieces. */
static void the_sum_of_squares_of_millions_is_exact(void **state)
{
    (void)state;
    enum { COUNT = 5000003 };
    float *x = zeros(COUNT);
    double expected = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        x[i] = (float)(i % 4099) - 2000.0f;
        expected += (double)x[i] * (double)x[i];
    }
    CHECK_LE(fabs(ddpm_sum_squares(x, COUNT) - expected), 0.0);
    CHECK_LE(fabs(ddpm_sum_squares(x, 0)), 0.0);
}

static void the_sum_of_squares_lets_nothing_through_unseen(void **state)
{
    (void)state;
    float *x = normals(1000, 1);
    x[999] = 1e30f; /* its square is no float */
    CHECK_LE(fabs(ddpm_sum_squares(x, 1000) / 1e60 - 1.0), 1e-7);
    x[500] = INFINITY;
    assert_true(isinf(ddpm_sum_squares(x, 1000)));
    x[0] = NAN;
    assert_true(isnan(ddpm_sum_squares(x, 1000)));
}

enum { LARGE = 200001 };
static void run_large(float *out)
{
    const float *x = normals(LARGE, 1), *dy = normals(LARGE, 2);
    ddpm_silu_forward(out, x, LARGE);
    ddpm_silu_backward(out + LARGE, dy, x, LARGE);
    ddpm_add(out + 2 * LARGE, x, dy, LARGE);
    const double sum = ddpm_sum_squares(x, LARGE);
    memcpy(out + 3 * LARGE, &sum, sizeof sum);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, 3 * LARGE + 2);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(silu_is_right_for_every_finite_number),
        TEST(silus_slope_is_right_for_every_finite_number),
        TEST(silu_of_700_is_700_and_of_minus_700_is_minus_0),
        TEST(golden_values_of_pytorch_are_met),
        TEST(lengths_that_end_within_a_vector_change_nothing_beyond),
        TEST(sums_and_multiples_are_exact),
        TEST(all_work_in_place),
        TEST(the_sum_of_squares_of_millions_is_exact),
        TEST(the_sum_of_squares_lets_nothing_through_unseen),
        TEST(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
