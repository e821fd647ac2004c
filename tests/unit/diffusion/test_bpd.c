/* The bound of Gaussian data under their exact denoiser, whose terms are known in closed form. */
#include "bpd_units.h"
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/bpd.h"
#include "ddpm/diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, BATCHES = 16, D = 32, T = 200 };
static const double std = 0.5, ln2 = 0.69314718055994530942;

typedef struct {
    ddpm_schedule *schedule;
    ddpm_bpd_stratum *strata;
    ddpm_bpd_options options;
    double *units;
    float *scratch, *x0;
    bool learned;
} fixture;

/* The schedule's level of each image; E[x_0 | x_t] is linear in x_t. */
static void exact(float *output, const float *xt, const float *times, void *context)
{
    const fixture *f = context;
    for (size_t i = 0; i < (size_t)BATCH * D; i++) {
        const ddpm_level level = ddpm_level_at(f->schedule, (size_t)times[i / D]);
        const double a = level.signal, b = level.noise, s2 = std * std;
        const double x0 = a * s2 / (a * a * s2 + b * b) * (double)xt[i];
        const float eps = (float)(((double)xt[i] - a * x0) / b);
        if (!f->learned)
            output[i] = eps;
        else { /* one channel: what it predicts, and -1: the posterior's variance */
            output[2 * i] = eps;
            output[2 * i + 1] = -1.0f;
        }
    }
}

static void setup(fixture *f, size_t draws, ddpm_variance variance)
{
    memset(f, 0, sizeof *f);
    CHECK_OK(ddpm_schedule_create(&f->schedule, "linear", T, 5e-4, 0.1));
    f->learned = ddpm_variance_is_learned(variance);
    f->options = (ddpm_bpd_options){ .schedule = f->schedule,
                                     .trained = f->schedule,
                                     .prediction = DDPM_PREDICT_EPS,
                                     .variance = variance,
                                     .seed = 7,
                                     .batch = BATCH,
                                     .d = D,
                                     .channels = 1,
                                     .network = exact,
                                     .network_context = f };
    CHECK_OK(ddpm_bpd_strata(&f->strata, &f->options.strata_count, T, draws));
    f->options.strata = f->strata;
    CHECK_OK(ddpm_bpd_check(&f->options));
    const size_t segments = ddpm_bpd_segments(&f->options);
    f->units = calloc(BATCHES * segments * ddpm_bpd_unit_values(&f->options), sizeof *f->units);
    f->scratch = calloc(ddpm_bpd_scratch_floats(&f->options), sizeof *f->scratch);
    f->x0 = calloc((size_t)BATCHES * BATCH * D, sizeof *f->x0);
    assert_true(f->units && f->scratch && f->x0);
    fill_normal(f->x0, (size_t)BATCHES * BATCH * D, 3);
    for (size_t i = 0; i < (size_t)BATCHES * BATCH * D; i++) f->x0[i] *= (float)std;
}

static void teardown(fixture *f)
{
    ddpm_schedule_free(f->schedule);
    free(f->strata);
    free(f->units);
    free(f->scratch);
    free(f->x0);
}

static const double *unit_of(size_t unit, void *context)
{
    const fixture *f = context;
    return f->units + unit * ddpm_bpd_unit_values(&f->options);
}

static void run(ddpm_bpd_summary *summary, fixture *f, size_t last_count)
{
    const size_t segments = ddpm_bpd_segments(&f->options);
    for (size_t u = BATCHES * segments; u-- > 0;) { /* in any order */
        const size_t b = u / segments;
        bpd_unit(f->units + u * ddpm_bpd_unit_values(&f->options), f->scratch,
                 f->x0 + b * BATCH * D, b * BATCH, b + 1 < BATCHES ? BATCH : last_count,
                 u % segments, &f->options);
    }
    CHECK_OK(ddpm_bpd_sum(summary, BATCHES, unit_of, f, &f->options));
}

