/* What every sampler makes of Gaussian data, without drawing any: with the best network, which is
 * affine, a sampler is an affine map of x_T and of each step's noise. A batch that holds x_T = 0,
 * x_T = 1 and each step's noise alone shows that map, and so the mean and variance of what would be
 * drawn, to float32's rounding. They are held against the samplers' papers in double, and against
 * the data themselves. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/sampler.h"
#include "ddpm/diffusion/timesteps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values are independent; among them are a standard normal one and one that never varies. */
enum { D = 4, NORMAL = 2, POINT = 3 };
static const double mu[D] = { 0.3, -0.5, 0.0, 0.8 };
static const double data_variance[D] = { 0.3, 0.05, 1.0, 0.0 };

typedef struct {
    ddpm_sampler_options options;
    const ddpm_schedule *full, *schedule;
} chain;

/* ---- the best network ---- */

/* E[x_0 | x_t] = slope x_t + (1 - slope signal) mu */
static double slope_at(const ddpm_level *level, size_t k)
{
    const double a = level->signal, b = level->noise, s = data_variance[k];
    return s * a / (a * a * s + b * b);
}

/* Var[x_0 | x_t] */
static double doubt_at(const ddpm_level *level, size_t k)
{
    return data_variance[k] * (1.0 - slope_at(level, k) * level->signal);
}

/* Karras spacing asks between timesteps, where log(noise / signal) is linear in t. */
static ddpm_level level_of_time(const ddpm_schedule *full, double t)
{
    if (full->is_flow) return ddpm_level_of_flow(t / 1000.0, full->steps);
    const size_t below = (size_t)t;
    const ddpm_level low = ddpm_level_at(full, below);
    if (t == (double)below) return low;
    const ddpm_level high = ddpm_level_at(full, below + 1);
    const double share = t - (double)below;
    const double sigma = exp((1.0 - share) * log(low.noise / low.signal) +
                             share * log(high.noise / high.signal));
    const double signal = 1.0 / sqrt(1.0 + sigma * sigma);
    return (ddpm_level){ .signal = signal, .noise = sigma * signal, .network = t };
}

static double said_of(double x, double x0, const ddpm_level *level, const chain *c)
{
    const double eps = (x - level->signal * x0) / level->noise;
    switch (c->options.prediction) {
    case DDPM_PREDICT_EPS: break;
    case DDPM_PREDICT_X0: return x0;
    case DDPM_PREDICT_XPREV:
        return c->full->posterior_mean_coef1[level->index] * x0 +
               c->full->posterior_mean_coef2[level->index] * x;
    case DDPM_PREDICT_V: return level->signal * eps - level->noise * x0;
    case DDPM_PREDICT_VELOCITY: return eps - x0;
    }
    return eps;
}

/* log Var[x_{t-1} | x_t], as learned and learned_range say it. */
static double variance_word(const ddpm_level *level, size_t k, const chain *c)
{
    const double c1 = c->schedule->posterior_mean_coef1[level->index];
    const double small = c->schedule->posterior_variance[level->index];
    const double exact = log(small + c1 * c1 * doubt_at(level, k));
    if (c->options.variance == DDPM_VARIANCE_LEARNED) return exact;
    const double large = log(c->schedule->beta[level->index]);
    return level->index == 0 ? 0.0 : 2.0 * (exact - log(small)) / (large - log(small)) - 1.0;
}

static void network(float *said, float *variance, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    const chain *c = context;
    const ddpm_level level = level_of_time(c->full, t);
    for (size_t i = 0; i < n * d; i++) {
        const size_t k = i % D;
        const double slope = slope_at(&level, k);
        const double x0 = slope * (double)x[i] + (1.0 - slope * level.signal) * mu[k];
        said[i] = (float)said_of((double)x[i], x0, &level, c);
        if (variance) variance[i] = (float)variance_word(&level, k, c);
    }
}

/* ---- a chain as what it does to x_T: gain x_T + shift + a normal of that variance ---- */

typedef struct {
    double gain, shift, noise;
} map;

/* Image 2 + i has the noise of step i alone. */
static void impulses(float *noise, size_t index, size_t n, size_t d, void *context)
{
    (void)context;
    memset(noise, 0, n * d * sizeof *noise);
    for (size_t k = 0; k < d; k++) noise[(2 + index) * d + k] = 1.0f;
}

