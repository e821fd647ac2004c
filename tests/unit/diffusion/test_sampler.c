#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, D = 8, T = 12, FLOATS = N * D, SCRATCH = 7 * FLOATS };

/* A network with no meaning: smooth in x, and different at every timestep. */
static void wavy(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                 void *context)
{
    size_t *calls = context;
    for (size_t i = 0; variance && i < n * d; i++) variance[i] = (float)cos((double)x[i]);
    if (calls) ++*calls;
    for (size_t i = 0; i < n * d; i++) eps[i] = (float)sin(2.0 * (double)x[i] + 0.1 * t);
}

static void broken(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                   void *context)
{
    wavy(eps, variance, x, t, n, d, context);
    eps[0] = NAN;
}

typedef struct {
    size_t steps, noisy_steps;
    size_t stop_after;
    double largest_x0;
} record;

static void counted_noise(float *noise, size_t index, size_t n, size_t d, void *context)
{
    ((record *)context)->noisy_steps++;
    fill_normal(noise, n * d, index);
}

static bool observer(size_t step, size_t index, const float *x, const float *x0, size_t n, size_t d,
                     void *context)
{
    record *seen = context;
    assert_non_null(x);
    assert_int_equal(step, seen->steps);
    assert_int_equal(index, T - 1 - step);
    for (size_t i = 0; i < n * d; i++)
        seen->largest_x0 = worse(seen->largest_x0, fabs((double)x0[i]));
    return ++seen->steps != seen->stop_after;
}

static ddpm_schedule *linear(size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", steps, 1e-3, 0.2));
    return schedule;
}

static ddpm_sampler_options recorded(const char *name, record *seen)
{
    return (ddpm_sampler_options){ .name = name,
                                   .clip = DDPM_CLIP_X0,
                                   .denoise = wavy,
                                   .noise = counted_noise,
                                   .noise_context = seen,
                                   .observe = observer,
                                   .observe_context = seen };
}

static void run(float *x, const ddpm_schedule *schedule, const ddpm_sampler_options *options)
{
    float scratch[SCRATCH];
    assert_int_equal(ddpm_sampler_scratch_floats(N, D), SCRATCH);
    CHECK_OK(ddpm_sampler_check(options, schedule));
    ddpm_sampler_run(x, scratch, N, D, schedule, options);
}

static size_t evaluations_of(const char *sampler, const ddpm_schedule *schedule)
{
    size_t sum = 0;
    for (size_t index = 0; index < schedule->steps; index++)
        sum += ddpm_sampler_evaluations(sampler, schedule, index);
    return sum;
}

static void every_step_is_as_many_evaluations_as_said_and_the_last_adds_no_noise(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    for (size_t k = 0; ddpm_sampler_names[k]; k++) {
        const ddpm_sampler_info *info = ddpm_sampler_find(ddpm_sampler_names[k]);
        assert_string_equal(info->name, ddpm_sampler_names[k]);
        float x[FLOATS];
        fill_normal(x, FLOATS, 1);
        size_t calls = 0;
        record seen = { 0 };
        ddpm_sampler_options options = recorded(info->name, &seen);
        options.denoise_context = &calls;
        options.eta = 1.0;
        run(x, schedule, &options);
        const bool noisy = info->takes_eta || info->adds_noise;
        assert_int_equal(calls, info->evaluates_twice ? 2 * T - 1 : T);
        assert_int_equal(calls, evaluations_of(info->name, schedule));
        assert_int_equal(seen.steps, T);
        assert_int_equal(seen.noisy_steps, noisy ? T - 1 : 0);
        CHECK_LE(seen.largest_x0, 1.0);
    }
    ddpm_schedule_free(schedule);
}

