#include "check.h"
#include "golden.h"
#include "numeric.h"

#include "ddpm/diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name;
    size_t offset;
} arrays[] = {
    { "betas", offsetof(ddpm_schedule, beta) },
    { "alphas", offsetof(ddpm_schedule, alpha) },
    { "alphas_cumprod", offsetof(ddpm_schedule, alpha_bar) },
    { "alphas_cumprod_prev", offsetof(ddpm_schedule, alpha_bar_prev) },
    { "sqrt_alphas_cumprod", offsetof(ddpm_schedule, sqrt_alpha_bar) },
    { "sqrt_one_minus_alphas_cumprod", offsetof(ddpm_schedule, sqrt_one_minus_alpha_bar) },
    { "log_one_minus_alphas_cumprod", offsetof(ddpm_schedule, log_one_minus_alpha_bar) },
    { "sqrt_recip_alphas_cumprod", offsetof(ddpm_schedule, sqrt_recip_alpha_bar) },
    { "sqrt_recipm1_alphas_cumprod", offsetof(ddpm_schedule, sqrt_recipm1_alpha_bar) },
    { "posterior_variance", offsetof(ddpm_schedule, posterior_variance) },
    { "posterior_log_variance_clipped", offsetof(ddpm_schedule, posterior_log_variance_clipped) },
    { "posterior_mean_coef1", offsetof(ddpm_schedule, posterior_mean_coef1) },
    { "posterior_mean_coef2", offsetof(ddpm_schedule, posterior_mean_coef2) },
    { "fixedlarge_log_variance", offsetof(ddpm_schedule, fixedlarge_log_variance) },
};

static const double *array_at(const ddpm_schedule *schedule, size_t offset)
{
    return *(double *const *)(const void *)((const char *)schedule + offset);
}

/* Element by element, so that the small ends of a table count as much as its large ones. */
static double worst_relative(const double *a, const double *b, size_t n)
{
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (a[i] == b[i]) continue;
        const double error = fabs(a[i] - b[i]) / fabs(b[i]);
        worst = worse(worst, error);
    }
    return worst;
}

static ddpm_schedule *create(const char *name, size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, name, steps, 1e-4, 0.02));
    assert_int_equal(schedule->steps, steps);
    return schedule;
}

/* beta_0 of cosine_1000 is 1 minus a ratio that is 4e-5 below 1: an ulp there is 3e-12 of beta. */
static void every_table_is_numpys(void **state)
{
    (void)state;
    static const struct {
        const char *group, *name;
        size_t steps;
        double bound;
    } cases[] = {
        { "linear_1000", "linear", 1000, 1e-12 },
        { "linear_10", "linear", 10, 1e-12 },
        { "cosine_1000", "cosine", 1000, 6e-12 },
        { "cosine_100", "cosine", 100, 1e-12 },
    };
    golden *file = golden_open("schedule");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ddpm_schedule *schedule = create(cases[c].name, cases[c].steps);
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
            size_t count;
            double *want = golden_f64(file, &count, "%s/%s", cases[c].group, arrays[i].name);
            assert_int_equal(count, cases[c].steps);
            const double error = worst_relative(array_at(schedule, arrays[i].offset), want, count);
            if (!(error <= cases[c].bound)) print_error("%s/%s\n", cases[c].group, arrays[i].name);
            CHECK_LE(error, cases[c].bound);
            free(want);
        }
        ddpm_schedule_free(schedule);
    }
    golden_close(file);
}

static void respaced_betas_are_those_of_improved_diffusion(void **state)
{
    (void)state;
    static const char *const groups[] = { "10", "25", "50", "100", "250", "ddim10", "ddim250" };
    golden *file = golden_open("schedule");
    ddpm_schedule *full = create("linear", 1000);
    for (size_t c = 0; c < sizeof groups / sizeof *groups; c++) {
        size_t count;
        int64_t *kept = golden_i64(file, &count, "spaced/T1000_%s/timesteps", groups[c]);
        double *betas = golden_f64(file, NULL, "spaced/T1000_%s/betas", groups[c]);
        size_t timesteps[1000];
        for (size_t i = 0; i < count; i++) timesteps[i] = (size_t)kept[i];
        ddpm_schedule *spaced = NULL;
        CHECK_OK(ddpm_schedule_respace(&spaced, full, timesteps, count));
        assert_int_equal(spaced->steps, count);
        CHECK_LE(worst_relative(spaced->beta, betas, count), 1e-12);
        for (size_t i = 0; i < count; i++) {
            assert_true(spaced->timestep[i] == (double)kept[i]);
            CHECK_LE(fabs(spaced->alpha_bar[i] / full->alpha_bar[kept[i]] - 1.0), 1e-13);
        }
        ddpm_schedule_free(spaced);
        free(kept);
        free(betas);
    }
    ddpm_schedule_free(full);
    golden_close(file);
}

static void the_papers_schedule_has_its_known_values(void **state)
{
    (void)state;
    ddpm_schedule *s = create("linear", 1000);
    CHECK_LE(fabs(s->alpha_bar[0] - 0.9999), 1e-15);
    CHECK_LE(fabs(s->alpha_bar[499] - 0.0785872), 5e-8);
    CHECK_LE(fabs(s->alpha_bar[999] - 4.03583e-5), 5e-11);
    CHECK_LE(fabs(s->posterior_variance[1] - 5.453188e-5), 5e-12);
    CHECK_LE(fabs(s->posterior_mean_coef1[1] - 0.5452915), 5e-8);
    CHECK_LE(fabs(s->posterior_mean_coef2[1] - 0.4547085), 5e-8);
    assert_true(s->timestep[999] == 999.0);
    ddpm_schedule_free(s);
}

