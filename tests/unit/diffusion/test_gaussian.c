/* Data from N(mu, S) in two dimensions have a known best network,
 *   eps(x, t) = sqrt(1 - abar) C_t^-1 (x - sqrt(abar) mu),   C_t = abar S + (1 - abar) I,
 * which is affine. So the law of every sampler's result is known: a mean and a covariance that one
 * affine map a step carries along. The samplers are held against that law within five standard
 * errors, and the law against N(mu, S) within what the steps' number leaves. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A symmetric matrix {{a, b}, {b, c}}; all that occur here commute with S. */
typedef struct {
    double a, b, c;
} matrix;

static const double mu[2] = { 0.3, -0.5 };
static const matrix S = { 0.5, 0.2, 0.3 };
static const matrix I = { 1.0, 0.0, 1.0 };

static matrix combine(double x, matrix m, double y, matrix n)
{
    return (matrix){ x * m.a + y * n.a, x * m.b + y * n.b, x * m.c + y * n.c };
}

static matrix times(matrix m, matrix n)
{
    return (matrix){ m.a * n.a + m.b * n.b, m.a * n.b + m.b * n.c, m.b * n.b + m.c * n.c };
}

static matrix inverse(matrix m)
{
    const double determinant = m.a * m.c - m.b * m.b;
    return (matrix){ m.c / determinant, -m.b / determinant, m.a / determinant };
}

/* Cayley-Hamilton: sqrt(M) = (M + sqrt(det) I) / sqrt(trace + 2 sqrt(det)) */
static matrix root(matrix m)
{
    const double s = sqrt(m.a * m.c - m.b * m.b), scale = 1.0 / sqrt(m.a + m.c + 2.0 * s);
    return combine(scale, m, s * scale, I);
}

static void apply(double y[2], matrix m, const double x[2])
{
    const double x0 = x[0], x1 = x[1];
    y[0] = m.a * x0 + m.b * x1;
    y[1] = m.b * x0 + m.c * x1;
}

static matrix gain(double abar)
{
    return combine(sqrt(1.0 - abar), inverse(combine(abar, S, 1.0 - abar, I)), 0.0, I);
}

/* Images are sequences of independent pairs. */
static void exact_denoiser(float *eps, float *variance, const float *x, double t, size_t n,
                           size_t d, void *context)
{
    const ddpm_schedule *full = context;
    const size_t below = (size_t)t, above = below + 1 < full->steps ? below + 1 : below;
    const double share = t - (double)below; /* Karras spacing lies between timesteps */
    const double sigma2 = exp((1.0 - share) * log(1.0 / full->alpha_bar[below] - 1.0) +
                              share * log(1.0 / full->alpha_bar[above] - 1.0));
    const double abar = share > 0.0 ? 1.0 / (1.0 + sigma2) : full->alpha_bar[below];
    const double shrink = sqrt(abar);
    const matrix g = gain(abar);
    (void)variance;
    for (size_t i = 0; i < n * d; i += 2) {
        double pair[2] = { (double)x[i] - shrink * mu[0], (double)x[i + 1] - shrink * mu[1] };
        apply(pair, g, pair);
        eps[i] = (float)pair[0];
        eps[i + 1] = (float)pair[1];
    }
}

typedef struct {
    double mean[2];
    matrix covariance;
} law;

typedef struct {
    matrix map; /* x_0 of the chain as an affine function of x_T, noise aside */
    double shift[2];
} affine;

/* The law of the chain that starts from N(0, I), and its affine map. Step t is
 * x <- p x0 + q x + r eps + sigma z with x0 = (x - sqrt(1 - abar) eps) / sqrt(abar). */