/* Heun's step out of a level without signal, where noise / signal is infinite, is Euler's. */
static void a_schedule_without_signal_at_its_end_takes_at_most_one_evaluation_less(void **state)
{
    (void)state;
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "jsd", T, 0, 0));
    for (size_t k = 0; ddpm_sampler_names[k]; k++) {
        const ddpm_sampler_info *info = ddpm_sampler_find(ddpm_sampler_names[k]);
        float x[FLOATS];
        fill_normal(x, FLOATS, 1);
        size_t calls = 0;
        record seen = { 0 };
        ddpm_sampler_options options = recorded(info->name, &seen);
        options.denoise_context = &calls;
        run(x, schedule, &options);
        assert_int_equal(calls, info->evaluates_twice ? 2 * T - 2 : T);
        assert_int_equal(calls, evaluations_of(info->name, schedule));
    }
    ddpm_schedule_free(schedule);
}

static void ddim_without_eta_draws_no_noise(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    float x[FLOATS];
    fill_normal(x, FLOATS, 2);
    record seen = { 0 };
    ddpm_sampler_options options = recorded("ddim", &seen);
    run(x, schedule, &options);
    assert_int_equal(seen.noisy_steps, 0);
    ddpm_schedule_free(schedule);
}

static void the_observer_can_stop_the_chain(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    float x[FLOATS];
    fill_normal(x, FLOATS, 3);
    record seen = { .stop_after = 5 };
    ddpm_sampler_options options = recorded("ddpm", &seen);
    run(x, schedule, &options);
    assert_int_equal(seen.steps, 5);
    ddpm_schedule_free(schedule);
}

/* DDIM section 4.1: at eta 1 the process is DDPM's with the posterior's variance. */
static void ddim_at_eta_one_is_ddpm_with_the_small_variance(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    float x[FLOATS], y[FLOATS];
    fill_normal(x, FLOATS, 4);
    memcpy(y, x, sizeof x);
    record seen_x = { 0 }, seen_y = { 0 };
    ddpm_sampler_options options = recorded("ddpm", &seen_x);
    options.variance = DDPM_VARIANCE_FIXEDSMALL;
    options.clip = DDPM_CLIP_NONE;
    run(x, schedule, &options);
    options = recorded("ddim", &seen_y);
    options.eta = 1.0;
    options.clip = DDPM_CLIP_NONE;
    run(y, schedule, &options);
    CHECK_LE(max_error_f32(y, x, FLOATS), 2e-6);
    ddpm_schedule_free(schedule);
}

static void a_broken_network_stays_visible(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    static const ddpm_clip clips[] = { DDPM_CLIP_NONE, DDPM_CLIP_X0, DDPM_CLIP_X0_REDERIVE };
    for (size_t k = 0; ddpm_sampler_names[k]; k++)
        for (size_t c = 0; c < 3; c++) {
            float x[FLOATS];
            fill_normal(x, FLOATS, 5);
            record seen = { 0 };
            ddpm_sampler_options options = recorded(ddpm_sampler_names[k], &seen);
            options.clip = clips[c];
            options.denoise = broken;
            run(x, schedule, &options);
            assert_true(isnan(x[0]));
            assert_true(isfinite(x[1]));
        }
    ddpm_schedule_free(schedule);
}

static void a_schedule_that_ends_without_signal_can_be_sampled(void **state)
{
    (void)state;
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "jsd", T, 0, 0));
    for (size_t k = 0; ddpm_sampler_names[k]; k++) {
        float x[FLOATS];
        fill_normal(x, FLOATS, 6);
        record seen = { 0 };
        ddpm_sampler_options options = recorded(ddpm_sampler_names[k], &seen);
        options.clip = DDPM_CLIP_NONE;
        size_t calls = 0;
        options.denoise_context = &calls;
        run(x, schedule, &options);
        for (size_t i = 0; i < FLOATS; i++) assert_true(isfinite(x[i]));
        /* Where there is no signal there is no slope to look at twice. */
        assert_int_equal(calls, strcmp(options.name, "heun") == 0 ? 2 * T - 2 : T);
        assert_int_equal(calls, evaluations_of(options.name, schedule));
    }
    ddpm_schedule_free(schedule);
}