static void measure(map of[D], const chain *c)
{
    const size_t n = c->schedule->steps + 2;
    float *x = calloc(n * D, sizeof *x);
    float *scratch = calloc(ddpm_sampler_scratch_floats(n, D), sizeof *scratch);
    assert_true(x && scratch);
    ddpm_sampler_options options = c->options;
    options.trained = c->full;
    options.denoise = network;
    chain seen = *c; /* callbacks take what they might change */
    options.denoise_context = &seen;
    options.noise = impulses;
    CHECK_OK(ddpm_sampler_check(&options, c->schedule));
    for (size_t k = 0; k < D; k++) x[D + k] = 1.0f;
    ddpm_sampler_run(x, scratch, n, D, c->schedule, &options);
    for (size_t k = 0; k < D; k++) {
        const double shift = (double)x[k];
        of[k] = (map){ .gain = (double)x[D + k] - shift, .shift = shift };
        for (size_t i = 2; i < n; i++)
            of[k].noise += ((double)x[i * D + k] - shift) * ((double)x[i * D + k] - shift);
    }
    free(x);
    free(scratch);
}

static map mix(double p, map a, double q, map b)
{
    return (map){ p * a.gain + q * b.gain, p * a.shift + q * b.shift, 0.0 };
}

static map x0_of(map x, const ddpm_level *level, size_t k)
{
    const double slope = slope_at(level, k);
    return (map){ slope * x.gain, slope * x.shift + (1.0 - slope * level->signal) * mu[k], 0.0 };
}

static map eps_of(map x, const ddpm_level *level, size_t k)
{
    return mix(1.0 / level->noise, x, -level->signal / level->noise, x0_of(x, level, k));
}

/* DDPM eq. 7 and algorithm 2, through abar alone. */
static map ddpm_step(map x, const ddpm_level *from, const ddpm_level *to, size_t k, const chain *c)
{
    const double abar = from->signal * from->signal, before = to->signal * to->signal;
    const double beta = 1.0 - abar / before, small = (1.0 - before) / (1.0 - abar) * beta;
    const double of_x0 = sqrt(before) * beta / (1.0 - abar);
    const double of_x = sqrt(abar / before) * (1.0 - before) / (1.0 - abar);
    map next = mix(of_x0, x0_of(x, from, k), of_x, x);
    const double gain = of_x0 * slope_at(from, k) + of_x;
    double added = beta;
    if (c->options.variance == DDPM_VARIANCE_FIXEDSMALL) added = small;
    if (ddpm_variance_is_learned(c->options.variance))
        added = small + of_x0 * of_x0 * doubt_at(from, k);
    next.noise = gain * gain * x.noise + (to->noise > 0.0 ? added : 0.0);
    return next;
}

/* DDIM eq. 12 and 16 */
static map ddim_step(map x, const ddpm_level *from, const ddpm_level *to, size_t k, const chain *c)
{
    const double abar = from->signal * from->signal, before = to->signal * to->signal;
    const double sigma = c->options.eta * sqrt((1.0 - before) / (1.0 - abar)) *
                         sqrt(1.0 - abar / before);
    const double of_eps = sqrt(1.0 - before - sigma * sigma), slope = slope_at(from, k);
    map next = mix(to->signal, x0_of(x, from, k), of_eps, eps_of(x, from, k));
    const double gain = to->signal * slope + of_eps * (1.0 - from->signal * slope) / from->noise;
    next.noise = gain * gain * x.noise + sigma * sigma;
    return next;
}

/* Of a diffusion Karras et al. 2022 algorithm 1 without churn, in their own variables: y = x /
 * signal at sigma = noise / signal, dy / dsigma = (y - D(y)) / sigma. Of a flow dx / dt = eps -
 * x_0. */
static map slope_of(map x, const ddpm_level *level, size_t k, bool flows)
{
    if (flows) return mix(1.0, eps_of(x, level, k), -1.0, x0_of(x, level, k));
    const double sigma = level->noise / level->signal;
    return mix(1.0 / (level->signal * sigma), x, -1.0 / sigma, x0_of(x, level, k));
}

static map ode_step(map x, const ddpm_level *from, const ddpm_level *to, size_t k, const chain *c)
{
    const bool flows = c->schedule->is_flow, twice = strcmp(c->options.name, "heun") == 0;
    const double in = flows ? 1.0 : 1.0 / from->signal, out = flows ? 1.0 : to->signal;
    const double h = flows ? to->noise - from->noise
                           : to->noise / to->signal - from->noise / from->signal;
    const map first = slope_of(x, from, k, flows), still = { 0.0, 0.0, 0.0 };
    const map y = mix(in, x, 0.0, still), ahead = mix(1.0, y, h, first);
    if (!twice || to->noise <= 0.0) return mix(out, ahead, 0.0, still);
    const map second = slope_of(mix(out, ahead, 0.0, still), to, k, flows);
    return mix(out, mix(1.0, y, 0.5 * h, mix(1.0, first, 1.0, second)), 0.0, still);
}

