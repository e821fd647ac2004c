#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/process.h"

#include <math.h>
#include <stdlib.h>

static ddpm_schedule *linear(size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", steps, 1e-4, 0.02));
    return schedule;
}

static void noising_takes_each_images_own_timestep(void **state)
{
    (void)state;
    enum { N = 3, D = 7 };
    ddpm_schedule *s = linear(1000);
    float x0[N * D], eps[N * D], xt[N * D];
    fill_uniform(x0, N * D, 1);
    fill_normal(eps, N * D, 2);
    const size_t t[N] = { 999, 0, 400 };
    ddpm_q_sample(xt, x0, eps, t, N, D, s);
    for (size_t i = 0; i < N * D; i++) {
        const double abar = s->alpha_bar[t[i / D]];
        const double want = sqrt(abar) * (double)x0[i] + sqrt(1.0 - abar) * (double)eps[i];
        CHECK_LE(fabs((double)xt[i] - want), 6e-8 * fabs(want) + 1e-45);
    }
    ddpm_schedule_free(s);
}

/* The standard error of a mean of n normals is sd / sqrt(n), of their variance var sqrt(2 / n);
 * bounds are five of them. */
static void noised_images_have_the_marginals_mean_and_variance(void **state)
{
    (void)state;
    enum { N = 50, D = 400 };
    static float x0[N * D], eps[N * D], xt[N * D];
    ddpm_schedule *s = linear(1000);
    uint64_t index[N];
    size_t t[N];
    static const size_t timesteps[] = { 0, 100, 500, 999 };
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < N; i++) index[i] = k * N + i, t[i] = timesteps[k];
        for (size_t i = 0; i < N * D; i++) x0[i] = 0.5f;
        ddpm_draw_noise(eps, index, N, D, 11);
        ddpm_q_sample(xt, x0, eps, t, N, D, s);
        const double n = N * D, mean = 0.5 * sqrt(s->alpha_bar[t[0]]);
        const double variance = 1.0 - s->alpha_bar[t[0]];
        double sum = 0.0, squares = 0.0;
        for (size_t i = 0; i < N * D; i++) {
            sum += (double)xt[i] - mean;
            squares += ((double)xt[i] - mean) * ((double)xt[i] - mean);
        }
        CHECK_LE(fabs(sum / n), 5.0 * sqrt(variance / n));
        CHECK_LE(fabs(squares / n - variance), 5.0 * variance * sqrt(2.0 / n));
    }
    ddpm_schedule_free(s);
}

static void the_conversions_undo_noising(void **state)
{
    (void)state;
    enum { D = 64 };
    float x0[D], eps[D], xt[D], back[D];
    fill_uniform(x0, D, 3);
    fill_normal(eps, D, 4);
    for (size_t k = 0; ddpm_schedule_names[k]; k++) {
        ddpm_schedule *s = NULL;
        CHECK_OK(ddpm_schedule_create(&s, ddpm_schedule_names[k], 100, 1e-4, 0.02));
        for (size_t t = 0; t < 99; t++) {
            ddpm_q_sample(xt, x0, eps, &t, 1, D, s);
            /* xt is rounded to 2^-24 of itself; the conversion divides that by the signal's share.
             */
            ddpm_x0_from_eps(back, xt, eps, t, D, s);
            CHECK_LE(max_error_f32(back, x0, D), 1e-6 * s->sqrt_recip_alpha_bar[t]);
            ddpm_eps_from_x0(back, xt, x0, t, D, s);
            CHECK_LE(max_error_f32(back, eps, D), 1e-6 / s->sqrt_one_minus_alpha_bar[t]);
        }
        ddpm_schedule_free(s);
    }
}

