/* Dense layers and 1x1 convolutions against their definition in double and against PyTorch. */
#include "ddpm/kernels/linear.h"

#include "golden.h"
#include "kernel_arrays.h"
#include "ref/linear_ref.h"

static const ddpm_linear cases[] = {
    { 1, 1, 1 },   { 3, 5, 7 },     { 8, 48, 33 },    { 1, 128, 130 },
    { 300, 3, 5 }, { 513, 40, 36 }, { 70, 150, 270 },
};
enum { CASES = sizeof cases / sizeof *cases };

static void the_output_is_the_product_with_its_addends(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * CASES; i++) {
        const ddpm_linear op = cases[i / 4];
        const size_t count = op.rows * op.k;
        const float *x = normals(op.rows * op.c, 1), *w = normals(op.c * op.k, 2);
        const float *bias = i & 1 ? normals(op.k, 3) : NULL;
        const float *residual = i & 2 ? normals(count, 4) : NULL;
        float *y = blank(count);
        double *expected = wide(count);
        ddpm_linear_forward(y, x, w, bias, residual, &op);
        ddpm_linear_forward_ref(expected, x, w, bias, residual, &op);
        CHECK_LE(max_error(y, expected, count), 1e-6);
        if (residual) {
            float *in_place = copy_of(residual, count);
            ddpm_linear_forward(in_place, x, w, bias, in_place, &op);
            check_same_bits(in_place, y, count);
        }
        free_kept(NULL);
    }
}

static void the_gradients_are_those_of_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const ddpm_linear op = cases[i];
        const float *x = normals(op.rows * op.c, 1), *w = normals(op.c * op.k, 2);
        const float *dy = normals(op.rows * op.k, 3);
        float *dx = blank(op.rows * op.c), *dw = zeros(op.c * op.k), *dbias = zeros(op.k);
        double *dx_ref = wide(op.rows * op.c), *dw_ref = wide(op.c * op.k);
        double *dbias_ref = wide(op.k);
        ddpm_linear_backward_data(dx, dy, w, &op);
        ddpm_linear_backward_weights(dw, dbias, dy, x, &op);
        ddpm_linear_backward_data_ref(dx_ref, dy, w, &op);
        ddpm_linear_backward_weights_ref(dw_ref, dbias_ref, dy, x, &op);
        CHECK_LE(max_error(dx, dx_ref, op.rows * op.c), 1e-6);
        CHECK_LE(max_error(dw, dw_ref, op.c * op.k), 1e-6);
        CHECK_LE(max_error(dbias, dbias_ref, op.k), 1e-7);
        free_kept(NULL);
    }
}

static void backward_is_the_adjoint_of_forward(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const ddpm_linear op = cases[i];
        const size_t in = op.rows * op.c, out = op.rows * op.k;
        const float *x = normals(in, 1), *w = normals(op.c * op.k, 2), *dy = normals(out, 3);
        float *y = blank(out), *dx = blank(in), *dw = zeros(op.c * op.k);
        ddpm_linear_forward(y, x, w, NULL, NULL, &op);
        ddpm_linear_backward_data(dx, dy, w, &op);
        ddpm_linear_backward_weights(dw, NULL, dy, x, &op);
        const double bound = 1e-6 * sqrt(dot(y, y, out) * dot(dy, dy, out));
        CHECK_LE(fabs(dot(y, dy, out) - dot(x, dx, in)), bound);
        CHECK_LE(fabs(dot(y, dy, out) - dot(w, dw, op.c * op.k)), bound);
        free_kept(NULL);
    }
}

