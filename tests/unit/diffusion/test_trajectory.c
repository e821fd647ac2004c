/* Heun's and Euler's methods, which the reference's golden trajectories do not have, step by step
 * against programs of their own in double. The network has no meaning, and is not linear. */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/sampler.h"

#include <math.h>
#include <string.h>

enum { D = 16, MOST = 64 };

static double said(double x, double t)
{
    return 0.6 * x + 0.5 * sin(2.0 * x + 0.003 * t) + 0.1 * cos(0.01 * t);
}

static void network(float *out, float *variance, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    (void)variance, (void)context;
    for (size_t i = 0; i < n * d; i++) out[i] = (float)said((double)x[i], t);
}

/* Where x is after each step. */
typedef struct {
    double x[MOST][D];
    double worst;
    size_t steps;
} trajectory;

/* Karras et al. 2022 algorithm 1 with S_churn = 0, line by line. Images are y = x sqrt(1 + sigma^2)
 * at noise levels sigma_0 > sigma_1 > .. > sigma_N = 0, and D(y; sigma) = y - sigma eps. */
static void edm(trajectory *out, const float *start, const double *sigma, const double *time,
                size_t steps, bool second_order)
{
    double y[D];
    for (size_t k = 0; k < D; k++) y[k] = (double)start[k] * sqrt(1.0 + sigma[0] * sigma[0]);
    for (size_t i = 0; i < steps; i++)
        for (size_t k = 0; k < D; k++) {
            const double from = sigma[i], to = sigma[i + 1];
            const double denoised = y[k] - from * said(y[k] / sqrt(1.0 + from * from), time[i]);
            const double slope = (y[k] - denoised) / from;
            double next = y[k] + (to - from) * slope;
            if (second_order && to != 0.0) {
                const double again = next - to * said(next / sqrt(1.0 + to * to), time[i + 1]);
                next = y[k] + (to - from) * (0.5 * slope + 0.5 * (next - again) / to);
            }
            y[k] = next;
            out->x[i][k] = next / sqrt(1.0 + to * to);
        }
}

/* dx / dt = v(x, 1000 t) from t = 1 to 0. */
static void flow(trajectory *out, const float *start, size_t steps, bool second_order)
{
    const double h = -1.0 / (double)steps;
    for (size_t k = 0; k < D; k++) {
        double x = (double)start[k];
        for (size_t i = 0; i < steps; i++) {
            const double t = 1.0 + (double)i * h;
            const double slope = said(x, 1000.0 * t);
            double next = x + h * slope;
            /* the last step of algorithm 1 is of first order here too */
            if (second_order && i + 1 < steps)
                next = x + h * 0.5 * (slope + said(next, 1000.0 * (t + h)));
            out->x[i][k] = x = next;
        }
    }
}

static bool compare(size_t step, size_t index, const float *x, const float *x0, size_t n, size_t d,
                    void *context)
{
    trajectory *want = context;
    (void)index, (void)x0;
    assert_int_equal(n * d, D);
    want->worst = worse(want->worst, max_error(x, want->x[step], D));
    want->steps++;
    return true;
}

static double follow(trajectory *want, float *x, const ddpm_schedule *schedule,
                     ddpm_sampler_options options)
{
    float scratch[7 * D];
    assert_int_equal(ddpm_sampler_scratch_floats(1, D), 7 * D);
    options.denoise = network;
    options.observe = compare;
    options.observe_context = want;
    CHECK_OK(ddpm_sampler_check(&options, schedule));
    ddpm_sampler_run(x, scratch, 1, D, schedule, &options);
    assert_int_equal(want->steps, schedule->steps);
    return want->worst;
}

static void each_step_through_a_diffusion_is_that_of_algorithm_1(void **state)
{
    (void)state;
    static const char *const schedules[] = { "linear", "cosine", "quad" };
    static const char *const spacings[] = { "karras", "uniform", "quadratic" };
    for (size_t c = 0; c < 3 * 3 * 3; c++) {
        ddpm_schedule *full = NULL, *s = NULL;
        const char *name = (const char *[]){ "heun", "euler", "ddim" }[c % 3];
        CHECK_OK(ddpm_schedule_create(&full, schedules[c / 9], 1000, 1e-4, 0.02));
        CHECK_OK(ddpm_schedule_space(&s, full, spacings[c / 3 % 3], 18));
        double sigma[MOST + 1] = { 0.0 }, time[MOST];
        for (size_t i = 0; i < 18; i++) {
            sigma[i] = sqrt(1.0 / s->alpha_bar[17 - i] - 1.0);
            time[i] = s->timestep[17 - i];
        }
        trajectory want = { .steps = 0 };
        float x[D];
        fill_normal(x, D, 5);
        edm(&want, x, sigma, time, 18, strcmp(name, "heun") == 0);
        const double error = follow(&want, x, s, (ddpm_sampler_options){ .name = name });
        print_message("%s, %s, %s: %.1e\n", schedules[c / 9], spacings[c / 3 % 3], name, error);
        CHECK_LE(error, 1.5e-6);
        ddpm_schedule_free(s);
        ddpm_schedule_free(full);
    }
}

static void each_step_along_a_flow_is_that_of_its_method(void **state)
{
    (void)state;
    static const size_t steps[] = { 1, 2, 7, 50 };
    for (size_t c = 0; c < 2 * 4; c++) {
        const bool twice = c % 2;
        ddpm_schedule *s = NULL;
        CHECK_OK(ddpm_schedule_flow(&s, steps[c / 2]));
        trajectory want = { .steps = 0 };
        float x[D];
        fill_normal(x, D, 6);
        flow(&want, x, steps[c / 2], twice);
        const ddpm_sampler_options options = { .name = twice ? "heun" : "euler",
                                               .prediction = DDPM_PREDICT_VELOCITY };
        const double error = follow(&want, x, s, options);
        print_message("%s, %zu steps: %.1e\n", options.name, steps[c / 2], error);
        CHECK_LE(error, 1.5e-6);
        ddpm_schedule_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_through_a_diffusion_is_that_of_algorithm_1),
        cmocka_unit_test(each_step_along_a_flow_is_that_of_its_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