static void an_image_is_the_same_in_any_batch(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    float together[FLOATS], alone[D], scratch[SCRATCH], other[D];
    ddpm_image_noise noise = { .seed = 5, .first_image = 40, .schedule = schedule };
    ddpm_sampler_options options = { .name = "ddpm",
                                     .clip = DDPM_CLIP_X0,
                                     .denoise = wavy,
                                     .noise = ddpm_image_step_noise,
                                     .noise_context = &noise };
    ddpm_image_init(together, 5, 40, N, D);
    ddpm_sampler_run(together, scratch, N, D, schedule, &options);
    for (size_t i = 0; i < N; i++) {
        noise.first_image = 40 + i;
        ddpm_image_init(alone, 5, 40 + i, 1, D);
        ddpm_sampler_run(alone, scratch, 1, D, schedule, &options);
        assert_memory_equal(alone, together + i * D, sizeof alone);
    }
    noise.seed = 6;
    ddpm_image_init(other, 6, 40 + N - 1, 1, D);
    ddpm_sampler_run(other, scratch, 1, D, schedule, &options);
    assert_memory_not_equal(other, alone, sizeof alone);
    ddpm_schedule_free(schedule);
}

/* The stream is the network's timestep, so that a step's noise does not depend on how many steps
 * were left out before it. */
static void a_respaced_step_takes_the_noise_of_its_timestep(void **state)
{
    (void)state;
    ddpm_schedule *full = linear(T), *spaced = NULL;
    CHECK_OK(ddpm_schedule_respace(&spaced, full, (const size_t[]){ 1, 7, 11 }, 3));
    ddpm_image_noise of_full = { .seed = 9, .schedule = full };
    ddpm_image_noise of_spaced = { .seed = 9, .schedule = spaced };
    float a[D], b[D];
    ddpm_image_step_noise(a, 7, 1, D, &of_full);
    ddpm_image_step_noise(b, 1, 1, D, &of_spaced);
    assert_memory_equal(a, b, sizeof a);
    ddpm_image_step_noise(b, 2, 1, D, &of_spaced);
    assert_memory_not_equal(a, b, sizeof a);
    ddpm_schedule_free(full);
    ddpm_schedule_free(spaced);
}

/* What the network of test `wavy` says, as another prediction. */
static ddpm_prediction spoken;
static ddpm_schedule *spoken_of;

static void translated(float *said, float *variance, const float *x, double t, size_t n, size_t d,
                       void *context)
{
    float x0[FLOATS], eps[FLOATS];
    const ddpm_level level = ddpm_level_at(spoken_of, (size_t)t);
    wavy(eps, variance, x, t, n, d, context);
    ddpm_prediction_x0(x0, x, eps, &level, n * d, DDPM_PREDICT_EPS, spoken_of);
    ddpm_prediction_target(said, x0, eps, &level, 1, n * d, spoken, spoken_of);
}

static void every_prediction_of_the_same_network_draws_the_same_image(void **state)
{
    (void)state;
    spoken_of = linear(T);
    ddpm_schedule *spaced = NULL;
    CHECK_OK(ddpm_schedule_respace(&spaced, spoken_of, (const size_t[]){ 1, 4, 7, 11 }, 4));
    static const ddpm_prediction kinds[] = { DDPM_PREDICT_X0, DDPM_PREDICT_XPREV, DDPM_PREDICT_V };
    for (size_t k = 0; ddpm_sampler_names[k]; k++)
        for (size_t p = 0; p < 3; p++) {
            float x[FLOATS], y[FLOATS], scratch[SCRATCH];
            fill_normal(x, FLOATS, 4);
            memcpy(y, x, sizeof x);
            record seen = { 0 };
            ddpm_sampler_options options = recorded(ddpm_sampler_names[k], &seen);
            options.observe = NULL;
            options.trained = spoken_of;
            ddpm_sampler_run(x, scratch, N, D, spaced, &options);
            spoken = kinds[p];
            options.prediction = spoken;
            options.denoise = translated;
            ddpm_sampler_run(y, scratch, N, D, spaced, &options);
            CHECK_LE(max_error_f32(y, x, FLOATS), 2e-5);
        }
    ddpm_schedule_free(spaced);
    ddpm_schedule_free(spoken_of);
}