static void gradients_are_added_to_where_the_header_says_so(void **state)
{
    (void)state;
    const ddpm_linear op = { 30, 20, 10 };
    const float *x = normals(600, 1), *w = normals(200, 2), *dy = normals(300, 3);
    float *dx = blank(600), *dw = zeros(200), *dbias = zeros(10);
    ddpm_linear_backward_data(dx, dy, w, &op);
    ddpm_linear_backward_weights(dw, dbias, dy, x, &op);
    float *dx_again = copy_of(dx, 600), *dw_again = copy_of(dw, 200),
          *dbias_again = copy_of(dbias, 10);
    ddpm_linear_backward_data_add(dx_again, dy, w, &op);
    ddpm_linear_backward_weights(dw_again, dbias_again, dy, x, &op);
    for (size_t i = 0; i < 600; i++) dx[i] *= 2.0f;
    for (size_t i = 0; i < 200; i++) dw[i] *= 2.0f;
    for (size_t i = 0; i < 10; i++) dbias[i] *= 2.0f;
    CHECK_LE(max_error_f32(dx_again, dx, 600), 5e-7);
    CHECK_LE(max_error_f32(dw_again, dw, 200), 5e-7);
    CHECK_LE(max_error_f32(dbias_again, dbias, 10), 5e-7);
}

enum { ROWS = 1100, IN = 140, OUT = 270, LARGE_OUT = ROWS * (IN + OUT) + IN * OUT + OUT };

static void run_large(float *out)
{
    const ddpm_linear op = { ROWS, IN, OUT };
    const float *x = normals(ROWS * IN, 1), *w = normals(IN * OUT, 2), *dy = normals(ROWS * OUT, 3);
    float *y = out, *dx = y + ROWS * OUT, *dw = dx + ROWS * IN, *dbias = dw + IN * OUT;
    memset(dw, 0, (IN * OUT + OUT) * sizeof *dw);
    ddpm_linear_forward(y, x, w, normals(OUT, 4), NULL, &op);
    ddpm_linear_backward_data(dx, dy, w, &op);
    ddpm_linear_backward_weights(dw, dbias, dy, x, &op);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, LARGE_OUT);
}

static void check_golden(golden *file, const char *group, const char *w_name, int k)
{
    size_t x_size[8], w_size[8];
    const size_t rank = golden_shape(file, x_size, "%s/case%d/x", group, k);
    const size_t w_rank = golden_shape(file, w_size, "%s/case%d/%s", group, k, w_name);
    ddpm_linear op = { 1, w_size[w_rank - 2], w_size[w_rank - 1] };
    for (size_t i = 0; i + 1 < rank; i++) op.rows *= x_size[i];
    const float *x = keep(golden_f32(file, NULL, "%s/case%d/x", group, k));
    const float *w = keep(golden_f32(file, NULL, "%s/case%d/%s", group, k, w_name));
    const float *bias = keep(golden_f32(file, NULL, "%s/case%d/b", group, k));
    const float *dy = keep(golden_f32(file, NULL, "%s/case%d/gy", group, k));
    float *y = blank(op.rows * op.k), *dx = blank(op.rows * op.c);
    float *dw = zeros(op.c * op.k), *dbias = zeros(op.k);
    ddpm_linear_forward(y, x, w, bias, NULL, &op);
    ddpm_linear_backward_data(dx, dy, w, &op);
    ddpm_linear_backward_weights(dw, dbias, dy, x, &op);
    const struct {
        const char *name;
        const float *value;
        size_t count;
    } results[] = { { "y", y, op.rows * op.k },
                    { "gx", dx, op.rows * op.c },
                    { w_name, dw, op.c * op.k },
                    { "gb", dbias, op.k } };
    for (size_t i = 0; i < 4; i++) {
        const char *prefix = results[i].value == dw ? "g" : "";
        size_t count;
        const double *expected = keep(
            golden_f64(file, &count, "%s/case%d/%s%s", group, k, prefix, results[i].name));
        assert_int_equal(count, results[i].count);
        CHECK_LE(max_error(results[i].value, expected, count), 1e-6);
    }
}

static void golden_values_of_pytorch_are_met(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    for (int k = 0; k < 3; k++) {
        check_golden(file, "linear", "w_io", k);
        check_golden(file, "conv1x1", "w_hwio", k);
    }
    golden_close(file);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(the_output_is_the_product_with_its_addends),
        TEST(the_gradients_are_those_of_the_definition),
        TEST(backward_is_the_adjoint_of_forward),
        TEST(gradients_are_added_to_where_the_header_says_so),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(golden_values_of_pytorch_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