static law carry(affine *whole, const ddpm_schedule *s, const ddpm_sampler_options *options)
{
    law now = { .covariance = I };
    *whole = (affine){ .map = I };
    for (size_t t = s->steps; t-- > 0;) {
        const double abar = s->alpha_bar[t], before = s->alpha_bar_prev[t];
        double p, q, r, variance;
        if (strcmp(options->name, "ddpm") == 0) {
            variance = options->variance == DDPM_VARIANCE_FIXEDLARGE ? s->beta[t]
                                                                     : s->posterior_variance[t];
            if (t == 0) variance = 0.0;
            p = s->beta[t] * sqrt(before) / (1.0 - abar);
            q = (1.0 - before) * sqrt(s->alpha[t]) / (1.0 - abar);
            r = 0.0;
        } else {
            variance = options->eta * options->eta * s->posterior_variance[t];
            p = sqrt(before);
            q = 0.0;
            r = sqrt(1.0 - before - variance);
        }
        /* eps = g (x - sqrt(abar) mu), so x <- (to_x I + to_eps g) x - to_eps sqrt(abar) g mu */
        const double of_x = abar > 0.0 ? 1.0 / sqrt(abar) : 0.0;
        const double of_eps = abar > 0.0 ? sqrt((1.0 - abar) / abar) : 0.0;
        const double to_x = p * of_x + q, to_eps = r - p * of_eps;
        const matrix g = gain(abar), m = combine(to_x, I, to_eps, g);
        double push[2];
        apply(push, g, mu);
        apply(now.mean, m, now.mean);
        apply(whole->shift, m, whole->shift);
        for (int i = 0; i < 2; i++) {
            now.mean[i] -= to_eps * sqrt(abar) * push[i];
            whole->shift[i] -= to_eps * sqrt(abar) * push[i];
        }
        now.covariance = combine(1.0, times(m, times(now.covariance, m)), variance, I);
        whole->map = times(m, whole->map);
    }
    return now;
}

static double covariance_distance(matrix m, matrix n)
{
    return worse(fabs(m.a - n.a), worse(fabs(m.b - n.b), fabs(m.c - n.c)));
}

static double mean_distance(const double a[2], const double b[2])
{
    return worse(fabs(a[0] - b[0]), fabs(a[1] - b[1]));
}

enum { IMAGES = 64, D = 64, FLOATS = IMAGES * D, PAIRS = FLOATS / 2 };
static float images[FLOATS], start[FLOATS], scratch[7 * FLOATS];

static void draw(ddpm_schedule *full, const ddpm_schedule *s, ddpm_sampler_options options)
{
    ddpm_image_noise noise = { .seed = 17, .schedule = s };
    options.denoise = exact_denoiser;
    options.denoise_context = full;
    options.noise = ddpm_image_step_noise;
    options.noise_context = &noise;
    CHECK_OK(ddpm_sampler_check(&options, s));
    ddpm_image_init(start, 17, 0, IMAGES, D);
    memcpy(images, start, sizeof images);
    ddpm_sampler_run(images, scratch, IMAGES, D, s, &options);
}

/* The standard error of a covariance of n pairs is sqrt((C_ii C_jj + C_ij^2) / n). */
static void check_drawn_from(const law *expected)
{
    double mean[2] = { 0 }, sums[3] = { 0 };
    for (size_t i = 0; i < FLOATS; i++) mean[i % 2] += (double)images[i] / PAIRS;
    for (size_t i = 0; i < FLOATS; i += 2) {
        const double u = (double)images[i] - mean[0], v = (double)images[i + 1] - mean[1];
        sums[0] += u * u, sums[1] += u * v, sums[2] += v * v;
    }
    const matrix c = expected->covariance;
    const double n = PAIRS;
    CHECK_LE(fabs(mean[0] - expected->mean[0]), 5.0 * sqrt(c.a / n));
    CHECK_LE(fabs(mean[1] - expected->mean[1]), 5.0 * sqrt(c.c / n));
    CHECK_LE(fabs(sums[0] / n - c.a), 5.0 * c.a * sqrt(2.0 / n));
    CHECK_LE(fabs(sums[1] / n - c.b), 5.0 * sqrt((c.a * c.c + c.b * c.b) / n));
    CHECK_LE(fabs(sums[2] / n - c.c), 5.0 * c.c * sqrt(2.0 / n));
}

static ddpm_schedule *create(const char *name, size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, name, steps, 1e-4, 0.02));
    return schedule;
}

static ddpm_schedule *respaced(const ddpm_schedule *full, const char *spacing, size_t steps)
{
    size_t timesteps[1000];
    ddpm_schedule *schedule = NULL;
    if (strcmp(spacing, "karras") == 0) {
        CHECK_OK(ddpm_schedule_karras(&schedule, full, steps));
        return schedule;
    }
    CHECK_OK(ddpm_spacing(timesteps, steps, spacing, full->steps));
    CHECK_OK(ddpm_schedule_respace(&schedule, full, timesteps, steps));
    return schedule;
}

/* The chain's law is first order in beta, and it matters most where signal and noise are even. */
static double decisive_beta(const ddpm_schedule *s)
{
    size_t t = 0;
    while (s->alpha_bar[t] > 0.5) t++;
    return s->beta[t];
}

