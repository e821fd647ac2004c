#include "ddpm/kernels/optimizer.h"

#include "kernel_arrays.h"
#include "ref/optimizer_ref.h"

static const ddpm_adam usual = {
    .lr = 2e-4, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .grad_factor = 1.0
};

static void twenty_steps_follow_the_definition(void **state)
{
    (void)state;
    enum { COUNT = 1003, STEPS = 20 };
    float *p = normals(COUNT, 1), *m = zeros(COUNT), *v = zeros(COUNT);
    float *slow = copy_of(p, COUNT), *fast = copy_of(p, COUNT);
    double *p_ref = wide(COUNT), *m_ref = wide(COUNT), *v_ref = wide(COUNT);
    double *slow_ref = wide(COUNT), *fast_ref = wide(COUNT);
    for (size_t i = 0; i < COUNT; i++) p_ref[i] = slow_ref[i] = fast_ref[i] = (double)p[i];
    const ddpm_ema ema = { 2, { slow, fast }, { 0.9999, 0.9 } };
    ddpm_adam adam = usual;
    adam.grad_factor = 0.37;
    for (adam.step = 0; adam.step < STEPS; adam.step++) {
        const float *grad = normals(COUNT, 100 + adam.step);
        ddpm_adam_ema_step(p, m, v, grad, COUNT, &adam, &ema);
        ddpm_adam_step_ref(p_ref, m_ref, v_ref, grad, COUNT, &adam);
        ddpm_ema_step_ref(slow_ref, p_ref, 0.9999, COUNT);
        ddpm_ema_step_ref(fast_ref, p_ref, 0.9, COUNT);
    }
    CHECK_LE(max_error(p, p_ref, COUNT), 5e-7);
    CHECK_LE(max_error(m, m_ref, COUNT), 1e-6);
    CHECK_LE(max_error(v, v_ref, COUNT), 1e-6);
    /* a step of 1e-4 (p - e) is near e's last digit, so its rounding does not average out */
    CHECK_LE(max_error(slow, slow_ref, COUNT), 1e-6);
    CHECK_LE(max_error(fast, fast_ref, COUNT), 5e-7);
}

/* m and v then are g and g^2 once the corrections have divided out how they started. */
static void a_constant_gradient_moves_by_the_rate_each_step(void **state)
{
    (void)state;
    enum { COUNT = 37 };
    float *p = zeros(COUNT), *m = zeros(COUNT), *v = zeros(COUNT), *grad = normals(COUNT, 1);
    ddpm_adam adam = usual;
    adam.epsilon = 0.0;
    for (adam.step = 0; adam.step < 50; adam.step++)
        ddpm_adam_ema_step(p, m, v, grad, COUNT, &adam, NULL);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_LE(fabs((double)p[i] + copysign(50.0 * adam.lr, (double)grad[i])), 1e-8);
}

static void a_rate_of_0_moves_the_moments_alone(void **state)
{
    (void)state;
    enum { COUNT = 21 };
    float *p = normals(COUNT, 1), *m = zeros(COUNT), *v = zeros(COUNT);
    const float *before = copy_of(p, COUNT), *grad = normals(COUNT, 2);
    ddpm_adam adam = usual;
    adam.lr = 0.0;
    ddpm_adam_ema_step(p, m, v, grad, COUNT, &adam, NULL);
    check_same_bits(p, before, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_LE(fabs((double)m[i] - 0.1 * (double)grad[i]), 1e-7);
        CHECK_LE(fabs((double)v[i] - 0.001 * (double)grad[i] * (double)grad[i]), 1e-8);
    }
}

static void parameters_without_gradient_stay(void **state)
{
    (void)state;
    enum { COUNT = 21 };
    float *p = normals(COUNT, 1), *m = zeros(COUNT), *v = zeros(COUNT);
    const float *before = copy_of(p, COUNT);
    ddpm_adam_ema_step(p, m, v, zeros(COUNT), COUNT, &usual, NULL);
    check_same_bits(p, before, COUNT);
}

static void a_gradient_of_nan_reaches_the_parameter(void **state)
{
    (void)state;
    float p[2] = { 1.0f, 1.0f }, m[2] = { 0 }, v[2] = { 0 };
    const float grad[2] = { NAN, 1.0f };
    ddpm_adam_ema_step(p, m, v, grad, 2, &usual, NULL);
    assert_true(isnan(p[0]) && !isnan(p[1]));
}

static void an_average_is_what_its_decay_says(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    float *p = normals(COUNT, 1), *m = zeros(COUNT), *v = zeros(COUNT);
    ddpm_ema ema = { .count = DDPM_EMA_MOST };
    ddpm_adam adam = usual;
    adam.lr = 0.0;
    for (size_t k = 0; k < DDPM_EMA_MOST; k++) {
        ema.average[k] = zeros(COUNT);
        ema.decay[k] = 1.0 - pow(0.25, (double)k);
    }
    ddpm_adam_ema_step(p, m, v, zeros(COUNT), COUNT, &adam, &ema);
    for (size_t k = 0; k < DDPM_EMA_MOST; k++)
        for (size_t i = 0; i < COUNT; i++)
            assert_float_equal(ema.average[k][i], p[i] * (float)pow(0.25, (double)k), 0.0f);
}

enum { LARGE = 70001 };
static void step_in_ranges(float *out, const size_t *cut, size_t cuts)
{
    float *p = out, *m = p + LARGE, *v = m + LARGE, *average = v + LARGE;
    const float *grad = normals(LARGE, 4);
    fill_normal(p, LARGE, 1);
    fill_normal(m, LARGE, 2);
    fill_uniform(v, LARGE, 3);
    fill_normal(average, LARGE, 5);
    for (size_t i = 0; i < LARGE; i++) v[i] = fabsf(v[i]);
    ddpm_adam adam = usual;
    adam.step = 7;
    adam.grad_factor = 0.3;
    for (size_t k = 0; k + 1 < cuts; k++) {
        const size_t i = cut[k];
        const ddpm_ema ema = { 1, { average + i }, { 0.9999 } };
        ddpm_adam_ema_step(p + i, m + i, v + i, grad + i, cut[k + 1] - i, &adam, &ema);
    }
}

static void run_large(float *out)
{
    step_in_ranges(out, (const size_t[]){ 0, LARGE }, 2);
}

static void any_cut_of_the_buffer_gives_the_same_bits(void **state)
{
    (void)state;
    const size_t cut[] = { 0, 1, 2, 5, 12, 27, 58, 121, 250, 1001, 1001, 34567, 69999, LARGE };
    float *whole = blank(4 * LARGE), *in_parts = blank(4 * LARGE);
    run_large(whole);
    step_in_ranges(in_parts, cut, sizeof cut / sizeof *cut);
    check_same_bits(in_parts, whole, 4 * LARGE);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, 4 * LARGE);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(twenty_steps_follow_the_definition),
        TEST(a_constant_gradient_moves_by_the_rate_each_step),
        TEST(a_rate_of_0_moves_the_moments_alone),
        TEST(parameters_without_gradient_stay),
        TEST(a_gradient_of_nan_reaches_the_parameter),
        TEST(an_average_is_what_its_decay_says),
        TEST(any_cut_of_the_buffer_gives_the_same_bits),
        TEST(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