/* Lu et al. 2022b algorithm 2: D = (1 + 1 / (2r)) x_0 - 1 / (2r) x_0 before; first and last step of
 * first order. exp(-h) = (signal noise') / (noise signal') needs no logarithm where signal is 0. */
static map dpmpp_step(map x, map x0_before, const ddpm_level *before, const ddpm_level *from,
                      const ddpm_level *to, size_t k)
{
    const double ratio = from->signal * to->noise / (from->noise * to->signal);
    const map x0 = x0_of(x, from, k);
    double share = 0.0;
    if (before && to->noise > 0.0 && before->signal > 0.0) {
        const double h = -log(ratio);
        const double last = log(from->signal * before->noise / (from->noise * before->signal));
        share = h / (2.0 * last);
    }
    const map d = mix(1.0 + share, x0, -share, x0_before);
    return mix(to->noise / from->noise, x, to->signal * (1.0 - ratio), d);
}

static map expect(const chain *c, size_t k)
{
    map x = { .gain = 1.0 }, x0_before = { 0.0, 0.0, 0.0 };
    for (size_t i = c->schedule->steps; i-- > 0;) {
        const ddpm_level from = ddpm_level_at(c->schedule, i);
        const bool begins = i + 1 == c->schedule->steps;
        const ddpm_level before = begins ? from : ddpm_level_at(c->schedule, i + 1);
        const ddpm_level to = i > 0 ? ddpm_level_at(c->schedule, i - 1)
                                    : (ddpm_level){ .signal = 1.0 };
        const map x0 = x0_of(x, &from, k);
        if (strcmp(c->options.name, "ddpm") == 0)
            x = ddpm_step(x, &from, &to, k, c);
        else if (strcmp(c->options.name, "ddim") == 0)
            x = ddim_step(x, &from, &to, k, c);
        else if (strcmp(c->options.name, "dpm++") == 0)
            x = dpmpp_step(x, x0_before, begins ? NULL : &before, &from, &to, k);
        else
            x = ode_step(x, &from, &to, k, c);
        x0_before = x0;
    }
    return x;
}

/* ---- tests ---- */

static const ddpm_prediction predictions[] = { DDPM_PREDICT_EPS, DDPM_PREDICT_X0,
                                               DDPM_PREDICT_XPREV, DDPM_PREDICT_V };
enum { PREDICTIONS = sizeof predictions / sizeof *predictions };

static ddpm_schedule *create(const char *name, size_t steps)
{
    ddpm_schedule *schedule = NULL;
    if (strcmp(name, "flow") == 0)
        CHECK_OK(ddpm_schedule_flow(&schedule, steps));
    else
        CHECK_OK(ddpm_schedule_create(&schedule, name, steps, 1e-4, 0.02));
    return schedule;
}

/* float32 leaves 3e-8 of eps, of which a step makes signal' / signal times as much, and Heun's,
 * which looks ahead by it, the square of that: 316 in the worst case, out of the cosine schedule's
 * end. */
static double rounding(const chain *c)
{
    double growth = 1.0;
    for (size_t i = 1; i < c->schedule->steps && !c->schedule->is_flow; i++)
        growth = fmax(growth, c->schedule->sqrt_alpha_bar[i - 1] / c->schedule->sqrt_alpha_bar[i]);
    return 3e-8 * (strcmp(c->options.name, "heun") == 0 ? growth * growth : growth);
}

static void check_law(const chain *c, double *worst)
{
    map is[D];
    const double bound = 5e-6 + rounding(c);
    measure(is, c);
    for (size_t k = 0; k < D; k++) {
        const map want = expect(c, k);
        const double error = worse(
            fabs(is[k].gain - want.gain),
            worse(fabs(is[k].shift - want.shift), fabs(is[k].noise - want.noise)));
        *worst = worse(*worst, error / bound);
        if (!(error <= bound))
            fail_msg("%s, %s, %s, eta %g, %zu steps, value %zu: %.8g x + %.8g, %.8g; want %.8g x + "
                     "%.8g, %.8g",
                     c->options.name, ddpm_prediction_names[c->options.prediction],
                     ddpm_variance_names[c->options.variance], c->options.eta, c->schedule->steps,
                     k, is[k].gain, is[k].shift, is[k].noise, want.gain, want.shift, want.noise);
    }
}

