/* The loss of Gaussian data under their exact denoiser, which is known in closed form. */
#include "bpd_units.h"
#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/held_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, BATCHES = 160, D = 32, IMAGES = BATCH * BATCHES };
static const double std = 0.5;

typedef struct {
    ddpm_schedule *schedule;
    ddpm_objective objective;
    ddpm_held_out_options options;
    float *scratch, *x0;
    size_t calls;
    float first_times[BATCH];
} fixture;

/* The level that a network is told the time of. */
static ddpm_level level_of(const fixture *f, float time)
{
    return f->schedule->is_flow ? ddpm_level_of_flow((double)time / 1000.0, f->schedule->steps)
                                : ddpm_level_at(f->schedule, (size_t)time);
}

/* var(x_0 | x_t), and the factor of its mean in x_t. */
static double posterior(double *factor, const ddpm_level *level)
{
    const double a = level->signal, b = level->noise, s2 = std * std;
    *factor = a * s2 / (a * a * s2 + b * b);
    return s2 * b * b / (a * a * s2 + b * b);
}

static void exact(float *output, const float *xt, const float *times, void *context)
{
    fixture *f = context;
    for (size_t i = 0; i < (size_t)BATCH * D; i++) {
        double factor;
        const ddpm_level level = level_of(f, times[i / D]);
        posterior(&factor, &level);
        const double x0 = factor * (double)xt[i],
                     eps = ((double)xt[i] - level.signal * x0) / level.noise;
        output[i] = (float)(f->schedule->is_flow ? eps - x0 : eps);
    }
    if (f->calls++ == 0) memcpy(f->first_times, times, sizeof f->first_times);
}

static void setup(fixture *f, size_t steps, bool flow)
{
    *f = (fixture){ .calls = 0 };
    if (flow)
        CHECK_OK(ddpm_schedule_flow(&f->schedule, steps));
    else
        CHECK_OK(ddpm_schedule_create(&f->schedule, "linear", steps, 5e-4, 0.1));
    f->objective = (ddpm_objective){ .prediction = flow ? DDPM_PREDICT_VELOCITY : DDPM_PREDICT_EPS,
                                     .schedule = f->schedule };
    f->options = (ddpm_held_out_options){ .objective = &f->objective,
                                          .seed = 7,
                                          .batch = BATCH,
                                          .d = D,
                                          .channels = 1,
                                          .network = exact,
                                          .network_context = f };
    f->scratch = calloc(ddpm_held_out_scratch_floats(&f->options), sizeof *f->scratch);
    f->x0 = calloc((size_t)IMAGES * D, sizeof *f->x0);
    assert_true(f->scratch && f->x0);
    fill_normal(f->x0, (size_t)IMAGES * D, 3);
    for (size_t i = 0; i < (size_t)IMAGES * D; i++) f->x0[i] *= (float)std;
}

static void teardown(fixture *f)
{
    ddpm_schedule_free(f->schedule);
    free(f->scratch);
    free(f->x0);
}

static ddpm_held_out_loss run(fixture *f, size_t batches)
{
    double sums[DDPM_QUARTILES] = { 0.0 }, unit[DDPM_QUARTILES];
    for (size_t b = 0; b < batches; b++) {
        held_out_unit(unit, f->scratch, f->x0 + b * BATCH * D, b * BATCH, BATCH, &f->options);
        for (size_t q = 0; q < DDPM_QUARTILES; q++) sums[q] += unit[q];
    }
    return ddpm_held_out_mean(sums, batches * BATCH, f->schedule);
}

/* E (eps - eps_hat)^2 = (signal / noise)^2 var(x_0 | x_t); of a flow, whose velocity's error is
 * that of x_0 over t, var(x_0 | x_t) / t^2. */
static double expected_at(const ddpm_level *level, bool flow)
{
    double factor;
    const double ratio = flow ? 1.0 / level->noise : level->signal / level->noise;
    return ratio * ratio * posterior(&factor, level);
}