/* Also along a flow: the last step goes to the predicted image. */
static void with_clipping_no_image_leaves_its_range(void **state)
{
    (void)state;
    static const ddpm_clip clips[] = { DDPM_CLIP_X0, DDPM_CLIP_X0_REDERIVE };
    ddpm_schedule *schedule = linear(T), *flow = NULL;
    CHECK_OK(ddpm_schedule_flow(&flow, T));
    for (size_t k = 0; ddpm_sampler_names[k]; k++)
        for (int flows = 0; flows <= ddpm_sampler_find(ddpm_sampler_names[k])->takes_flow; flows++)
            for (size_t c = 0; c < 2; c++) {
                float x[FLOATS];
                fill_normal(x, FLOATS, 4);
                for (size_t i = 0; i < FLOATS; i++) x[i] *= 4.0f;
                record seen = { 0 };
                ddpm_sampler_options options = recorded(ddpm_sampler_names[k], &seen);
                options.clip = clips[c];
                if (flows) options.prediction = DDPM_PREDICT_VELOCITY;
                run(x, flows ? flow : schedule, &options);
                for (size_t i = 0; i < FLOATS; i++) CHECK_LE(fabs((double)x[i]), 1.0);
            }
    ddpm_schedule_free(schedule);
    ddpm_schedule_free(flow);
}

static void bright(float *said, float *variance, const float *x, double t, size_t n, size_t d,
                   void *context)
{
    (void)variance, (void)x, (void)t, (void)context;
    for (size_t i = 0; i < n * d; i++) said[i] = 1.5f;
}

static void ancestral_sampling_takes_xprev_as_it_is_said_at_steps_of_the_training(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T), *spaced = NULL;
    CHECK_OK(ddpm_schedule_respace(&spaced, schedule, (const size_t[]){ 1, 4, 11 }, 3));
    float x[FLOATS], scratch[SCRATCH];
    record seen = { 0 };
    ddpm_sampler_options options = recorded("ddpm", &seen);
    options.prediction = DDPM_PREDICT_XPREV;
    options.trained = schedule;
    options.denoise = bright;
    fill_normal(x, FLOATS, 4);
    run(x, schedule, &options);
    for (size_t i = 0; i < FLOATS; i++) assert_true(x[i] == 1.5f);
    CHECK_LE(seen.largest_x0, 1.0);
    options.observe = NULL;
    fill_normal(x, FLOATS, 4);
    ddpm_sampler_run(x, scratch, N, D, spaced, &options);
    for (size_t i = 0; i < FLOATS; i++) CHECK_LE(fabs((double)x[i]), 1.0);
    ddpm_schedule_free(schedule);
    ddpm_schedule_free(spaced);
}

/* The network says the logarithm of DDPM's beta. */
static void log_beta(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                     void *context)
{
    const ddpm_schedule *schedule = context;
    wavy(eps, NULL, x, t, n, d, NULL);
    for (size_t i = 0; variance && i < n * d; i++)
        variance[i] = (float)log(schedule->beta[(size_t)t]);
}

static void a_learned_variance_that_says_log_beta_is_the_fixed_one(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    float x[FLOATS], y[FLOATS];
    fill_normal(x, FLOATS, 4);
    memcpy(y, x, sizeof x);
    record seen_x = { 0 }, seen_y = { 0 };
    ddpm_sampler_options options = recorded("ddpm", &seen_x);
    options.variance = DDPM_VARIANCE_FIXEDLARGE;
    run(x, schedule, &options);
    options = recorded("ddpm", &seen_y);
    options.variance = DDPM_VARIANCE_LEARNED;
    options.trained = schedule;
    options.denoise = log_beta;
    options.denoise_context = schedule;
    run(y, schedule, &options);
    CHECK_LE(max_error_f32(y, x, FLOATS), 1e-6);
    ddpm_schedule_free(schedule);
}

/* At the ends of its range a learned variance is one of the fixed ones. */
static float range_end;

static void at_the_end(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                       void *context)
{
    wavy(eps, NULL, x, t, n, d, context);
    for (size_t i = 0; variance && i < n * d; i++) variance[i] = range_end;
}