/* var(x_0 | x_t) */
static double posterior(const fixture *f, size_t t)
{
    const ddpm_level level = ddpm_level_at(f->schedule, t);
    const double a2 = level.signal * level.signal, b2 = level.noise * level.noise, s2 = std * std;
    return s2 * b2 / (a2 * s2 + b2);
}

/* The expectation of L_t, t > 0, where p has log variance lv: DDPM eq. 5 with eq. 7. */
static double expected(const fixture *f, size_t t, bool large)
{
    const ddpm_schedule *s = f->schedule;
    const double c1 = s->posterior_mean_coef1[t], lq = log(s->posterior_variance[t]);
    const double lp = large ? log(s->beta[t]) : lq;
    return 0.5 * (lp - lq + exp(lq - lp) + c1 * c1 * posterior(f, t) * exp(-lp) - 1.0) / ln2;
}

static void compare(size_t draws, ddpm_variance variance)
{
    fixture f;
    ddpm_bpd_summary summary;
    setup(&f, draws, variance);
    run(&summary, &f, BATCH);
    double middle = 0.0, second = 0.0, quarter[DDPM_QUARTILES] = { 0.0 }, parts = 0.0;
    for (size_t t = 1; t < T; t++) {
        const double bits = expected(&f, t, variance == DDPM_VARIANCE_FIXEDLARGE);
        middle += bits;
        quarter[t * DDPM_QUARTILES / T] += bits;
    }
    for (size_t i = 0; i < (size_t)BATCHES * BATCH * D; i++)
        second += (double)f.x0[i] * (double)f.x0[i];
    second /= BATCHES * BATCH * D;
    const double ab = f.schedule->alpha_bar[T - 1];
    const double prior = 0.5 * (ab * second - ab - log1p(-ab)) / ln2;

    assert_int_equal(summary.images, BATCHES * BATCH);
    CHECK_LE(fabs(summary.middle.mean - middle), 4.0 * summary.middle.standard_error);
    CHECK_LE(summary.middle.standard_error, 0.05 * middle);
    for (size_t q = 0; q < DDPM_QUARTILES; q++) {
        CHECK_LE(fabs(summary.quarter[q] - quarter[q]), 4.0 * summary.middle.standard_error);
        parts += summary.quarter[q];
    }
    CHECK_LE(fabs(parts - summary.middle.mean), 1e-12);
    CHECK_LE(fabs(summary.prior.mean - prior), 1e-6 * prior);
    CHECK_LE(
        fabs(summary.total.mean - summary.prior.mean - summary.middle.mean - summary.decoder.mean),
        1e-12);
    CHECK_LE(fabs(summary.term[0].bits.mean - summary.decoder.mean), 1e-12);
    /* The curve ends at all but L_0; the error is the posterior's. */
    CHECK_LE(fabs(summary.term[0].rate - summary.prior.mean - summary.middle.mean), 1e-9);
    for (size_t k = 0; k < summary.terms; k++) {
        const ddpm_bpd_stratum of = summary.term[k].stratum;
        double mse = 0.0;
        for (size_t t = of.first; t < of.first + of.count; t++) mse += posterior(&f, t);
        CHECK_LE(fabs(summary.term[k].rmse / (127.5 * sqrt(mse / (double)of.count)) - 1.0),
                 of.count == 1 ? 0.05 : 0.15);
    }
    ddpm_bpd_summary_free(&summary);
    teardown(&f);
}

static void every_term_is_that_of_the_exact_denoiser(void **state)
{
    (void)state;
    compare(0, DDPM_VARIANCE_FIXEDSMALL);
    compare(0, DDPM_VARIANCE_FIXEDLARGE);
    compare(0, DDPM_VARIANCE_LEARNED_RANGE);
}

static void drawn_timesteps_give_the_same_in_expectation(void **state)
{
    (void)state;
    compare(10, DDPM_VARIANCE_FIXEDSMALL);
    compare(60, DDPM_VARIANCE_FIXEDLARGE);
}

