/* Every training objective: its gradient, what minimises it, and what does not go together. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/loss.h"
#include "ddpm/diffusion/process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, D = 30, FLOATS = N * D, TRIALS = 240 };

static ddpm_schedule *diffusion, *flow;

static int make_schedules(void **state)
{
    (void)state;
    CHECK_OK(ddpm_schedule_create(&diffusion, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_flow(&flow, 1000));
    return 0;
}

static int free_schedules(void **state)
{
    (void)state;
    ddpm_schedule_free(diffusion);
    ddpm_schedule_free(flow);
    return 0;
}

typedef struct {
    const char *name;
    ddpm_objective objective;
} row;

/* All objectives of the issue; the schedule is filled in. */
static row rows[] = {
    { "eps mse", { .prediction = DDPM_PREDICT_EPS } },
    { "x0 mse", { .prediction = DDPM_PREDICT_X0 } },
    { "xprev mse", { .prediction = DDPM_PREDICT_XPREV } },
    { "v mse", { .prediction = DDPM_PREDICT_V } },
    { "eps min-SNR", { .prediction = DDPM_PREDICT_EPS, .min_snr_gamma = 5.0 } },
    { "x0 min-SNR", { .prediction = DDPM_PREDICT_X0, .min_snr_gamma = 5.0 } },
    { "xprev min-SNR", { .prediction = DDPM_PREDICT_XPREV, .min_snr_gamma = 5.0 } },
    { "v min-SNR", { .prediction = DDPM_PREDICT_V, .min_snr_gamma = 5.0 } },
    { "eps kl", { .prediction = DDPM_PREDICT_EPS, .loss = DDPM_LOSS_KL } },
    { "x0 kl small",
      { .prediction = DDPM_PREDICT_X0,
        .loss = DDPM_LOSS_KL,
        .variance = DDPM_VARIANCE_FIXEDSMALL } },
    { "xprev kl learned",
      { .prediction = DDPM_PREDICT_XPREV,
        .loss = DDPM_LOSS_KL,
        .variance = DDPM_VARIANCE_LEARNED } },
    { "eps kl range",
      { .prediction = DDPM_PREDICT_EPS,
        .loss = DDPM_LOSS_KL,
        .variance = DDPM_VARIANCE_LEARNED_RANGE } },
    { "eps hybrid",
      { .prediction = DDPM_PREDICT_EPS,
        .loss = DDPM_LOSS_HYBRID,
        .variance = DDPM_VARIANCE_LEARNED_RANGE } },
    { "v hybrid learned",
      { .prediction = DDPM_PREDICT_V,
        .loss = DDPM_LOSS_HYBRID,
        .variance = DDPM_VARIANCE_LEARNED } },
    { "x0 hybrid min-SNR",
      { .prediction = DDPM_PREDICT_X0,
        .loss = DDPM_LOSS_HYBRID,
        .variance = DDPM_VARIANCE_LEARNED_RANGE,
        .min_snr_gamma = 5.0 } },
    { "velocity", { .prediction = DDPM_PREDICT_VELOCITY } },
    { "velocity min-SNR", { .prediction = DDPM_PREDICT_VELOCITY, .min_snr_gamma = 5.0 } },
};
enum { ROWS = sizeof rows / sizeof *rows };

static ddpm_objective *objective_of(size_t k)
{
    ddpm_objective *objective = &rows[k].objective;
    objective->schedule = objective->prediction == DDPM_PREDICT_VELOCITY ? flow : diffusion;
    CHECK_OK(ddpm_objective_check(objective));
    return objective;
}

static float x0[FLOATS], eps[FLOATS], xt[FLOATS], said[FLOATS], word[FLOATS], v[FLOATS],
    target[FLOATS], d_said[FLOATS], d_word[FLOATS], scratch[FLOATS];
static ddpm_level level[N];
static const double weight[N] = { 1.0, 0.5, 2.0, 1.0 };
static double per_image[N];