static void ancestral_sampling_gives_the_datas_mean_and_covariance_in_every_schedule(void **state)
{
    (void)state;
    static const ddpm_variance variances[] = { DDPM_VARIANCE_FIXEDLARGE, DDPM_VARIANCE_FIXEDSMALL };
    for (size_t k = 0; ddpm_schedule_names[k]; k++) {
        ddpm_schedule *s = create(ddpm_schedule_names[k], 1000);
        for (size_t v = 0; v < 2; v++) {
            affine map;
            const ddpm_sampler_options options = { .name = "ddpm", .variance = variances[v] };
            const law expected = carry(&map, s, &options);
            CHECK_LE(mean_distance(expected.mean, mu), 2e-4);
            CHECK_LE(covariance_distance(expected.covariance, S), 4.0 * decisive_beta(s));
            draw(s, s, options);
            check_drawn_from(&expected);
        }
        ddpm_schedule_free(s);
    }
}

static void respaced_chains_follow_their_law(void **state)
{
    (void)state;
    ddpm_schedule *full = create("linear", 1000);
    for (size_t k = 0; ddpm_spacing_names[k]; k++) {
        ddpm_schedule *s = respaced(full, ddpm_spacing_names[k], 25);
        static const ddpm_sampler_options each[] = {
            { .name = "ddpm", .variance = DDPM_VARIANCE_FIXEDLARGE },
            { .name = "ddpm", .variance = DDPM_VARIANCE_FIXEDSMALL },
            { .name = "ddim", .eta = 0.0 },
            { .name = "ddim", .eta = 0.4 },
            { .name = "ddim", .eta = 1.0 },
        };
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
            affine map;
            const law expected = carry(&map, s, each + i);
            draw(full, s, each[i]);
            check_drawn_from(&expected);
        }
        ddpm_schedule_free(s);
    }
    ddpm_schedule_free(full);
}

/* No noise, so every pair must land where the affine map says, not only on average. */
static void deterministic_ddim_is_its_affine_map(void **state)
{
    (void)state;
    ddpm_schedule *full = create("cosine", 1000), *s = respaced(full, "leading", 50);
    const ddpm_sampler_options options = { .name = "ddim" };
    affine whole;
    carry(&whole, s, &options);
    draw(full, s, options);
    for (size_t i = 0; i < FLOATS; i += 2) {
        double pair[2] = { (double)start[i], (double)start[i + 1] };
        apply(pair, whole.map, pair);
        CHECK_LE(fabs((double)images[i] - pair[0] - whole.shift[0]), 1e-5);
        CHECK_LE(fabs((double)images[i + 1] - pair[1] - whole.shift[1]), 1e-5);
    }
    ddpm_schedule_free(s);
    ddpm_schedule_free(full);
}

/* The probability flow of Gaussian data maps quantiles to quantiles:
 * x_0 = mu + S^1/2 C_T^-1/2 (x_T - sqrt(abar_T) mu). */
static double distance_to_the_flow(const ddpm_schedule *full, size_t steps)
{
    ddpm_schedule *s = respaced(full, "spread", steps);
    const ddpm_sampler_options options = { .name = "ddim" };
    affine whole;
    carry(&whole, s, &options);
    const double abar = full->alpha_bar[full->steps - 1];
    const matrix flow = times(root(S), inverse(root(combine(abar, S, 1.0 - abar, I))));
    double shift[2];
    apply(shift, flow, mu);
    for (int i = 0; i < 2; i++) shift[i] = mu[i] - sqrt(abar) * shift[i];
    ddpm_schedule_free(s);
    return worse(covariance_distance(whole.map, flow), mean_distance(whole.shift, shift));
}

static void deterministic_ddim_converges_to_the_probability_flow(void **state)
{
    (void)state;
    ddpm_schedule *full = create("linear", 1000);
    const double coarse = distance_to_the_flow(full, 50), fine = distance_to_the_flow(full, 100);
    CHECK_LE(coarse, 0.05);
    CHECK_LE(fine, 0.7 * coarse);
    CHECK_LE(distance_to_the_flow(full, 1000), 0.005);
    ddpm_schedule_free(full);
}

/* (1 - t) x_0 + t eps of N(mu, S): the best velocity is E[eps - x_0 | x], affine in x. */
static void exact_velocity(float *v, float *variance, const float *x, double time, size_t n,
                           size_t d, void *context)
{
    (void)variance, (void)context;
    const double t = time / 1000.0, a = 1.0 - t;
    const matrix precision = inverse(combine(a * a, S, t * t, I));
    const matrix to_velocity = times(combine(t, I, -a, S), precision);
    for (size_t i = 0; i < n * d; i += 2) {
        double pair[2] = { (double)x[i] - a * mu[0], (double)x[i + 1] - a * mu[1] };
        apply(pair, to_velocity, pair);
        v[i] = (float)(pair[0] - mu[0]);
        v[i + 1] = (float)(pair[1] - mu[1]);
    }
}