static void an_image_s_bits_do_not_depend_on_which_others_count(void **state)
{
    (void)state;
    fixture f;
    ddpm_bpd_summary all, cut;
    setup(&f, 60, DDPM_VARIANCE_FIXEDSMALL); /* two segments */
    assert_int_equal(ddpm_bpd_segments(&f.options), 2);
    run(&all, &f, BATCH);
    run(&cut, &f, 3);
    assert_int_equal(cut.images, BATCHES * BATCH - BATCH + 3);
    assert_true(cut.total.mean != all.total.mean);
    CHECK_LE(fabs(cut.total.mean - all.total.mean), 0.1 * all.total.mean);
    ddpm_bpd_summary_free(&all);
    ddpm_bpd_summary_free(&cut);
    teardown(&f);
}

/* Far from any image. */
static void bright(float *output, const float *xt, const float *times, void *context)
{
    (void)xt, (void)times, (void)context;
    for (size_t i = 0; i < (size_t)BATCH * D; i++) output[i] = 3.0f;
}

static void clipping_leaves_a_mean_that_is_said_alone(void **state)
{
    (void)state;
    static const ddpm_prediction kinds[] = { DDPM_PREDICT_XPREV, DDPM_PREDICT_X0 };
    for (size_t k = 0; k < 2; k++) {
        ddpm_bpd_summary summary[2];
        for (int clips = 0; clips < 2; clips++) {
            fixture f;
            setup(&f, 0, DDPM_VARIANCE_FIXEDSMALL);
            f.options.prediction = kinds[k];
            f.options.network = bright;
            f.options.clip = clips;
            run(&summary[clips], &f, BATCH);
            teardown(&f);
        }
        assert_true((summary[0].middle.mean == summary[1].middle.mean) == (k == 0));
        assert_true(summary[1].term[T / 2].rmse < 0.7 * summary[0].term[T / 2].rmse);
        for (int clips = 0; clips < 2; clips++) ddpm_bpd_summary_free(&summary[clips]);
    }
}

static void strata_cover_every_timestep_once(void **state)
{
    (void)state;
    static const size_t steps[] = { 1, 2, 7, 50, 1000, 4000 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t draws = 0; draws <= steps[i] && draws < 70; draws++) {
            ddpm_bpd_stratum *strata;
            size_t count, next = 0;
            if (draws == 1 && steps[i] > 1) {
                CHECK_STATUS(ddpm_bpd_strata(&strata, &count, steps[i], draws), 78);
                continue;
            }
            CHECK_OK(ddpm_bpd_strata(&strata, &count, steps[i], draws));
            assert_int_equal(count, draws ? draws : steps[i]);
            assert_int_equal(strata[0].count, 1);
            for (size_t k = 0; k < count; k++) {
                assert_int_equal(strata[k].first, next);
                assert_true(strata[k].count >= 1);
                next += strata[k].count;
            }
            assert_int_equal(next, steps[i]);
            free(strata);
        }
    ddpm_bpd_stratum *strata;
    size_t count;
    CHECK_STATUS(ddpm_bpd_strata(&strata, &count, 10, 11), 78);
}

static void a_flow_has_no_bound(void **state)
{
    (void)state;
    ddpm_schedule *flow;
    CHECK_OK(ddpm_schedule_flow(&flow, 10));
    const ddpm_bpd_options options = { .schedule = flow,
                                       .trained = flow,
                                       .prediction = DDPM_PREDICT_VELOCITY };
    CHECK_STATUS(ddpm_bpd_check(&options), 78);
    CHECK_MESSAGE("no variational bound");
    ddpm_schedule_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_term_is_that_of_the_exact_denoiser),
        cmocka_unit_test(drawn_timesteps_give_the_same_in_expectation),
        cmocka_unit_test(an_image_s_bits_do_not_depend_on_which_others_count),
        cmocka_unit_test(clipping_leaves_a_mean_that_is_said_alone),
        cmocka_unit_test(strata_cover_every_timestep_once),
        cmocka_unit_test(a_flow_has_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
