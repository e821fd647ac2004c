/* What a network may be asked for, and the way back from it to x_0. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/process.h"

#include <math.h>
#include <stdlib.h>

enum { D = 64 };

static ddpm_schedule *process_of(ddpm_prediction kind, const char *name, size_t steps)
{
    ddpm_schedule *schedule = NULL;
    if (kind == DDPM_PREDICT_VELOCITY)
        CHECK_OK(ddpm_schedule_flow(&schedule, steps));
    else
        CHECK_OK(ddpm_schedule_create(&schedule, name, steps, 1e-4, 0.02));
    return schedule;
}

static void every_prediction_leads_back_to_the_image_and_its_noise(void **state)
{
    (void)state;
    float x0[D], eps[D], xt[D], target[D], back[D];
    fill_uniform(x0, D, 3);
    fill_normal(eps, D, 4);
    for (ddpm_prediction kind = 0; kind <= DDPM_PREDICT_VELOCITY; kind++)
        for (size_t k = 0; ddpm_schedule_names[k]; k++) {
            ddpm_schedule *s = process_of(kind, ddpm_schedule_names[k], 100);
            for (size_t t = 0; t < 99; t++) {
                const ddpm_level level = ddpm_level_at(s, t);
                const ddpm_prediction_to_x0 of = ddpm_prediction_coefficients(&level, kind, s);
                ddpm_q_sample(xt, x0, eps, &level, 1, D);
                ddpm_prediction_target(target, x0, eps, &level, 1, D, kind, s);
                ddpm_prediction_x0(back, xt, target, &level, D, kind, s);
                /* x_t and the target are rounded to 2^-24 of themselves. */
                const double scale = 1.0 + fabs(of.of_xt) + fabs(of.of_said);
                CHECK_LE(max_error_f32(back, x0, D), 1e-6 * scale);
                ddpm_eps_from_x0(back, xt, x0, &level, D);
                CHECK_LE(max_error_f32(back, eps, D), 1e-6 / level.noise);
            }
            ddpm_schedule_free(s);
        }
}

static void the_targets_are_what_their_papers_say(void **state)
{
    (void)state;
    ddpm_schedule *s = process_of(DDPM_PREDICT_EPS, "linear", 1000);
    const ddpm_level level = ddpm_level_at(s, 500);
    const float x0[1] = { 0.25f }, eps[1] = { -1.5f };
    float target[1], xt[1];
    ddpm_prediction_target(target, x0, eps, &level, 1, 1, DDPM_PREDICT_EPS, s);
    assert_true(target[0] == -1.5f);
    ddpm_prediction_target(target, x0, eps, &level, 1, 1, DDPM_PREDICT_X0, s);
    assert_true(target[0] == 0.25f);
    ddpm_prediction_target(target, x0, eps, &level, 1, 1, DDPM_PREDICT_V, s);
    const double abar = s->alpha_bar[500];
    CHECK_LE(fabs((double)target[0] - (sqrt(abar) * -1.5 - sqrt(1.0 - abar) * 0.25)), 1e-7);
    ddpm_q_sample(xt, x0, eps, &level, 1, 1);
    const ddpm_posterior posterior = ddpm_posterior_at(s, 500);
    ddpm_prediction_target(target, x0, eps, &level, 1, 1, DDPM_PREDICT_XPREV, s);
    CHECK_LE(fabs((double)target[0] - ddpm_posterior_mean(&posterior, x0[0], xt[0])), 1e-7);
    ddpm_prediction_target(target, x0, eps, &level, 1, 1, DDPM_PREDICT_VELOCITY, s);
    assert_true(target[0] == -1.75f);
    ddpm_schedule_free(s);
}

static void where_nothing_is_left_of_the_image_its_estimate_is_zero(void **state)
{
    (void)state;
    ddpm_schedule *s = process_of(DDPM_PREDICT_EPS, "jsd", 8);
    const ddpm_level level = ddpm_level_at(s, 7);
    const float x[2] = { 3.0f, -0.5f }, eps[2] = { 1.0f, -0.5f };
    float x0[2], back[2];
    ddpm_prediction_x0(x0, x, eps, &level, 2, DDPM_PREDICT_EPS, s);
    assert_true(x0[0] == 0.0f && x0[1] == 0.0f);
    ddpm_eps_from_x0(back, x, x0, &level, 2);
    assert_memory_equal(back, x, sizeof x);
    ddpm_schedule_free(s);
}

static void conversions_work_in_place(void **state)
{
    (void)state;
    ddpm_schedule *s = process_of(DDPM_PREDICT_EPS, "linear", 10);
    const ddpm_level level = ddpm_level_at(s, 4);
    float x[D], eps[D], apart[D];
    fill_normal(x, D, 5);
    fill_normal(eps, D, 6);
    ddpm_prediction_x0(apart, x, eps, &level, D, DDPM_PREDICT_V, s);
    ddpm_prediction_x0(x, x, eps, &level, D, DDPM_PREDICT_V, s);
    assert_memory_equal(x, apart, sizeof x);
    ddpm_schedule_free(s);
}

/* Hang et al. 2023 section 3.4, in SNR = abar / (1 - abar). */
static void min_snr_has_the_weights_of_its_paper(void **state)
{
    (void)state;
    ddpm_schedule *s = process_of(DDPM_PREDICT_EPS, "cosine", 1000);
    const double gamma = 5.0;
    for (size_t t = 0; t < 1000; t += 37) {
        const ddpm_level level = ddpm_level_at(s, t);
        const double snr = s->alpha_bar[t] / (1.0 - s->alpha_bar[t]), least = fmin(snr, gamma);
        const double eps = ddpm_min_snr_weight(&level, DDPM_PREDICT_EPS, gamma, s);
        const double x0 = ddpm_min_snr_weight(&level, DDPM_PREDICT_X0, gamma, s);
        const double v = ddpm_min_snr_weight(&level, DDPM_PREDICT_V, gamma, s);
        CHECK_LE(fabs(eps - least / snr), 1e-9 * eps);
        CHECK_LE(fabs(x0 - least), 1e-9 * x0);
        CHECK_LE(fabs(v - least / (snr + 1.0)), 1e-9 * v);
    }
    ddpm_schedule_free(s);
}

static void an_unknown_prediction_is_refused_with_the_nearest(void **state)
{
    (void)state;
    ddpm_prediction kind;
    CHECK_STATUS(ddpm_prediction_find(&kind, "epss"), DDPM_ECONFIG);
    CHECK_MESSAGE("did you mean 'eps'");
    for (size_t i = 0; ddpm_prediction_names[i]; i++) {
        CHECK_OK(ddpm_prediction_find(&kind, ddpm_prediction_names[i]));
        assert_int_equal(kind, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prediction_leads_back_to_the_image_and_its_noise),
        cmocka_unit_test(the_targets_are_what_their_papers_say),
        cmocka_unit_test(where_nothing_is_left_of_the_image_its_estimate_is_zero),
        cmocka_unit_test(conversions_work_in_place),
        cmocka_unit_test(min_snr_has_the_weights_of_its_paper),
        cmocka_unit_test(an_unknown_prediction_is_refused_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