static ddpm_lesson lesson_for(const ddpm_objective *objective)
{
    return (ddpm_lesson){ .n = N,
                          .d = D,
                          .x0 = x0,
                          .eps = eps,
                          .xt = xt,
                          .level = level,
                          .weight = weight,
                          .said = said,
                          .said_variance = ddpm_variance_is_learned(objective->variance) ? word
                                                                                         : NULL };
}

/* A network that is nearly right, at four timesteps with the last step among them. */
static void prepare(const ddpm_objective *objective)
{
    static const size_t timesteps[N] = { 0, 5, 300, 900 };
    fill_uniform(x0, FLOATS, 1);
    fill_normal(eps, FLOATS, 2);
    fill_uniform(word, FLOATS, 4);
    fill_uniform(v, FLOATS, 5);
    fill_uniform(said, FLOATS, 3);
    for (size_t i = 0; i < N; i++) level[i] = ddpm_level_at(objective->schedule, timesteps[i]);
    ddpm_q_sample(xt, x0, eps, level, N, D);
    ddpm_prediction_target(target, x0, eps, level, N, D, objective->prediction,
                           objective->schedule);
    for (size_t i = 0; i < FLOATS; i++) {
        said[i] = target[i] + 0.01f * said[i];
        if (objective->variance == DDPM_VARIANCE_LEARNED)
            word[i] += (float)diffusion->fixedlarge_log_variance[level[i / D].index];
    }
}

typedef struct {
    const ddpm_objective *objective;
    const float *frozen; /* the mean's part of hybrid, which the bound's gradient does not see */
    bool of_variance;
} problem;

static double total(const float *x, void *context)
{
    const problem *p = context;
    ddpm_lesson lesson = lesson_for(p->objective);
    static float dx[FLOATS], dv[FLOATS], room[FLOATS];
    double loss[N], sum = 0.0;
    *(p->of_variance ? &lesson.said_variance : &lesson.said) = x;
    ddpm_objective_loss(loss, dx, lesson.said_variance ? dv : NULL, room, &lesson, 0.25,
                        p->objective);
    for (size_t i = 0; i < N; i++) sum += 0.25 * weight[i] * loss[i];
    if (!p->frozen) return sum;
    ddpm_objective bound = *p->objective; /* take away what the bound says of the mean */
    bound.loss = DDPM_LOSS_KL;
    ddpm_objective_loss(loss, dx, dv, room, &lesson, 0.25, &bound);
    for (size_t i = 0; i < N; i++) sum -= 0.25 * weight[i] * loss[i];
    return sum;
}

static void gradients_are_derivatives(void **state)
{
    (void)state;
    for (size_t k = 0; k < ROWS; k++) {
        const ddpm_objective *objective = objective_of(k);
        const bool learned = ddpm_variance_is_learned(objective->variance);
        prepare(objective);
        const ddpm_lesson lesson = lesson_for(objective);
        ddpm_objective_loss(per_image, d_said, learned ? d_word : NULL, target, &lesson, 0.25,
                            objective);
        problem p = { .objective = objective,
                      .frozen = objective->loss == DDPM_LOSS_HYBRID ? said : NULL };
        double want = directional(total, &p, said, v, scratch, FLOATS, 0x1p-10);
        double sizes = sqrt(dot(d_said, d_said, FLOATS) * dot(v, v, FLOATS));
        print_message("%s: %.1e", rows[k].name, fabs(dot(d_said, v, FLOATS) - want) / sizes);
        CHECK_LE(fabs(dot(d_said, v, FLOATS) - want), 1e-3 * sizes);
        if (learned) {
            p = (problem){ .objective = objective, .of_variance = true };
            want = directional(total, &p, word, v, scratch, FLOATS, 0x1p-7);
            sizes = sqrt(dot(d_word, d_word, FLOATS) * dot(v, v, FLOATS));
            print_message(", variance %.1e", fabs(dot(d_word, v, FLOATS) - want) / sizes);
            CHECK_LE(fabs(dot(d_word, v, FLOATS) - want), 1e-3 * sizes);
        }
        print_message("\n");
    }
}