static void the_ends_of_a_learned_range_are_the_fixed_variances(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    for (int large = 0; large < 2; large++) {
        float x[FLOATS], y[FLOATS];
        fill_normal(x, FLOATS, 4);
        memcpy(y, x, sizeof x);
        record seen_x = { 0 }, seen_y = { 0 };
        ddpm_sampler_options options = recorded("ddpm", &seen_x);
        options.variance = large ? DDPM_VARIANCE_FIXEDLARGE : DDPM_VARIANCE_FIXEDSMALL;
        run(x, schedule, &options);
        options = recorded("ddpm", &seen_y);
        options.variance = DDPM_VARIANCE_LEARNED_RANGE;
        options.denoise = at_the_end;
        range_end = large ? 1.0f : -1.0f;
        run(y, schedule, &options);
        CHECK_LE(max_error_f32(y, x, FLOATS), 1e-6);
    }
    ddpm_schedule_free(schedule);
}

static void bad_options_are_refused_with_a_reason(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T), *flow = NULL, *karras = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_flow(&flow, T));
    CHECK_OK(ddpm_schedule_karras(&karras, schedule, 5));
    CHECK_OK(ddpm_schedule_respace(&spaced, schedule, (const size_t[]){ 1, 7, 11 }, 3));
    const struct {
        ddpm_sampler_options options;
        const ddpm_schedule *schedule;
        const char *message;
    } cases[] = {
        { { .name = "dddm" }, schedule, "did you mean 'ddpm'" },
        { { .name = "ddim", .eta = 1.5 }, schedule, "1.5" },
        { { .name = "ddim", .eta = (double)NAN }, schedule, "eta" },
        { { .name = "ddim", .prediction = DDPM_PREDICT_VELOCITY }, flow, "euler" },
        { { .name = "euler" }, flow, "flow" },
        { { .name = "euler", .prediction = DDPM_PREDICT_VELOCITY }, schedule, "velocity" },
        { { .name = "heun", .prediction = DDPM_PREDICT_XPREV }, karras, "karras" },
        { { .name = "ddpm", .variance = DDPM_VARIANCE_LEARNED, .trained = schedule },
          spaced,
          "learned_range" },
        { { .name = "ddpm", .variance = DDPM_VARIANCE_LEARNED, .trained = karras },
          karras,
          "between" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STATUS(ddpm_sampler_check(&cases[i].options, cases[i].schedule), DDPM_ECONFIG);
        CHECK_MESSAGE(cases[i].message);
    }
    assert_null(ddpm_sampler_find("dddm"));
    for (size_t k = 0; ddpm_sampler_names[k]; k++) {
        ddpm_schedule *some = NULL;
        CHECK_OK(ddpm_schedule_space(&some, schedule,
                                     ddpm_sampler_find(ddpm_sampler_names[k])->default_spacing, 3));
        assert_int_equal(some->steps, 3);
        ddpm_schedule_free(some);
    }
    ddpm_schedule_free(schedule);
    ddpm_schedule_free(flow);
    ddpm_schedule_free(karras);
    ddpm_schedule_free(spaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_as_many_evaluations_as_said_and_the_last_adds_no_noise),
        cmocka_unit_test(a_schedule_without_signal_at_its_end_takes_at_most_one_evaluation_less),
        cmocka_unit_test(ddim_without_eta_draws_no_noise),
        cmocka_unit_test(the_observer_can_stop_the_chain),
        cmocka_unit_test(ddim_at_eta_one_is_ddpm_with_the_small_variance),
        cmocka_unit_test(a_broken_network_stays_visible),
        cmocka_unit_test(a_schedule_that_ends_without_signal_can_be_sampled),
        cmocka_unit_test(an_image_is_the_same_in_any_batch),
        cmocka_unit_test(a_respaced_step_takes_the_noise_of_its_timestep),
        cmocka_unit_test(every_prediction_of_the_same_network_draws_the_same_image),
        cmocka_unit_test(with_clipping_no_image_leaves_its_range),
        cmocka_unit_test(ancestral_sampling_takes_xprev_as_it_is_said_at_steps_of_the_training),
        cmocka_unit_test(a_learned_variance_that_says_log_beta_is_the_fixed_one),
        cmocka_unit_test(the_ends_of_a_learned_range_are_the_fixed_variances),
        cmocka_unit_test(bad_options_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
