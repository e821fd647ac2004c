/* Where a network's images reach beyond [-1,1], as those of any network do that is not perfect, the
 * way of clipping them decides whether more steps bring a sampler nearer to the ODE or further off.
 */
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/sampler.h"
#include "ddpm/diffusion/timesteps.h"

#include <math.h>
#include <stdlib.h>

enum { PIXELS = 64 };
static const double mean = -1.0, variance = 0.05 * 0.05;

/* As eps, E[x_0 | x_t] of normal pixels of that mean and variance, and an error of at most 0.03,
 * which is of either sign with the same right. */
static void network(float *said, float *unused, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    (void)unused;
    const ddpm_level level = ddpm_level_at(context, (size_t)t);
    const double a = level.signal, b = level.noise;
    const double slope = variance * a / (a * a * variance + b * b);
    for (size_t i = 0; i < n * d; i++) {
        const double error = 0.03 * sin(37.0 * t + (double)i);
        const double x0 = mean + slope * ((double)x[i] - a * mean) + error;
        said[i] = (float)(((double)x[i] - a * x0) / b);
    }
}

/* The mean of what is drawn from x_T between -1/2 and 1/2; by the ODE it is -1. */
static double drawn_mean(const char *sampler, ddpm_clip clip, size_t steps)
{
    ddpm_schedule *full = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_create(&full, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "spread", steps));
    float x[PIXELS];
    float *scratch = calloc(ddpm_sampler_scratch_floats(1, PIXELS), sizeof *scratch);
    assert_non_null(scratch);
    for (size_t k = 0; k < PIXELS; k++) x[k] = (float)(((double)k + 0.5) / PIXELS - 0.5);
    const ddpm_sampler_options options = { .name = sampler,
                                           .prediction = DDPM_PREDICT_EPS,
                                           .trained = full,
                                           .clip = clip,
                                           .denoise = network,
                                           .denoise_context = full };
    const ddpm_schedule *schedule = spaced ? spaced : full;
    CHECK_OK(ddpm_sampler_check(&options, schedule));
    ddpm_sampler_run(x, scratch, 1, PIXELS, schedule, &options);
    double sum = 0.0;
    for (size_t k = 0; k < PIXELS; k++) sum += (double)x[k];
    free(scratch);
    ddpm_schedule_free(spaced);
    ddpm_schedule_free(full);
    return sum / PIXELS;
}

static void more_steps_do_not_drift(void **state)
{
    (void)state;
    static const char *const samplers[] = { "ddim", "euler" };
    for (size_t s = 0; s < 2; s++) {
        const ddpm_clip clip = ddpm_sampler_find(samplers[s])->default_clip;
        const double few = drawn_mean(samplers[s], clip, 10);
        const double many = drawn_mean(samplers[s], clip, 500);
        CHECK_LE(fabs(few + 1.0), 0.02);
        CHECK_LE(fabs(many - few), 0.005);
        /* What the network's own eps does: what is cut off is added at every step. */
        CHECK_LE(drawn_mean(samplers[s], DDPM_CLIP_X0, 10) + 0.05,
                 drawn_mean(samplers[s], DDPM_CLIP_X0, 500));
    }
}

static void heun_comes_nearer_with_more_steps(void **state)
{
    (void)state;
    const ddpm_clip clip = ddpm_sampler_find("heun")->default_clip;
    const double few = drawn_mean("heun", clip, 10), many = drawn_mean("heun", clip, 500);
    assert_int_equal(clip, DDPM_CLIP_X0_REDERIVE);
    CHECK_LE(fabs(many + 1.0), 0.03);
    CHECK_LE(fabs(many + 1.0), fabs(few + 1.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_steps_do_not_drift),
        cmocka_unit_test(heun_comes_nearer_with_more_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