static void every_sampler_follows_its_papers_equations_with_every_prediction(void **state)
{
    (void)state;
    static const ddpm_sampler_options each[] = {
        { .name = "ddpm", .variance = DDPM_VARIANCE_FIXEDLARGE },
        { .name = "ddpm", .variance = DDPM_VARIANCE_FIXEDSMALL },
        { .name = "ddpm", .variance = DDPM_VARIANCE_LEARNED },
        { .name = "ddpm", .variance = DDPM_VARIANCE_LEARNED_RANGE },
        { .name = "ddim", .eta = 0.0 },
        { .name = "ddim", .eta = 0.4 },
        { .name = "ddim", .eta = 1.0 },
        { .name = "dpm++" },
        { .name = "heun" },
        { .name = "euler" },
    };
    static const char *const schedules[] = { "linear", "cosine" };
    double worst = 0.0;
    for (size_t s = 0; s < 2; s++) {
        ddpm_schedule *full = create(schedules[s], 200);
        for (size_t i = 0; i < sizeof each / sizeof *each; i++)
            for (size_t p = 0; p < PREDICTIONS; p++)
                for (size_t g = 0; ddpm_spacing_names[g]; g++) {
                    const bool between = strcmp(ddpm_spacing_names[g], "karras") == 0;
                    const bool learned = ddpm_variance_is_learned(each[i].variance);
                    if (between && (predictions[p] == DDPM_PREDICT_XPREV || learned)) continue;
                    ddpm_schedule *spaced = NULL;
                    CHECK_OK(ddpm_schedule_space(&spaced, full, ddpm_spacing_names[g],
                                                 learned ? 200 : 20));
                    chain c = { each[i], full, spaced ? spaced : full };
                    c.options.prediction = predictions[p];
                    check_law(&c, &worst);
                    ddpm_schedule_free(spaced);
                }
        ddpm_schedule_free(full);
    }
    print_message("largest error %.2f of its bound\n", worst);
}

static void every_sampler_of_a_flow_follows_its_equations(void **state)
{
    (void)state;
    static const char *const names[] = { "euler", "heun", "dpm++" };
    static const size_t steps[] = { 1, 2, 3, 20, 200 };
    double worst = 0.0;
    for (size_t i = 0; i < 3 * 5; i++) {
        ddpm_schedule *flow = create("flow", steps[i / 3]);
        const chain c = { { .name = names[i % 3], .prediction = DDPM_PREDICT_VELOCITY },
                          flow,
                          flow };
        check_law(&c, &worst);
        ddpm_schedule_free(flow);
    }
    print_message("largest error %.2f of its bound\n", worst);
}

typedef struct {
    double mean, variance;
} law;

/* Of what is drawn where x_T has the law of the data with that much noise, and not the standard
 * normal that it is close to. */
static law drawn(const map *of, const chain *c, size_t k)
{
    const ddpm_level top = ddpm_level_at(c->schedule, c->schedule->steps - 1);
    const double a = top.signal, b = top.noise;
    return (law){ of->gain * a * mu[k] + of->shift,
                  of->gain * of->gain * (a * a * data_variance[k] + b * b) + of->noise };
}

/* The last step gives E[x_0 | x_1], whose variance is that of the data less Var[x_0 | x_1]. */
static double reached_variance(const chain *c, size_t k)
{
    const ddpm_level last = ddpm_level_at(c->schedule, 0);
    return data_variance[k] - doubt_at(&last, k);
}

/* Not a bound that shrinks with the steps, but equality: the reverse of each step is a normal, and
 * these are its mean and variance. */
static void ancestral_steps_with_the_reverse_variance_are_exact(void **state)
{
    (void)state;
    static const ddpm_variance variances[] = { DDPM_VARIANCE_LEARNED, DDPM_VARIANCE_LEARNED_RANGE,
                                               DDPM_VARIANCE_FIXEDLARGE, DDPM_VARIANCE_FIXEDSMALL };
    static const char *const schedules[] = { "linear", "cosine" };
    for (size_t i = 0; i < 2 * 4 * PREDICTIONS; i++) {
        ddpm_schedule *full = create(schedules[i % 2], 500);
        const ddpm_variance variance = variances[i / 2 % 4];
        const chain c = {
            { .name = "ddpm", .variance = variance, .prediction = predictions[i / 8] }, full, full
        };
        map is[D];
        measure(is, &c);
        for (size_t k = 0; k < D; k++) {
            const law got = drawn(&is[k], &c, k);
            CHECK_LE(fabs(got.mean - mu[k]), 2e-5);
            /* The fixed ones are those of standard normal data, and of a single image. */
            if (variance == DDPM_VARIANCE_FIXEDLARGE && k != NORMAL) continue;
            if (variance == DDPM_VARIANCE_FIXEDSMALL && k != POINT) continue;
            CHECK_LE(fabs(got.variance - reached_variance(&c, k)), 2e-5);
        }
        ddpm_schedule_free(full);
    }
}