static void compare(size_t steps, bool flow)
{
    fixture f;
    setup(&f, steps, flow);
    const ddpm_held_out_loss loss = run(&f, BATCHES);
    double quarter[DDPM_QUARTILES] = { 0.0 }, count[DDPM_QUARTILES] = { 0.0 }, mean = 0.0;
    const size_t points = flow ? 4000 : steps;
    for (size_t t = 0; t < points; t++) {
        const ddpm_level level = flow ? ddpm_level_of_flow(((double)t + 0.5) / (double)points, 100)
                                      : ddpm_level_at(f.schedule, t);
        const size_t q = t * DDPM_QUARTILES / points;
        quarter[q] += expected_at(&level, flow);
        count[q] += 1.0;
        mean += expected_at(&level, flow) / (double)points;
    }
    for (size_t q = 0; q < DDPM_QUARTILES; q++)
        CHECK_LE(fabs(loss.quarter[q] / (quarter[q] / count[q]) - 1.0), 0.05);
    CHECK_LE(fabs(loss.mean / mean - 1.0), 0.03);
    teardown(&f);
}

static void the_loss_is_that_of_the_exact_denoiser_in_every_quarter(void **state)
{
    (void)state;
    compare(200, false);
    compare(10, false); /* quarters of 3, 2, 3, 2 timesteps */
}

static void the_loss_of_a_flow_is_that_of_its_exact_velocity(void **state)
{
    (void)state;
    compare(100, true);
}

static void the_mean_weighs_quarters_by_their_timesteps(void **state)
{
    (void)state;
    fixture f;
    const double sums[DDPM_QUARTILES] = { 4.0, 8.0, 12.0, 16.0 };
    setup(&f, 10, false);
    const ddpm_held_out_loss loss = ddpm_held_out_mean(sums, 4, f.schedule);
    for (int q = 0; q < DDPM_QUARTILES; q++) assert_true(loss.quarter[q] == 1.0 + q);
    CHECK_LE(fabs(loss.mean - (3.0 * 1.0 + 2.0 * 2.0 + 3.0 * 3.0 + 2.0 * 4.0) / 10.0), 1e-15);
    teardown(&f);
}

static void a_quarter_without_timesteps_has_no_loss(void **state)
{
    (void)state;
    fixture f;
    setup(&f, 2, false);
    const ddpm_held_out_loss loss = run(&f, 1);
    assert_true(isfinite(loss.quarter[0]) && isnan(loss.quarter[1]));
    assert_true(isfinite(loss.quarter[2]) && isnan(loss.quarter[3]));
    CHECK_LE(fabs(loss.mean - 0.5 * (loss.quarter[0] + loss.quarter[2])), 1e-15);
    assert_int_equal(f.calls, 2);
    teardown(&f);
}

static void timesteps_and_noise_are_the_same_every_time(void **state)
{
    (void)state;
    fixture f;
    float times[BATCH];
    double one[DDPM_QUARTILES], again[DDPM_QUARTILES], other[DDPM_QUARTILES];
    setup(&f, 200, false);
    held_out_unit(one, f.scratch, f.x0, 0, BATCH, &f.options);
    memcpy(times, f.first_times, sizeof times);
    run(&f, 3);
    f.calls = 0;
    held_out_unit(again, f.scratch, f.x0, 0, BATCH, &f.options);
    assert_memory_equal(times, f.first_times, sizeof times);
    assert_memory_equal(one, again, sizeof one);
    held_out_unit(other, f.scratch, f.x0, BATCH, BATCH, &f.options); /* by the image's index */
    assert_memory_not_equal(one, other, sizeof one);
    teardown(&f);
}

static void images_beyond_the_count_are_left_out(void **state)
{
    (void)state;
    fixture f;
    double three[DDPM_QUARTILES], all[DDPM_QUARTILES];
    setup(&f, 200, false);
    held_out_unit(all, f.scratch, f.x0, 0, BATCH, &f.options);
    held_out_unit(three, f.scratch, f.x0, 0, 3, &f.options);
    for (size_t q = 0; q < DDPM_QUARTILES; q++) assert_true(three[q] > 0.0 && three[q] < all[q]);
    for (size_t i = 3 * D; i < (size_t)BATCH * D; i++) f.x0[i] = 100.0f;
    held_out_unit(all, f.scratch, f.x0, 0, 3, &f.options);
    assert_memory_equal(three, all, sizeof three);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_is_that_of_the_exact_denoiser_in_every_quarter),
        cmocka_unit_test(the_loss_of_a_flow_is_that_of_its_exact_velocity),
        cmocka_unit_test(the_mean_weighs_quarters_by_their_timesteps),
        cmocka_unit_test(a_quarter_without_timesteps_has_no_loss),
        cmocka_unit_test(timesteps_and_noise_are_the_same_every_time),
        cmocka_unit_test(images_beyond_the_count_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