static void gradients_may_overwrite_what_was_said(void **state)
{
    (void)state;
    for (size_t k = 0; k < ROWS; k++) {
        const ddpm_objective *objective = objective_of(k);
        const bool learned = ddpm_variance_is_learned(objective->variance);
        prepare(objective);
        const ddpm_lesson lesson = lesson_for(objective);
        double apart[N];
        ddpm_objective_loss(apart, d_said, learned ? d_word : NULL, target, &lesson, 0.25,
                            objective);
        ddpm_objective_loss(per_image, said, learned ? word : NULL, target, &lesson, 0.25,
                            objective);
        assert_memory_equal(said, d_said, sizeof said);
        if (learned) assert_memory_equal(word, d_word, sizeof word);
        assert_memory_equal(per_image, apart, sizeof apart);
    }
}

/* What a network says of the variance where it knows that of q(x_{t-1} | x_t): the posterior's of a
 * known x_0, and what is not known of x_0. */
static double exact_word(const ddpm_objective *objective, size_t t, double doubt)
{
    const ddpm_schedule *s = objective->schedule;
    const double c1 = s->posterior_mean_coef1[t], small = s->posterior_variance[t];
    const double exact = log(small + c1 * c1 * doubt), large = s->beta[t];
    if (objective->variance == DDPM_VARIANCE_LEARNED) return exact;
    return 2.0 * (exact - log(small)) / (log(large) - log(small)) - 1.0;
}

/* x_0 ~ N(m, s^2): the best guess at x_0 is affine in x_t, and at it the mean gradient of every
 * objective by any affine network's two parameters is 0, within five standard errors; and so is
 * that by the variance, at the one that the reverse process has. */
static void the_exact_reverse_process_minimises_every_objective(void **state)
{
    (void)state;
    const double m = 0.2, s = 0.1;
    for (size_t k = 0; k < ROWS; k++) {
        const ddpm_objective *objective = objective_of(k);
        const bool learned = ddpm_variance_is_learned(objective->variance);
        double sum[3] = { 0 }, squares[3] = { 0 };
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            prepare(objective);
            fill_normal(x0, FLOATS, 1000 + trial);
            fill_normal(eps, FLOATS, 5000 + trial);
            for (size_t i = 0; i < FLOATS; i++) x0[i] = (float)(m + s * (double)x0[i]);
            /* The decoder's bins are not Gaussian: none of t = 0. Right after it the variance is
             * most in doubt. */
            for (size_t i = 0; i < N; i++)
                level[i] = ddpm_level_at(objective->schedule,
                                         i == 0 ? 1 + trial % 3 : 1 + (trial * 16 + i * 251) % 998);
            ddpm_q_sample(xt, x0, eps, level, N, D);
            for (size_t i = 0; i < FLOATS; i++) {
                const double a = level[i / D].signal, b = level[i / D].noise;
                const double gain = a * s * s / (a * a * s * s + b * b);
                const double best = m + gain * ((double)xt[i] - a * m);
                target[i] = (float)best;
                if (learned)
                    word[i] = (float)exact_word(objective, level[i / D].index,
                                                s * s * (1.0 - gain * a));
                scratch[i] = (float)(((double)xt[i] - a * best) / b);
            }
            ddpm_prediction_target(said, target, scratch, level, N, D, objective->prediction,
                                   objective->schedule);
            const ddpm_lesson lesson = lesson_for(objective);
            ddpm_objective_loss(per_image, d_said, learned ? d_word : NULL, target, &lesson, 1.0,
                                objective);
            for (size_t i = 0; i < N; i++) {
                double by[2] = { 0 }, size = 0.0; /* each image in units of its own gradient */
                double by_variance = 0.0;
                for (size_t j = i * D; j < (i + 1) * D; j++) {
                    by[0] += (double)d_said[j];
                    by[1] += (double)d_said[j] * (double)xt[j];
                    size += (double)d_said[j] * (double)d_said[j];
                    if (learned) by_variance += (double)d_word[j];
                }
                for (int p = 0; p < 2; p++) {
                    const double unit = by[p] / sqrt(size);
                    sum[p] += unit;
                    squares[p] += unit * unit;
                }
                if (!learned) continue;
                /* by the log variance itself, in bits at any noise level */
                by_variance /= ddpm_log_variance_at(objective->schedule, level[i].index,
                                                    objective->variance)
                                   .slope;
                sum[2] += by_variance;
                squares[2] += by_variance * by_variance;
            }
        }
        for (int p = 0; p < 2 + learned; p++) CHECK_LE(fabs(sum[p]), 5.0 * sqrt(squares[p]));
        /* A log variance that is 0.1 off would come to 0.05 / ln 2 an image. */
        if (learned) CHECK_LE(5.0 * sqrt(squares[2]), 0.05 / 0.693 * TRIALS * N);
    }
}