static void the_other_schedules_follow_the_official_code(void **state)
{
    (void)state;
    ddpm_schedule *s = create("quad", 5);
    CHECK_LE(fabs(sqrt(s->beta[1]) - (0.01 + (sqrt(0.02) - 0.01) / 4)), 1e-15);
    CHECK_LE(fabs(s->beta[4] - 0.02), 1e-16);
    ddpm_schedule_free(s);

    s = create("const", 7);
    for (size_t t = 0; t < 7; t++) assert_true(s->beta[t] == 0.02);
    ddpm_schedule_free(s);

    s = create("warmup10", 105);
    assert_true(s->beta[0] == 1e-4);
    CHECK_LE(fabs(s->beta[1] - (1e-4 + 0.0199 / 9)), 1e-16);
    for (size_t t = 9; t < 105; t++) assert_true(s->beta[t] == 0.02);
    ddpm_schedule_free(s);

    s = create("warmup50", 101);
    CHECK_LE(fabs(s->beta[48] - (0.02 - 0.0199 / 49)), 1e-16);
    for (size_t t = 49; t < 101; t++) assert_true(s->beta[t] == 0.02);
    ddpm_schedule_free(s);

    s = create("jsd", 1000);
    for (size_t t = 0; t < 1000; t++) {
        CHECK_LE(fabs(s->beta[t] * (double)(1000 - t) - 1.0), 1e-14);
        CHECK_LE(fabs(s->alpha_bar[t] - (double)(999 - t) / 1000), 1e-13);
    }
    assert_true(s->alpha_bar[999] == 0.0);
    ddpm_schedule_free(s);
}

/* q(x_{t-1} | x_t, x_0) of eq. 7 from its two factors by Bayes' rule: precisions add. */
static void the_posterior_is_bayes_rule_in_every_schedule(void **state)
{
    (void)state;
    for (size_t k = 0; ddpm_schedule_names[k]; k++) {
        ddpm_schedule *s = create(ddpm_schedule_names[k], 400);
        assert_true(s->posterior_variance[0] == 0.0);
        for (size_t t = 1; t < s->steps; t++) {
            const double prior = 1.0 - s->alpha_bar_prev[t];
            const double precision = 1.0 / prior + s->alpha[t] / s->beta[t];
            const double of_x0 = sqrt(s->alpha_bar_prev[t]) / prior / precision;
            const double of_xt = sqrt(s->alpha[t]) / s->beta[t] / precision;
            CHECK_LE(fabs(s->posterior_variance[t] * precision - 1.0), 1e-10);
            CHECK_LE(fabs(s->posterior_mean_coef1[t] - of_x0), 1e-10);
            CHECK_LE(fabs(s->posterior_mean_coef2[t] - of_xt), 1e-10);
        }
        ddpm_schedule_free(s);
    }
}

static void betas_given_outright_make_the_same_tables(void **state)
{
    (void)state;
    ddpm_schedule *named = create("cosine", 50), *given = NULL;
    CHECK_OK(ddpm_schedule_from_betas(&given, named->beta, 50));
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        assert_memory_equal(array_at(given, arrays[i].offset), array_at(named, arrays[i].offset),
                            50 * sizeof(double));
    ddpm_schedule_free(named);
    ddpm_schedule_free(given);
}

static void a_schedule_of_one_step_is_finite(void **state)
{
    (void)state;
    ddpm_schedule *s = create("linear", 1);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        assert_true(isfinite(array_at(s, arrays[i].offset)[0]));
    ddpm_schedule_free(s);
}

static void what_is_no_schedule_is_refused_with_a_reason(void **state)
{
    (void)state;
    ddpm_schedule *s = NULL;
    CHECK_STATUS(ddpm_schedule_create(&s, "liner", 10, 1e-4, 0.02), DDPM_ECONFIG);
    CHECK_MESSAGE("'linear'");
    CHECK_STATUS(ddpm_schedule_create(&s, "linear", 0, 1e-4, 0.02), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_create(&s, "linear", 10, 0.0, 0.02), DDPM_ECONFIG);
    CHECK_MESSAGE("beta[0]");
    CHECK_STATUS(ddpm_schedule_create(&s, "linear", 10, 1e-4, 1.5), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_create(&s, "linear", 10, 1e-4, (double)NAN), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_create(&s, "const", 2, 0.5, 1.0), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_create(&s, "const", 2000, 0.5, 0.5), DDPM_ECONFIG);
    CHECK_MESSAGE("alpha_bar");
    CHECK_STATUS(ddpm_schedule_from_betas(&s, (const double[]){ 0.1, 1e-20 }, 2), DDPM_ECONFIG);
    CHECK_MESSAGE("beta[1]");

    ddpm_schedule *full = create("linear", 10);
    CHECK_STATUS(ddpm_schedule_respace(&s, full, (const size_t[]){ 0, 10 }, 2), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_respace(&s, full, (const size_t[]){ 4, 4 }, 2), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_schedule_respace(&s, full, (const size_t[]){ 4 }, 0), DDPM_ECONFIG);
    ddpm_schedule_free(full);
    assert_null(s);
    ddpm_schedule_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_numpys),
        cmocka_unit_test(respaced_betas_are_those_of_improved_diffusion),
        cmocka_unit_test(the_papers_schedule_has_its_known_values),
        cmocka_unit_test(the_other_schedules_follow_the_official_code),
        cmocka_unit_test(the_posterior_is_bayes_rule_in_every_schedule),
        cmocka_unit_test(betas_given_outright_make_the_same_tables),
        cmocka_unit_test(a_schedule_of_one_step_is_finite),
        cmocka_unit_test(what_is_no_schedule_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
