/* The terms of the variational bound, by numerical integration and by derivatives. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 40 };
static const double ln2 = 0.693147180559945309417;

static ddpm_schedule *linear(size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", steps, 1e-4, 0.02));
    return schedule;
}

/* int q log2(q / p) by the trapezoid rule over ten standard deviations. */
static double integrate(double m1, double v1, double m2, double v2)
{
    enum { POINTS = 20001 };
    const double width = 10.0 * sqrt(v1), step = 2.0 * width / (POINTS - 1);
    double sum = 0.0;
    for (int i = 0; i < POINTS; i++) {
        const double x = m1 - width + i * step;
        const double log_q = -0.5 * ((x - m1) * (x - m1) / v1 + log(v1));
        const double log_p = -0.5 * ((x - m2) * (x - m2) / v2 + log(v2));
        sum += exp(log_q) * (log_q - log_p) * step;
    }
    return sum / sqrt(2.0 * 3.14159265358979323846) / ln2;
}

static void a_term_is_the_divergence_of_two_normals(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(1000);
    const float x0[1] = { 0.5f }, xt[1] = { -0.25f }, x0_hat[1] = { 0.125f };
    static const ddpm_variance variances[] = { DDPM_VARIANCE_FIXEDLARGE, DDPM_VARIANCE_FIXEDSMALL,
                                               DDPM_VARIANCE_LEARNED, DDPM_VARIANCE_LEARNED_RANGE };
    static const float word[] = { 0.0f, 0.0f, -6.25f, -0.5f };
    for (size_t t = 1; t < 1000; t += 111)
        for (size_t v = 0; v < 4; v++) {
            const ddpm_bound_step step = { .x0 = x0,
                                           .xt = xt,
                                           .x0_hat = x0_hat,
                                           .said = v < 2 ? NULL : &word[v],
                                           .variance = variances[v],
                                           .index = t,
                                           .schedule = s };
            const double c1 = s->posterior_mean_coef1[t], c2 = s->posterior_mean_coef2[t];
            /* Nichol & Dhariwal 2021 eq. 15 with v = 1/4, which they have from 0 to 1 */
            const double large = s->beta[t], small = s->posterior_variance[t];
            const double p = v == 0   ? large
                             : v == 1 ? small
                             : v == 2 ? exp(-6.25)
                                      : pow(large, 0.25) * pow(small, 0.75);
            const double want = integrate(c1 * 0.5 + c2 * -0.25, s->posterior_variance[t],
                                          c1 * 0.125 + c2 * -0.25, p);
            CHECK_LE(fabs(ddpm_bound_term(&step, 1) - want), 1e-6 * fabs(want) + 1e-9);
        }
    ddpm_schedule_free(s);
}

static void the_masses_of_all_grey_levels_sum_to_one(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(1000);
    for (int mean = -2; mean <= 2; mean++) {
        double mass = 0.0;
        for (int level = 0; level < 256; level++) {
            const float x0[1] = { (float)level / 127.5f - 1.0f }, xt[1] = { 0.0f };
            const float x0_hat[1] = { 0.5f * (float)mean };
            const ddpm_bound_step step = {
                .x0 = x0, .xt = xt, .x0_hat = x0_hat, .index = 0, .schedule = s
            };
            mass += exp2(-ddpm_bound_term(&step, 1));
        }
        CHECK_LE(fabs(mass - 1.0), 1e-5); /* pixels are float32, and so are their bins' edges */
    }
    ddpm_schedule_free(s);
}

static void the_prior_is_the_divergence_from_a_standard_normal(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(20); /* much of the image is left */
    const float x0[2] = { 1.0f, -0.5f };
    double want = 0.0;
    for (int i = 0; i < 2; i++)
        want += 0.5 *
                integrate(s->sqrt_alpha_bar[19] * (double)x0[i], 1.0 - s->alpha_bar[19], 0.0, 1.0);
    CHECK_LE(fabs(ddpm_bound_prior(x0, 2, s) - want), 1e-6 * want);
    ddpm_schedule_free(s);
}

typedef struct {
    ddpm_bound_step step;
    bool of_variance;
} problem;

static double term(const float *x, void *context)
{
    const problem *p = context;
    ddpm_bound_step step = p->step;
    *(p->of_variance ? &step.said : &step.x0_hat) = x;
    return ddpm_bound_term(&step, D);
}

static void gradients_are_derivatives(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(1000);
    float x0[D], xt[D], x0_hat[D], said[D], v[D], d_x0[D], d_said[D], scratch[D];
    fill_uniform(x0, D, 1);
    x0[0] = -1.0f; /* an outer bin at either end */
    x0[1] = 1.0f;
    fill_normal(xt, D, 2);
    fill_uniform(said, D, 4);
    fill_uniform(v, D, 5);
    static const size_t timesteps[] = { 0, 1, 30, 500, 999 };
    static const ddpm_variance variances[] = { DDPM_VARIANCE_FIXEDLARGE, DDPM_VARIANCE_FIXEDSMALL,
                                               DDPM_VARIANCE_LEARNED, DDPM_VARIANCE_LEARNED_RANGE };
    for (size_t k = 0; k < 5; k++)
        for (size_t n = 0; n < 4; n++) {
            const size_t t = timesteps[k];
            float word[D];
            for (size_t i = 0; i < D; i++) {
                /* near the truth, as far as the bin is seen by the decoder */
                x0_hat[i] = x0[i] + 0.01f * (i % 2 ? 1.0f : -0.5f);
                word[i] = said[i];
                if (variances[n] == DDPM_VARIANCE_LEARNED)
                    word[i] += (float)s->fixedlarge_log_variance[t];
            }
            const bool learned = ddpm_variance_is_learned(variances[n]);
            problem p = { .step = { .x0 = x0,
                                    .xt = xt,
                                    .x0_hat = x0_hat,
                                    .said = learned ? word : NULL,
                                    .variance = variances[n],
                                    .index = t,
                                    .schedule = s } };
            ddpm_bound_gradient(d_x0, learned ? d_said : NULL, &p.step, D, 1.0);
            double want = directional(term, &p, x0_hat, v, scratch, D, 0x1p-10);
            double sizes = sqrt(dot(d_x0, d_x0, D) * dot(v, v, D));
            CHECK_LE(fabs(dot(d_x0, v, D) - want), 2e-4 * sizes);
            if (!learned) continue;
            p.of_variance = true;
            want = directional(term, &p, word, v, scratch, D, 0x1p-7);
            sizes = sqrt(dot(d_said, d_said, D) * dot(v, v, D));
            CHECK_LE(fabs(dot(d_said, v, D) - want), 2e-4 * sizes + 1e-12);
        }
    ddpm_schedule_free(s);
}

static void not_a_number_stays_visible(void **state)
{
    (void)state;
    ddpm_schedule *s = linear(1000);
    const float x0[2] = { 0.0f, 0.5f }, xt[2] = { 0.0f, 0.0f }, x0_hat[2] = { 0.0f, NAN };
    for (size_t t = 0; t < 2; t++) {
        const ddpm_bound_step step = {
            .x0 = x0, .xt = xt, .x0_hat = x0_hat, .index = t, .schedule = s
        };
        assert_true(isnan(ddpm_bound_term(&step, 2)));
    }
    ddpm_schedule_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_is_the_divergence_of_two_normals),
        cmocka_unit_test(the_masses_of_all_grey_levels_sum_to_one),
        cmocka_unit_test(the_prior_is_the_divergence_from_a_standard_normal),
        cmocka_unit_test(gradients_are_derivatives),
        cmocka_unit_test(not_a_number_stays_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
