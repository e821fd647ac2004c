#include "ddpm/kernels/resample.h"

#include "kernel_arrays.h"

static const ddpm_shape shapes[] = {
    { 1, 1, 1, 1 }, { 2, 3, 5, 7 }, { 1, 4, 2, 33 }, { 3, 16, 16, 20 }
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void upsampling_doubles_every_pixel(void **state)
{
    (void)state;
    for (size_t k = 0; k < SHAPES; k++) {
        const ddpm_shape in = shapes[k];
        const size_t count = ddpm_shape_count(in);
        const float *x = normals(count, 1);
        float *y = blank(4 * count);
        ddpm_upsample_forward(y, x, in);
        for (size_t i = 0; i < 4 * count; i++) {
            const size_t c = i % in.c, w = i / in.c % (2 * in.w), row = i / in.c / (2 * in.w);
            const size_t n = row / (2 * in.h), h = row % (2 * in.h);
            const size_t from = ((n * in.h + h / 2) * in.w + w / 2) * in.c + c;
            assert_float_equal(y[i], x[from], 0.0f);
        }
    }
}

static void backward_upsampling_is_the_adjoint(void **state)
{
    (void)state;
    for (size_t k = 0; k < SHAPES; k++) {
        const size_t count = ddpm_shape_count(shapes[k]);
        const float *x = normals(count, 1), *dy = normals(4 * count, 2);
        float *y = blank(4 * count), *dx = blank(count);
        ddpm_upsample_forward(y, x, shapes[k]);
        ddpm_upsample_backward(dx, dy, shapes[k]);
        CHECK_LE(fabs(dot(y, dy, 4 * count) - dot(x, dx, count)),
                 1e-7 * sqrt(dot(y, y, 4 * count) * dot(dy, dy, 4 * count)));
    }
}

static const size_t joints[][3] = { { 1, 1, 1 }, { 5, 3, 4 }, { 33, 17, 40 }, { 900, 48, 21 } };
enum { JOINTS = sizeof joints / sizeof *joints };

static void joined_rows_hold_both_parts(void **state)
{
    (void)state;
    for (size_t k = 0; k < JOINTS; k++) {
        const size_t rows = joints[k][0], a = joints[k][1], b = joints[k][2];
        const float *p = normals(rows * a, 1), *q = normals(rows * b, 2);
        float *y = blank(rows * (a + b));
        ddpm_concat_forward(y, p, q, rows, a, b);
        for (size_t r = 0; r < rows; r++) {
            check_same_bits(y + r * (a + b), p + r * a, a);
            check_same_bits(y + r * (a + b) + a, q + r * b, b);
        }
    }
}

static void a_gradient_is_put_to_the_first_part_and_added_to_the_second(void **state)
{
    (void)state;
    for (size_t k = 0; k < JOINTS; k++) {
        const size_t rows = joints[k][0], a = joints[k][1], b = joints[k][2];
        const float *dy = normals(rows * (a + b), 1), *before = normals(rows * b, 2);
        float *dp = blank(rows * a), *dq = copy_of(before, rows * b);
        ddpm_concat_backward(dp, dq, dy, rows, a, b);
        for (size_t r = 0; r < rows; r++) {
            check_same_bits(dp + r * a, dy + r * (a + b), a);
            for (size_t i = 0; i < b; i++)
                assert_float_equal(dq[r * b + i], before[r * b + i] + dy[r * (a + b) + a + i],
                                   0.0f);
        }
    }
}

enum { H = 24, W = 20, C = 40, COUNT = 2 * H * W * C };
static void run_large(float *out)
{
    const ddpm_shape in = { 2, H, W, C };
    const float *x = normals(COUNT, 1), *dy = normals(4 * COUNT, 2);
    ddpm_upsample_forward(out, x, in);
    ddpm_upsample_backward(out + 4 * COUNT, dy, in);
    ddpm_concat_forward(out + 5 * COUNT, x, dy, COUNT / C, C, 2 * C);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, 8 * COUNT);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(upsampling_doubles_every_pixel),
        TEST(backward_upsampling_is_the_adjoint),
        TEST(joined_rows_hold_both_parts),
        TEST(a_gradient_is_put_to_the_first_part_and_added_to_the_second),
        TEST(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