static void conversions_work_in_place(void **state)
{
    (void)state;
    enum { D = 32 };
    ddpm_schedule *s = linear(10);
    float x[D], eps[D], apart[D], mean[D];
    fill_normal(x, D, 5);
    fill_normal(eps, D, 6);
    ddpm_x0_from_eps(apart, x, eps, 4, D, s);
    ddpm_posterior_mean(mean, apart, x, 4, D, s);
    ddpm_posterior_mean(apart, apart, x, 4, D, s);
    assert_memory_equal(apart, mean, sizeof mean);
    ddpm_x0_from_eps(apart, x, eps, 4, D, s);
    ddpm_x0_from_eps(x, x, eps, 4, D, s);
    assert_memory_equal(x, apart, sizeof x);
    ddpm_schedule_free(s);
}

static void where_nothing_is_left_of_the_image_its_estimate_is_zero(void **state)
{
    (void)state;
    ddpm_schedule *s = NULL;
    CHECK_OK(ddpm_schedule_create(&s, "jsd", 8, 0, 0));
    const float x[2] = { 3.0f, -0.5f }, eps[2] = { 1.0f, -0.5f };
    float x0[2], back[2];
    ddpm_x0_from_eps(x0, x, eps, 7, 2, s);
    assert_true(x0[0] == 0.0f && x0[1] == 0.0f);
    ddpm_eps_from_x0(back, x, x0, 7, 2, s);
    assert_memory_equal(back, x, sizeof x);
    ddpm_schedule_free(s);
}

/* Chi-square over 20 bins of 50 timesteps: mean 19, standard deviation sqrt(38). */
static void drawn_timesteps_are_uniform(void **state)
{
    (void)state;
    enum { N = 20000, BINS = 20 };
    static uint64_t index[N];
    static size_t t[N];
    ddpm_schedule *s = linear(1000);
    for (size_t i = 0; i < N; i++) index[i] = i;
    ddpm_draw_timesteps(t, index, N, 7, s);
    size_t seen[BINS] = { 0 }, smallest = 1000, largest = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(t[i] < 1000);
        seen[t[i] / 50]++;
        if (t[i] < smallest) smallest = t[i];
        if (t[i] > largest) largest = t[i];
    }
    assert_int_equal(smallest, 0);
    assert_int_equal(largest, 999);
    double chi_square = 0.0;
    for (size_t b = 0; b < BINS; b++) {
        const double excess = (double)seen[b] - (double)N / BINS;
        chi_square += excess * excess / ((double)N / BINS);
    }
    CHECK_LE(chi_square, 19 + 5 * sqrt(38));
    ddpm_schedule_free(s);
}

static void draws_depend_on_the_sample_index_and_the_seed_alone(void **state)
{
    (void)state;
    enum { N = 6, D = 5 };
    ddpm_schedule *s = linear(1000);
    const uint64_t index[N] = { 4, 9, 123456789012345, 0, 77, 5 };
    size_t t[N], alone_t, other_t[N];
    float eps[N * D], alone[D], other[N * D];
    ddpm_draw_timesteps(t, index, N, 7, s);
    ddpm_draw_noise(eps, index, N, D, 7);
    for (size_t i = 0; i < N; i++) {
        ddpm_draw_timesteps(&alone_t, index + i, 1, 7, s);
        ddpm_draw_noise(alone, index + i, 1, D, 7);
        assert_int_equal(alone_t, t[i]);
        assert_memory_equal(alone, eps + i * D, sizeof alone);
    }
    ddpm_draw_timesteps(other_t, index, N, 8, s);
    ddpm_draw_noise(other, index, N, D, 8);
    assert_memory_not_equal(t, other_t, sizeof t);
    for (size_t i = 0; i < N; i++)
        assert_memory_not_equal(eps + i * D, other + i * D, D * sizeof(float));
    ddpm_schedule_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noising_takes_each_images_own_timestep),
        cmocka_unit_test(noised_images_have_the_marginals_mean_and_variance),
        cmocka_unit_test(the_conversions_undo_noising),
        cmocka_unit_test(conversions_work_in_place),
        cmocka_unit_test(where_nothing_is_left_of_the_image_its_estimate_is_zero),
        cmocka_unit_test(drawn_timesteps_are_uniform),
        cmocka_unit_test(draws_depend_on_the_sample_index_and_the_seed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