/* Largest error of a mean or variance. */
static double law_error(const char *schedule, ddpm_sampler_options options, const char *spacing,
                        size_t steps)
{
    const bool flows = strcmp(schedule, "flow") == 0;
    ddpm_schedule *full = create(schedule, flows ? steps : 1000), *spaced = NULL;
    if (!flows) CHECK_OK(ddpm_schedule_space(&spaced, full, spacing, steps));
    const chain c = { options, full, spaced ? spaced : full };
    map is[D];
    double worst = 0.0;
    measure(is, &c);
    for (size_t k = 0; k < D; k++) {
        const law got = drawn(&is[k], &c, k);
        const double want = flows ? data_variance[k] : reached_variance(&c, k);
        worst = worse(worst, worse(fabs(got.mean - mu[k]), fabs(got.variance - want)));
    }
    ddpm_schedule_free(spaced);
    ddpm_schedule_free(full);
    return worst;
}

/* Twice the steps leave half of the error, or a quarter of it where the order is 2. */
static void the_datas_mean_and_variance_are_approached_at_the_samplers_order(void **state)
{
    (void)state;
    static const struct {
        ddpm_sampler_options options;
        const char *schedule, *spacing;
        size_t steps;
        double bound, gain;
    } cases[] = {
        { { .name = "ddpm" }, "linear", "spread", 100, 0.1, 1.8 },
        { { .name = "ddpm", .variance = DDPM_VARIANCE_FIXEDSMALL },
          "linear",
          "spread",
          100,
          0.1,
          1.8 },
        { { .name = "ddim" }, "linear", "spread", 100, 0.1, 1.8 },
        { { .name = "ddim", .eta = 0.5 }, "linear", "spread", 100, 0.1, 1.8 },
        { { .name = "euler" }, "linear", "karras", 40, 0.15, 1.8 },
        { { .name = "heun" }, "linear", "karras", 20, 0.1, 3.0 },
        { { .name = "dpm++" }, "linear", "karras", 20, 0.1, 3.0 },
        { { .name = "heun" }, "cosine", "karras", 20, 0.1, 3.0 },
        { { .name = "dpm++" }, "cosine", "karras", 20, 0.15, 3.0 },
        { { .name = "euler", .prediction = DDPM_PREDICT_VELOCITY }, "flow", "", 100, 0.1, 1.8 },
        { { .name = "heun", .prediction = DDPM_PREDICT_VELOCITY }, "flow", "", 50, 0.1, 3.0 },
        { { .name = "dpm++", .prediction = DDPM_PREDICT_VELOCITY }, "flow", "", 50, 0.1, 3.0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t p = 0; p < PREDICTIONS; p++) {
            ddpm_sampler_options options = cases[i].options;
            const bool flows = options.prediction == DDPM_PREDICT_VELOCITY;
            if (flows && p > 0) continue;
            if (!flows) options.prediction = predictions[p];
            if (strcmp(cases[i].spacing, "karras") == 0 && predictions[p] == DDPM_PREDICT_XPREV)
                continue;
            const double coarse = law_error(cases[i].schedule, options, cases[i].spacing,
                                            cases[i].steps);
            const double fine = law_error(cases[i].schedule, options, cases[i].spacing,
                                          2 * cases[i].steps);
            print_message("%s %s %s: %.2e %.2e, %.2f\n", options.name, cases[i].schedule,
                          ddpm_prediction_names[options.prediction], coarse, fine, coarse / fine);
            CHECK_LE(coarse, cases[i].bound);
            CHECK_LE(fine, coarse / cases[i].gain);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampler_follows_its_papers_equations_with_every_prediction),
        cmocka_unit_test(every_sampler_of_a_flow_follows_its_equations),
        cmocka_unit_test(ancestral_steps_with_the_reverse_variance_are_exact),
        cmocka_unit_test(the_datas_mean_and_variance_are_approached_at_the_samplers_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
