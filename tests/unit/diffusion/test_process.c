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
    ddpm_level level[N];
    for (size_t i = 0; i < N; i++) level[i] = ddpm_level_at(s, t[i]);
    ddpm_q_sample(xt, x0, eps, level, N, D);
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
    ddpm_level level[N];
    static const size_t timesteps[] = { 0, 100, 500, 999 };
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < N; i++) index[i] = k * N + i, t[i] = timesteps[k];
        for (size_t i = 0; i < N * D; i++) x0[i] = 0.5f;
        ddpm_draw_noise(eps, index, N, D, 11);
        for (size_t i = 0; i < N; i++) level[i] = ddpm_level_at(s, t[i]);
        ddpm_q_sample(xt, x0, eps, level, N, D);
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

/* x_{t-1} is N(sqrt(abar') x_0, 1 - abar'), and x_t = sqrt(alpha) x_{t-1} + sqrt(beta) z says
 * something of it: means weigh by their precisions. */
static void the_posterior_mean_is_bayes(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(10);
    const float x0 = 0.5f, xt = -0.75f;
    for (size_t t = 1; t < 10; t++) {
        const double before = 1.0 / (1.0 - s->alpha_bar_prev[t]);
        const double after = s->alpha[t] / s->beta[t];
        const double mean = sqrt(s->alpha_bar_prev[t]) * (double)x0;
        const double seen = (double)xt / sqrt(s->alpha[t]);
        const double want = (before * mean + after * seen) / (before + after);
        const ddpm_posterior at = ddpm_posterior_at(s, t);
        CHECK_LE(fabs(ddpm_posterior_mean(&at, x0, xt) - want), 1e-12);
    }
    const ddpm_posterior last = ddpm_posterior_at(s, 0);
    CHECK_LE(fabs(ddpm_posterior_mean(&last, x0, xt) - (double)x0), 1e-12);
    ddpm_schedule_free(s);
}

static void noise_depends_on_the_sample_index_and_the_seed_alone(void **state)
{
    (void)state;
    enum { N = 6, D = 5 };
    const uint64_t index[N] = { 4, 9, 123456789012345, 0, 77, 5 };
    float eps[N * D], alone[D], other[N * D];
    ddpm_draw_noise(eps, index, N, D, 7);
    ddpm_draw_noise(other, index, N, D, 8);
    for (size_t i = 0; i < N; i++) {
        ddpm_draw_noise(alone, index + i, 1, D, 7);
        assert_memory_equal(alone, eps + i * D, sizeof alone);
        assert_memory_not_equal(eps + i * D, other + i * D, D * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noising_takes_each_images_own_timestep),
        cmocka_unit_test(noised_images_have_the_marginals_mean_and_variance),
        cmocka_unit_test(the_posterior_mean_is_bayes),
        cmocka_unit_test(noise_depends_on_the_sample_index_and_the_seed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