/* Nichol & Dhariwal scale their estimate of the whole bound, T times a term, by a thousandth. */
static void hybrid_is_mse_and_the_bounds_term_times_a_thousandth_of_T(void **state)
{
    (void)state;
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", 400, 1e-4, 0.05));
    ddpm_objective objective = { .variance = DDPM_VARIANCE_LEARNED_RANGE, .schedule = schedule };
    static const size_t timesteps[N] = { 0, 5, 200, 399 };
    prepare(objective_of(0));
    for (size_t i = 0; i < N; i++) level[i] = ddpm_level_at(schedule, timesteps[i]);
    ddpm_q_sample(xt, x0, eps, level, N, D);
    const ddpm_lesson lesson = lesson_for(&objective);
    double bits[N], hybrid[N];
    objective.loss = DDPM_LOSS_KL;
    ddpm_objective_loss(bits, d_said, d_word, scratch, &lesson, 1.0, &objective);
    objective.loss = DDPM_LOSS_HYBRID;
    ddpm_objective_loss(hybrid, target, v, scratch, &lesson, 1.0, &objective);
    ddpm_mse_loss(per_image, d_said, said, eps, N, D, weight);
    assert_memory_equal(target, d_said, sizeof target);
    for (size_t i = 0; i < N; i++)
        CHECK_LE(fabs(hybrid[i] - per_image[i] - 0.4 * bits[i]), 1e-12 + 1e-9 * bits[i]);
    for (size_t i = 0; i < FLOATS; i++)
        CHECK_LE(fabs((double)v[i] - 0.4 * (double)d_word[i]), 1e-6 * fabs((double)d_word[i]));
    ddpm_schedule_free(schedule);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    const struct {
        ddpm_objective objective;
        const char *message;
    } cases[] = {
        { { .schedule = flow }, "velocity" },
        { { .schedule = diffusion, .prediction = DDPM_PREDICT_VELOCITY }, "eps" },
        { { .schedule = flow, .prediction = DDPM_PREDICT_VELOCITY, .loss = DDPM_LOSS_KL },
          "bound" },
        { { .schedule = diffusion, .variance = DDPM_VARIANCE_LEARNED }, "hybrid or kl" },
        { { .schedule = diffusion, .loss = DDPM_LOSS_HYBRID }, "learned_range" },
        { { .schedule = diffusion, .loss = DDPM_LOSS_KL, .min_snr_gamma = 5.0 }, "min-SNR" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STATUS(ddpm_objective_check(&cases[i].objective), DDPM_ECONFIG);
        CHECK_MESSAGE(cases[i].message);
    }
    ddpm_loss loss;
    CHECK_STATUS(ddpm_loss_find(&loss, "kll"), DDPM_ECONFIG);
    CHECK_MESSAGE("did you mean 'kl'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_derivatives),
        cmocka_unit_test(gradients_may_overwrite_what_was_said),
        cmocka_unit_test(the_exact_reverse_process_minimises_every_objective),
        cmocka_unit_test(hybrid_is_mse_and_the_bounds_term_times_a_thousandth_of_T),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, make_schedules, free_schedules);
}
