/* Products in bfloat16: exact where no rounding can happen, close elsewhere, and float32 where they
 * are too small to be worth it. */
#include "conv_case.h"
#include "ddpm/kernels/attention.h"
#include "ddpm/kernels/linear.h"
#include "gemm.h"
#include "ref/conv_ref.h"
#include "table.h"

#include <float.h>

/* Of a normal number, by arithmetic alone: the nearest multiple of 2^-7 of its power of two. */
static float rounded(float x)
{
    int exponent;
    const float mantissa = frexpf(x, &exponent);
    return ldexpf(rintf(ldexpf(mantissa, 8)), exponent - 8);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float half_of(const uint32_t *pairs, size_t i)
{
    const uint32_t bits = i % 2 ? pairs[i / 2] & 0xFFFF0000u : pairs[i / 2] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void numbers_are_rounded_to_nearest_even(void **state)
{
    (void)state;
    enum { COUNT = 77 };
    float x[COUNT], other[COUNT];
    uint32_t pairs[COUNT];
    fill_normal(x, COUNT, 1);
    fill_normal(other, COUNT, 2);
    x[0] = 1.0f + 0x1p-8f;     /* halfway, down to even */
    x[1] = 1.0f + 3 * 0x1p-8f; /* halfway, up to even */
    x[2] = 1.0f + 0x1p-8f + 0x1p-20f;
    x[3] = -(1.0f + 3 * 0x1p-8f);
    x[4] = 0.0f;
    x[5] = 0x1.FFp+10f; /* carries into the exponent */
    for (size_t count = 1; count <= COUNT; count++) {
        memset(pairs, 0xFF, sizeof pairs);
        ddpm_kernels__table()->pack_pairs(pairs, x, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(bits_of(half_of(pairs, i)), bits_of(rounded(x[i])));
        if (count % 2) assert_int_equal(pairs[count / 2] >> 16, 0);
        assert_int_equal(pairs[(count + 1) / 2], 0xFFFFFFFFu);
        ddpm_kernels__table()->pack_row_pairs(pairs, x, other, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(bits_of(half_of(pairs, 2 * i)), bits_of(rounded(x[i])));
            assert_int_equal(bits_of(half_of(pairs, 2 * i + 1)), bits_of(rounded(other[i])));
        }
    }
}

static void infinities_and_nan_stay_what_they_are(void **state)
{
    (void)state;
    const uint32_t quiet_signal[] = { 0x7F800001u, 0xFFFFFFFFu };
    float x[32] = { INFINITY, -INFINITY, NAN, FLT_MAX };
    uint32_t pairs[16];
    memcpy(x + 4, quiet_signal, sizeof quiet_signal);
    ddpm_kernels__table()->pack_pairs(pairs, x, 32);
    assert_true(half_of(pairs, 0) == INFINITY && half_of(pairs, 1) == -INFINITY);
    assert_true(half_of(pairs, 3) == INFINITY);
    for (size_t i = 2; i < 6; i++)
        if (i != 3) assert_true(isnan(half_of(pairs, i)));
}

/* op(A) op(B) in double of the rounded factors: only float32 sums are left to err. */
static void check_product(const ddpm_gemm_op *op)
{
    const size_t a_rows = op->transpose_a ? op->k : op->m, b_rows = op->transpose_b ? op->n : op->k;
    float *a = conv_case_array(a_rows * op->lda, 1), *b = conv_case_array(b_rows * op->ldb, 2);
    float *c = conv_case_array(op->m * op->ldc, 3), *before = conv_case_array(op->m * op->ldc, 3);
    double worst = 0.0;
    ddpm_kernels__gemm(c, a, b, op);
    for (size_t i = 0; i < op->m; i++)
        for (size_t j = 0; j < op->n; j++) {
            double sum = (double)op->beta * (double)before[i * op->ldc + j];
            for (size_t k = 0; k < op->k; k++)
                sum += (double)rounded(a[op->transpose_a ? k * op->lda + i : i * op->lda + k]) *
                       (double)rounded(op->alpha *
                                       b[op->transpose_b ? j * op->ldb + k : k * op->ldb + j]);
            worst = worse(worst, fabs((double)c[i * op->ldc + j] - sum));
        }
    for (size_t i = 0; i < op->m; i++)
        assert_memory_equal(c + i * op->ldc + op->n, before + i * op->ldc + op->n,
                            (op->ldc - op->n) * sizeof *c);
    CHECK_LE(worst, 4e-6 * sqrt((double)op->k));
    ddpm_memory_free(a);
    ddpm_memory_free(b);
    ddpm_memory_free(c);
    ddpm_memory_free(before);
}

static void products_are_those_of_rounded_factors(void **state)
{
    (void)state;
    static const size_t shape[][3] = {
        { 32, 32, 32 }, { 33, 45, 37 }, { 130, 64, 301 }, { 300, 33, 64 }, { 47, 97, 515 }
    };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int kind = 0; kind < 8; kind++) {
            ddpm_gemm_op op = { .transpose_a = kind & 1,
                                .transpose_b = kind & 2,
                                .bf16 = true,
                                .m = shape[i][0],
                                .n = shape[i][1],
                                .k = shape[i][2],
                                .ldc = shape[i][1] + 2,
                                .alpha = 0.7f,
                                .beta = kind & 4 ? 1.0f : 0.0f };
            op.lda = (op.transpose_a ? op.m : op.k) + 3;
            op.ldb = (op.transpose_b ? op.k : op.n) + 1;
            check_product(&op);
        }
}

static void small_products_stay_in_float32(void **state)
{
    (void)state;
    enum { SIDE = 40, SMALL = 31 };
    float *a = conv_case_array(SIDE * SIDE, 1), *b = conv_case_array(SIDE * SIDE, 2);
    float *exact = conv_case_array(SIDE * SIDE, 0), *c = conv_case_array(SIDE * SIDE, 0);
    for (int side = 0; side < 4; side++) { /* with 3, none is small */
        ddpm_gemm_op op = { .m = side == 0 ? SMALL : SIDE,
                            .n = side == 1 ? SMALL : SIDE,
                            .k = side == 2 ? SMALL : SIDE,
                            .lda = SIDE,
                            .ldb = SIDE,
                            .ldc = SIDE,
                            .alpha = 1.0f };
        ddpm_kernels__gemm(exact, a, b, &op);
        op.bf16 = true;
        ddpm_kernels__gemm(c, a, b, &op);
        assert_int_equal(memcmp(c, exact, SMALL * sizeof *c) == 0, side < 3);
    }
    float *arrays[] = { a, b, exact, c };
    for (size_t i = 0; i < 4; i++) ddpm_memory_free(arrays[i]);
}

/* Whole numbers below 2^bits in size, times factor. */
static void fill_whole(float *x, size_t count, uint64_t seed, int most, float factor)
{
    fill_uniform(x, count, seed);
    for (size_t i = 0; i < count; i++) x[i] = factor * rintf(x[i] * (float)most);
}

static double *wide_array(size_t count)
{
    double *array = calloc(count, sizeof *array);
    assert_non_null(array);
    return array;
}

/* Errors of the three directions against the definition in double. */
static void errors_of(double error[3], conv_case *c, const ddpm_conv_method *method,
                      double (*error_of)(const float *, const double *, size_t))
{
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    double *y = wide_array(c->y_count), *dx = wide_array(c->x_count), *dw = wide_array(c->w_count);
    double *dbias = wide_array(c->op.k), *dper_image = wide_array(c->out.n * c->op.k);
    conv_case_run(c, plan);
    ddpm_conv3x3_forward_ref(y, c->x, c->w, NULL, &c->op);
    ddpm_conv3x3_backward_data_ref(dx, c->dy, c->w, &c->op);
    ddpm_conv3x3_backward_weights_ref(dw, dbias, dper_image, c->dy, c->x, &c->op);
    error[0] = error_of(c->y, y, c->y_count);
    error[1] = error_of(c->dx, dx, c->x_count);
    error[2] = error_of(c->dw, dw, c->w_count);
    double *arrays[] = { y, dx, dw, dbias, dper_image };
    for (size_t i = 0; i < 5; i++) free(arrays[i]);
    ddpm_conv3x3_plan_free(plan);
}

/* Small whole numbers, weights multiples of 4: every factor, also those of F(2x2, 3x3), has at most
 * 8 bits. F(4x4, 3x3) has irrational factors. */
static void check_exact(conv_case *c, const ddpm_conv_method *method)
{
    double error[3];
    c->op.bf16 = true;
    if (strcmp(method->name, "winograd4") == 0) return;
    fill_whole(c->x, c->x_count, 1, 3, 1.0f);
    fill_whole(c->w, c->w_count, 2, 2, 4.0f);
    fill_whole(c->dy, c->y_count, 3, 3, 1.0f);
    errors_of(error, c, method, max_error);
    for (int d = 0; d < 3; d++) CHECK_LE(error[d], 0.0);
}

static void convolutions_of_few_bits_are_exact(void **state)
{
    (void)state;
    conv_for_each(check_exact);
}

/* Each rounded factor errs by up to 2^-9; Winograd's transforms amplify what they round. */
static void check_close(conv_case *c, const ddpm_conv_method *method)
{
    double error[3];
    c->op.bf16 = true;
    errors_of(error, c, method, rms_error);
    const double bound = method->tile == 4 ? 0.025 : method->tile == 2 ? 0.012 : 0.006;
    print_message("         rms error %.4f %.4f %.4f\n", error[0], error[1], error[2]);
    for (int d = 0; d < 3; d++) CHECK_LE(error[d], bound);
}

static void convolutions_are_as_close_as_rounded_factors_allow(void **state)
{
    (void)state;
    conv_for_each(check_close);
}

static void check_threads(conv_case *c, const ddpm_conv_method *method)
{
    float *results[3] = { c->y, c->dx, c->dw }, *one[3] = { 0 };
    const size_t counts[3] = { c->y_count, c->x_count, c->w_count };
    c->op.bf16 = true;
    for (int threads = 1; threads <= 3; threads++) {
        ddpm_kernels_set_threads(threads);
        ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
        conv_case_run(c, plan);
        for (size_t i = 0; i < 3; i++) {
            if (threads == 1) {
                one[i] = conv_case_array(counts[i], 0);
                memcpy(one[i], results[i], counts[i] * sizeof(float));
            }
            assert_memory_equal(results[i], one[i], counts[i] * sizeof(float));
        }
        ddpm_conv3x3_plan_free(plan);
    }
    for (size_t i = 0; i < 3; i++) ddpm_memory_free(one[i]);
    ddpm_kernels_set_threads(1);
}

static void one_two_and_three_threads_give_the_same_bits(void **state)
{
    (void)state;
    conv_for_each(check_threads);
}

static void check_packed(conv_case *c, const ddpm_conv_method *method)
{
    c->op.bf16 = true;
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    const size_t packed_bytes = ddpm_conv3x3_packed_bytes(plan);
    float *packed = conv_case_array(packed_bytes / sizeof(float) + 1, 0);
    float *scratch = conv_case_array(ddpm_conv3x3_scratch_bytes(plan) / sizeof(float), 0);
    float *y = conv_case_array(c->y_count, 0);
    if (packed_bytes > 0) {
        ddpm_conv3x3_pack(packed, c->w, plan);
        conv_case_run(c, plan);
        ddpm_conv3x3_forward(y, c->x, NULL, packed, NULL, scratch, plan);
        assert_memory_equal(y, c->y, c->y_count * sizeof *y);
    }
    ddpm_memory_free(packed);
    ddpm_memory_free(scratch);
    ddpm_memory_free(y);
    ddpm_conv3x3_plan_free(plan);
}

static void packed_weights_give_the_same_bits(void **state)
{
    (void)state;
    conv_for_each(check_packed);
}

static void check_scratch(conv_case *c, const ddpm_conv_method *method)
{
    ddpm_conv3x3 op = c->op;
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &op);
    const size_t bytes = ddpm_conv3x3_scratch_bytes(plan);
    ddpm_conv3x3_plan_free(plan);
    op.bf16 = true;
    plan = conv_plan_of(method, &op);
    assert_true(ddpm_conv3x3_scratch_bytes(plan) <= bytes);
    ddpm_conv3x3_plan_free(plan);
}

static void bfloat16_takes_no_more_scratch(void **state)
{
    (void)state;
    conv_for_each(check_scratch);
}

static void check_nan(conv_case *c, const ddpm_conv_method *method)
{
    static const float values[] = { NAN, INFINITY };
    const ddpm_shape in = c->op.in;
    c->op.bf16 = true;
    ddpm_conv3x3_plan *plan = conv_plan_of(method, &c->op);
    for (size_t v = 0; v < 2; v++) {
        const float x = c->x[in.c - 1], dy = c->dy[c->op.k - 1];
        c->x[in.c - 1] = values[v]; /* of the first pixel */
        c->dy[c->op.k - 1] = values[v];
        conv_case_run(c, plan);
        assert_true(!isfinite(c->y[0]));
        assert_true(!isfinite(c->dx[0]));
        assert_true(c->op.stride != 1 || !isfinite(c->dw[4 * in.c * c->op.k + c->op.k - 1]));
        c->x[in.c - 1] = x;
        c->dy[c->op.k - 1] = dy;
    }
    ddpm_conv3x3_plan_free(plan);
}

static void what_is_not_finite_shows_in_the_result(void **state)
{
    (void)state;
    conv_for_each(check_nan);
}

/* Plans of a shape with and without bf16 give the same bits. */
static bool bf16_changes_nothing(size_t c_count, size_t k)
{
    ddpm_conv3x3 op = { .in = { 2, 8, 8, c_count }, .k = k, .stride = 1 };
    conv_case c = conv_case_create(&op);
    ddpm_conv3x3_plan *plan = NULL;
    CHECK_OK(ddpm_conv3x3_plan_create(&plan, &op));
    conv_case_run(&c, plan);
    ddpm_conv3x3_plan_free(plan);
    float *y = conv_case_array(c.y_count, 0);
    memcpy(y, c.y, c.y_count * sizeof *y);
    op.bf16 = true;
    CHECK_OK(ddpm_conv3x3_plan_create(&plan, &op));
    conv_case_run(&c, plan);
    ddpm_conv3x3_plan_free(plan);
    const bool same = memcmp(y, c.y, c.y_count * sizeof *y) == 0;
    ddpm_memory_free(y);
    conv_case_free(&c);
    return same;
}

static void a_plan_keeps_few_channels_in_float32(void **state)
{
    (void)state;
    assert_true(bf16_changes_nothing(3, 64));
    assert_true(bf16_changes_nothing(64, 1));
    assert_false(bf16_changes_nothing(32, 33));
}

static void check_near(float *near, float *exact, size_t count)
{
    CHECK_LE(rms_error_f32(near, exact, count), 0.01);
    assert_memory_not_equal(near, exact, count * sizeof *near);
    ddpm_memory_free(near);
    ddpm_memory_free(exact);
}

static void dense_layers_and_attention_pass_it_on(void **state)
{
    (void)state;
    enum { N = 2, TOKENS = 64, C = 48, COUNT = N * TOKENS * C, P = N * TOKENS * TOKENS, W = C * C };
    const float *const x = conv_case_array(COUNT, 1), *const w = conv_case_array(W, 2);
    const float *const dy = conv_case_array(COUNT, 3);
    float *scratch = conv_case_array(P, 0), *result[2][7];
    static const size_t counts[7] = { COUNT, COUNT, W, COUNT, COUNT, COUNT, COUNT };
    for (size_t bf16 = 0; bf16 < 2; bf16++) {
        float **const r = result[bf16], *p = conv_case_array(P, 0);
        const ddpm_linear linear = { .rows = N * TOKENS, .c = C, .k = C, .bf16 = bf16 > 0 };
        const ddpm_attention attention = {
            .n = N, .tokens = TOKENS, .c = C, .row_stride = C, .bf16 = bf16 > 0
        };
        for (size_t i = 0; i < 7; i++) r[i] = conv_case_array(counts[i], 0);
        memset(r[2], 0, counts[2] * sizeof(float));
        ddpm_linear_forward(r[0], x, w, NULL, NULL, &linear);
        ddpm_linear_backward_data(r[1], dy, w, &linear);
        ddpm_linear_backward_weights(r[2], NULL, dy, x, &linear);
        ddpm_attention_forward(r[3], p, x, dy, x, &attention);
        ddpm_attention_backward(r[4], r[5], r[6], dy, p, x, dy, x, scratch, &attention);
        ddpm_memory_free(p);
    }
    for (size_t i = 0; i < 7; i++) check_near(result[1][i], result[0][i], counts[i]);
    ddpm_memory_free((void *)x);
    ddpm_memory_free((void *)w);
    ddpm_memory_free((void *)dy);
    ddpm_memory_free(scratch);
}

int main(void)
{
    if (!conv_isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_rounded_to_nearest_even),
        cmocka_unit_test(infinities_and_nan_stay_what_they_are),
        cmocka_unit_test(products_are_those_of_rounded_factors),
        cmocka_unit_test(small_products_stay_in_float32),
        cmocka_unit_test(convolutions_of_few_bits_are_exact),
        cmocka_unit_test(convolutions_are_as_close_as_rounded_factors_allow),
        cmocka_unit_test(one_two_and_three_threads_give_the_same_bits),
        cmocka_unit_test(packed_weights_give_the_same_bits),
        cmocka_unit_test(bfloat16_takes_no_more_scratch),
        cmocka_unit_test(what_is_not_finite_shows_in_the_result),
        cmocka_unit_test(a_plan_keeps_few_channels_in_float32),
        cmocka_unit_test(dense_layers_and_attention_pass_it_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
