/* GroupNorm against its definition in double and against PyTorch. */
#include "ddpm/kernels/norm.h"

#include "golden.h"
#include "kernel_arrays.h"
#include "ref/norm_ref.h"

/* Odd sizes, one pixel, one channel, one group, groups wider than a block, blocks that end within a
 * vector, channels that end within a strip, enough elements for threads. */
static const struct {
    ddpm_shape shape;
    size_t groups;
} cases[] = {
    { { 1, 1, 1, 1 }, 1 },    { { 2, 5, 3, 3 }, 1 },   { { 3, 4, 4, 48 }, 16 },
    { { 1, 7, 5, 33 }, 11 },  { { 2, 3, 3, 5 }, 5 },   { { 1, 6, 5, 96 }, 32 },
    { { 2, 2, 2, 384 }, 32 }, { { 1, 3, 2, 200 }, 1 }, { { 2, 3, 4, 140 }, 2 },
    { { 2, 4, 5, 100 }, 20 }, { { 2, 1, 1, 24 }, 6 },  { { 3, 33, 17, 64 }, 32 },
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct {
    ddpm_norm op;
    size_t count, channels, moments;
    float *x, *gamma, *beta, *dy;
    float *y, *mean, *rstd, *dx, *dgamma, *dbeta;
} operands;

static operands operands_of(ddpm_shape shape, size_t groups, bool silu)
{
    const size_t count = ddpm_shape_count(shape), moments = shape.n * groups;
    return (operands){
        .op = { shape, groups, 1e-6f, silu },
        .count = count,
        .channels = shape.c,
        .moments = moments,
        .x = normals(count, 1),
        .gamma = normals(shape.c, 2),
        .beta = normals(shape.c, 3),
        .dy = normals(count, 4),
        .y = blank(count),
        .mean = blank(moments),
        .rstd = blank(moments),
        .dx = blank(count),
        .dgamma = zeros(shape.c),
        .dbeta = zeros(shape.c),
    };
}

static void forward(operands *o)
{
    ddpm_norm_forward(o->y, o->mean, o->rstd, o->x, o->gamma, o->beta, &o->op);
}

static void backward(operands *o)
{
    void *scratch = scratch_of(ddpm_norm_scratch_bytes(&o->op));
    ddpm_norm_backward(o->dx, o->dgamma, o->dbeta, o->dy, o->x, o->mean, o->rstd, o->gamma, o->beta,
                       scratch, &o->op);
}

static void for_each_case(void (*test)(operands *o))
{
    for (size_t i = 0; i < 2 * CASES; i++) {
        operands o = operands_of(cases[i / 2].shape, cases[i / 2].groups, i % 2);
        test(&o);
        free_kept(NULL);
    }
}

static void check_forward(operands *o)
{
    double *y = wide(o->count), *mean = wide(o->moments), *rstd = wide(o->moments);
    forward(o);
    ddpm_norm_forward_ref(y, mean, rstd, o->x, o->gamma, o->beta, &o->op);
    CHECK_LE(max_error(o->y, y, o->count), 5e-7);
    for (size_t i = 0; i < o->moments; i++) {
        CHECK_LE(fabs((double)o->mean[i] - mean[i]), 1e-7 * (fabs(mean[i]) + 1e-6));
        CHECK_LE(fabs((double)o->rstd[i] / rstd[i] - 1.0), 3e-7);
    }
}

static void the_output_is_the_normalised_input(void **state)
{
    (void)state;
    for_each_case(check_forward);
}

static void check_backward(operands *o)
{
    double *dx = wide(o->count), *dgamma = wide(o->channels), *dbeta = wide(o->channels);
    forward(o);
    backward(o);
    ddpm_norm_backward_ref(dx, dgamma, dbeta, o->dy, o->x, o->gamma, o->beta, &o->op);
    const size_t group_size = o->count /
                              o->moments; /* of 1: z = 0, and so is every gradient of it */
    if (group_size > 1) CHECK_LE(max_error(o->dx, dx, o->count), 1e-6);
    CHECK_LE(max_error(o->dbeta, dbeta, o->channels), 5e-7);
    if (group_size > 1) CHECK_LE(max_error(o->dgamma, dgamma, o->channels), 1e-6);
}

static void the_gradients_are_those_of_the_definition(void **state)
{
    (void)state;
    for_each_case(check_backward);
}

static void check_accumulation(operands *o)
{
    forward(o);
    backward(o);
    float *dgamma = copy_of(o->dgamma, o->channels), *dbeta = copy_of(o->dbeta, o->channels);
    backward(o);
    for (size_t c = 0; c < o->channels; c++) {
        assert_float_equal(o->dgamma[c], 2.0f * dgamma[c], 0.0f);
        assert_float_equal(o->dbeta[c], 2.0f * dbeta[c], 0.0f);
    }
}

static void parameter_gradients_are_added_to(void **state)
{
    (void)state;
    for_each_case(check_accumulation);
}

static void check_reapplication(operands *o)
{
    float *again = blank(o->count);
    forward(o);
    ddpm_norm_reapply(again, o->x, o->mean, o->rstd, o->gamma, o->beta, &o->op);
    check_same_bits(again, o->y, o->count);
}

static void reapplying_gives_the_bits_of_the_forward_pass(void **state)
{
    (void)state;
    for_each_case(check_reapplication);
}

static void check_in_place(operands *o)
{
    forward(o);
    backward(o);
    float *x = copy_of(o->x, o->count), *dy = copy_of(o->dy, o->count);
    ddpm_norm_forward(x, o->mean, o->rstd, x, o->gamma, o->beta, &o->op);
    check_same_bits(x, o->y, o->count);
    ddpm_norm_backward(dy, o->dgamma, o->dbeta, dy, o->x, o->mean, o->rstd, o->gamma, o->beta,
                       scratch_of(ddpm_norm_scratch_bytes(&o->op)), &o->op);
    check_same_bits(dy, o->dx, o->count);
}

static void both_directions_work_in_place(void **state)
{
    (void)state;
    for_each_case(check_in_place);
}

static double loss(const float *x, void *context)
{
    operands *o = context;
    ddpm_norm_forward(o->y, o->mean, o->rstd, x, o->gamma, o->beta, &o->op);
    return dot(o->y, o->dy, o->count);
}

static void the_input_gradient_is_the_slope_of_the_output(void **state)
{
    (void)state;
    for (int silu = 0; silu < 2; silu++) {
        operands o = operands_of((ddpm_shape){ 2, 5, 3, 24 }, 4, silu);
        const float *v = normals(o.count, 9);
        const double slope = directional(loss, &o, o.x, v, blank(o.count), o.count, 1e-2);
        forward(&o);
        backward(&o);
        CHECK_LE(fabs(dot(o.dx, v, o.count) - slope), 1e-4 * fabs(slope));
    }
}

static void the_gradient_of_a_plain_norm_is_orthogonal_to_shifts_and_scales(void **state)
{
    (void)state;
    operands o = operands_of((ddpm_shape){ 1, 9, 7, 32 }, 1, false);
    forward(&o);
    backward(&o);
    double sum = 0.0, size = 0.0;
    for (size_t i = 0; i < o.count; i++) {
        sum += (double)o.dx[i];
        size += fabs((double)o.dx[i]);
    }
    CHECK_LE(fabs(sum), 1e-7 * size);
    CHECK_LE(fabs(dot(o.dx, o.x, o.count)), 2e-6 * size);
}

/* The mean itself is kept to half an ulp of float: 4e-6 at 100, 4e-3 at 1e5. */
static void a_mean_far_from_zero_costs_no_more_than_its_own_rounding(void **state)
{
    (void)state;
    static const float shifts[] = { 100.0f, 1e5f };
    for (size_t k = 0; k < 2; k++) {
        const float shift = shifts[k];
        operands o = operands_of((ddpm_shape){ 2, 16, 16, 24 }, 4, true);
        for (size_t i = 0; i < o.count; i++) o.x[i] += shift;
        double *y = wide(o.count), *mean = wide(o.moments), *rstd = wide(o.moments);
        forward(&o);
        ddpm_norm_forward_ref(y, mean, rstd, o.x, o.gamma, o.beta, &o.op);
        for (size_t i = 0; i < o.count; i++)
            CHECK_LE(fabs((double)o.y[i] - y[i]), 1.3e-7 * (double)shift + 2e-6);
        for (size_t i = 0; i < o.moments; i++)
            CHECK_LE(fabs((double)o.rstd[i] / rstd[i] - 1.0), 3e-7);
    }
}

static void a_constant_input_gives_beta_exactly(void **state)
{
    (void)state;
    operands o = operands_of((ddpm_shape){ 2, 5, 7, 12 }, 3, false);
    for (size_t i = 0; i < o.count; i++) o.x[i] = 0.1f;
    forward(&o);
    for (size_t i = 0; i < o.count; i++) assert_float_equal(o.y[i], o.beta[i % o.channels], 0.0f);
    CHECK_LE(fabs((double)o.rstd[0] - 1000.0), 1e-3);
}

static void nan_in_an_image_stays_in_its_group(void **state)
{
    (void)state;
    operands o = operands_of((ddpm_shape){ 2, 4, 4, 8 }, 2, true);
    o.x[0] = NAN;
    forward(&o);
    for (size_t i = 0; i < o.count; i++)
        assert_int_equal(isnan(o.y[i]), i < o.count / 2 && i % 8 < 4);
}

/* y, dx, mean, rstd, dgamma and dbeta of a case that is large enough for threads */
static const ddpm_shape large = { 3, 33, 17, 64 };
enum { LARGE_COUNT = 3 * 33 * 17 * 64, LARGE_OUT = 2 * LARGE_COUNT + 2 * 3 * 32 + 2 * 64 };

static void run_large(float *out)
{
    operands o = operands_of(large, 32, true);
    o.y = out;
    o.dx = o.y + LARGE_COUNT;
    o.mean = o.dx + LARGE_COUNT;
    o.rstd = o.mean + o.moments;
    o.dgamma = o.rstd + o.moments;
    o.dbeta = o.dgamma + o.channels;
    memset(o.dgamma, 0, 2 * o.channels * sizeof *o.dgamma);
    forward(&o);
    backward(&o);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, LARGE_OUT);
}