/* Largest distance of drawn images from where the exact flow takes their starts,
 * x_0 = mu + S^1/2 C_T^-1/2 (x_T - sqrt(abar_T) mu). */
static double distance_of_images(double abar)
{
    const matrix flow = times(root(S), inverse(root(combine(abar, S, 1.0 - abar, I))));
    double worst = 0.0;
    for (size_t i = 0; i < FLOATS; i += 2) {
        double pair[2] = { (double)start[i] - sqrt(abar) * mu[0],
                           (double)start[i + 1] - sqrt(abar) * mu[1] };
        apply(pair, flow, pair);
        for (size_t k = 0; k < 2; k++)
            worst = worse(worst, fabs((double)images[i + k] - pair[k] - mu[k]));
    }
    return worst;
}

static double solver_distance(const char *name, const char *spacing, size_t steps)
{
    ddpm_schedule *full = create("linear", 1000), *s = respaced(full, spacing, steps);
    draw(full, s, (ddpm_sampler_options){ .name = name });
    /* the start is taken for one of the highest level of the chain */
    const double distance = distance_of_images(s->alpha_bar[s->steps - 1]);
    ddpm_schedule_free(s);
    ddpm_schedule_free(full);
    return distance;
}

static void solvers_of_second_order_are_of_second_order(void **state)
{
    (void)state;
    const double heun20 = solver_distance("heun", "karras", 20);
    const double heun40 = solver_distance("heun", "karras", 40);
    const double dpm20 = solver_distance("dpm++", "karras", 20);
    const double dpm40 = solver_distance("dpm++", "karras", 40);
    const double euler40 = solver_distance("euler", "karras", 40);
    const double euler80 = solver_distance("euler", "karras", 80);
    print_message("heun %.2e %.2e, dpm++ %.2e %.2e, euler %.2e %.2e\n", heun20, heun40, dpm20,
                  dpm40, euler40, euler80);
    CHECK_LE(heun20, 0.15);
    CHECK_LE(heun40, heun20 / 3.0);
    CHECK_LE(dpm20, 0.15);
    CHECK_LE(dpm40, dpm20 / 2.5);
    CHECK_LE(euler80, euler40 / 1.8);
    CHECK_LE(heun40, euler80 / 3.0); /* as many evaluations */
    CHECK_LE(dpm40, euler40 / 3.0);
}

static double flow_distance(const char *name, size_t steps)
{
    ddpm_schedule *flow = NULL;
    CHECK_OK(ddpm_schedule_flow(&flow, steps));
    ddpm_sampler_options options = { .name = name,
                                     .prediction = DDPM_PREDICT_VELOCITY,
                                     .denoise = exact_velocity };
    CHECK_OK(ddpm_sampler_check(&options, flow));
    ddpm_image_init(start, 17, 0, IMAGES, D);
    memcpy(images, start, sizeof images);
    ddpm_sampler_run(images, scratch, IMAGES, D, flow, &options);
    ddpm_schedule_free(flow);
    return distance_of_images(0.0);
}

static void a_rectified_flow_carries_noise_to_the_data(void **state)
{
    (void)state;
    const double euler = flow_distance("euler", 100), euler2 = flow_distance("euler", 200);
    const double heun = flow_distance("heun", 50), heun2 = flow_distance("heun", 100);
    const double dpm = flow_distance("dpm++", 100), dpm2 = flow_distance("dpm++", 200);
    print_message("euler %.2e %.2e, heun %.2e %.2e, dpm++ %.2e %.2e\n", euler, euler2, heun, heun2,
                  dpm, dpm2);
    CHECK_LE(euler, 0.1);
    CHECK_LE(euler2, euler / 1.8);
    CHECK_LE(heun, 0.02);
    CHECK_LE(heun2, heun / 3.0);
    CHECK_LE(dpm, 0.02);
    CHECK_LE(dpm2, dpm / 2.0);
    flow_distance("heun", 100);
    const law data = { .mean = { mu[0], mu[1] }, .covariance = S };
    check_drawn_from(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ancestral_sampling_gives_the_datas_mean_and_covariance_in_every_schedule),
        cmocka_unit_test(respaced_chains_follow_their_law),
        cmocka_unit_test(deterministic_ddim_is_its_affine_map),
        cmocka_unit_test(deterministic_ddim_converges_to_the_probability_flow),
        cmocka_unit_test(solvers_of_second_order_are_of_second_order),
        cmocka_unit_test(a_rectified_flow_carries_noise_to_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