/* The last case but one has inputs around 100, where the rounding of the float mean shows; the last
 * a constant input, where dx, of the order of 1/sqrt(epsilon), is a difference of equal numbers. */
static void check_golden(golden *file, const char *group, bool silu)
{
    enum { GOLDEN_CASES = 7 };
    for (int k = 0; k < GOLDEN_CASES; k++) {
        size_t size[8], moments[8];
        double groups, epsilon;
        assert_int_equal(golden_shape(file, size, "%s/case%d/x", group, k), 4);
        assert_int_equal(golden_shape(file, moments, "%s/case%d/mean", group, k), 2);
        assert_int_equal(golden_attribute(file, &groups, 1, "groups", "%s/case%d", group, k), 1);
        assert_int_equal(golden_attribute(file, &epsilon, 1, "eps", "%s/case%d", group, k), 1);
        operands o = operands_of((ddpm_shape){ size[0], size[1], size[2], size[3] }, (size_t)groups,
                                 silu);
        o.op.epsilon = (float)epsilon;
        o.x = keep(golden_f32(file, NULL, "%s/case%d/x", group, k));
        o.gamma = keep(golden_f32(file, NULL, "%s/case%d/gamma", group, k));
        o.beta = keep(golden_f32(file, NULL, "%s/case%d/beta", group, k));
        o.dy = keep(golden_f32(file, NULL, "%s/case%d/gy", group, k));
        const double *y = keep(golden_f64(file, NULL, "%s/case%d/y", group, k));
        const double *dx = keep(golden_f64(file, NULL, "%s/case%d/gx", group, k));
        const double *mean = keep(golden_f64(file, NULL, "%s/case%d/mean", group, k));
        const double *var = keep(golden_f64(file, NULL, "%s/case%d/var", group, k));
        const double *dgamma = keep(golden_f64(file, NULL, "%s/case%d/ggamma", group, k));
        const double *dbeta = keep(golden_f64(file, NULL, "%s/case%d/gbeta", group, k));
        const bool far = k == GOLDEN_CASES - 2, constant = k == GOLDEN_CASES - 1;
        const size_t group_size = o.count / o.moments;
        forward(&o);
        backward(&o);
        CHECK_LE(max_error(o.mean, mean, o.moments), 1e-7);
        for (size_t i = 0; i < o.moments; i++)
            CHECK_LE(fabs((double)o.rstd[i] * sqrt(var[i] + epsilon) - 1.0), 3e-7);
        CHECK_LE(max_error(o.y, y, o.count), far ? 3e-6 : 5e-7);
        CHECK_LE(max_error(o.dbeta, dbeta, o.channels), far ? 3e-6 : 1e-6);
        if (group_size > 1) CHECK_LE(max_error(o.dx, dx, o.count), far ? 6e-6 : 2e-6);
        if (constant)
            for (size_t c = 0; c < o.channels; c++) CHECK_LE(fabs((double)o.dgamma[c]), 1e-12);
        else
            CHECK_LE(max_error(o.dgamma, dgamma, o.channels), far ? 6e-6 : 1e-6);
        free_kept(NULL);
    }
}

static void golden_values_of_pytorch_are_met(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    check_golden(file, "group_norm", false);
    check_golden(file, "group_norm_silu", true);
    golden_close(file);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(the_output_is_the_normalised_input),
        TEST(the_gradients_are_those_of_the_definition),
        TEST(parameter_gradients_are_added_to),
        TEST(reapplying_gives_the_bits_of_the_forward_pass),
        TEST(both_directions_work_in_place),
        TEST(the_input_gradient_is_the_slope_of_the_output),
        TEST(the_gradient_of_a_plain_norm_is_orthogonal_to_shifts_and_scales),
        TEST(a_mean_far_from_zero_costs_no_more_than_its_own_rounding),
        TEST(a_constant_input_gives_beta_exactly),
        TEST(nan_in_an_image_stays_in_its_group),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(golden_values_of_pytorch_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
