#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/repaint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, D = 8, T = 20, FLOATS = N * D, MOST_STEPS = 4096 };

/* A network with no meaning. */
static void wavy(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                 void *context)
{
    (void)variance, (void)context;
    for (size_t i = 0; i < n * d; i++) eps[i] = (float)sin(2.0 * (double)x[i] + 0.1 * t);
}

typedef struct {
    size_t index[MOST_STEPS], count;
} record;

static bool observer(size_t step, size_t index, const float *x, const float *x0, size_t n, size_t d,
                     void *context)
{
    record *seen = context;
    (void)x, (void)x0, (void)n, (void)d;
    assert_int_equal(step, seen->count);
    assert_in_range(step, 0, MOST_STEPS - 1);
    seen->index[seen->count++] = index;
    return true;
}

static ddpm_schedule *linear(size_t steps)
{
    ddpm_schedule *schedule = NULL;
    CHECK_OK(ddpm_schedule_create(&schedule, "linear", steps, 1e-3, 0.2));
    return schedule;
}

/* get_schedule_jump of the official code, with its dictionary: levels that are denoised. */
static size_t official(size_t *index, long steps, long jump, long times)
{
    static long jumps[MOST_STEPS];
    size_t count = 0;
    long t = steps;
    memset(jumps, 0, sizeof jumps);
    for (long j = 0; j < steps - jump; j += jump) jumps[j] = times - 1;
    bool denoises = false; /* from the time before to this one */
    while (t >= 1) {
        t--;
        if (denoises) index[count++] = (size_t)t + 1;
        denoises = true;
        if (jumps[t] > 0) {
            jumps[t]--;
            t += jump;
        }
    }
    index[count++] = 0;
    return count;
}

static void walk(float *x, const ddpm_schedule *schedule, const ddpm_repaint *repaint,
                 const char *sampler, ddpm_denoise *denoise, void *denoise_context, record *seen)
{
    static float scratch[7 * FLOATS];
    const ddpm_sampler_options options = { .name = sampler,
                                           .clip = DDPM_CLIP_X0,
                                           .denoise = denoise,
                                           .denoise_context = denoise_context,
                                           .prediction = schedule->is_flow ? DDPM_PREDICT_VELOCITY
                                                                           : DDPM_PREDICT_EPS,
                                           .observe = seen ? observer : NULL,
                                           .observe_context = seen };
    CHECK_OK(ddpm_sampler_check(&options, schedule));
    CHECK_OK(ddpm_repaint_check(repaint, sampler));
    ddpm_repaint_run(x, scratch, N, D, schedule, &options, repaint);
}

static void the_walk_is_the_official_one(void **state)
{
    (void)state;
    static const size_t cases[][3] = { { 20, 5, 3 },  { 20, 1, 2 },    { 20, 7, 4 },
                                       { 20, 19, 2 }, { 20, 20, 3 },   { 20, 30, 3 },
                                       { 1, 1, 5 },   { 250, 10, 10 }, { 20, 4, 1 } };
    static const float known[D] = { 0.0f };
    static const bool missing[D] = { true, false, true };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static record seen;
        static size_t want[MOST_STEPS];
        static float x[FLOATS];
        ddpm_schedule *schedule = linear(cases[i][0]);
        ddpm_image_noise images = { 1, 0, schedule };
        const ddpm_repaint repaint = {
            known, missing, cases[i][1], cases[i][2], ddpm_image_repaint_noise, &images
        };
        seen.count = 0;
        walk(x, schedule, &repaint, "ddpm", wavy, NULL, &seen);
        const size_t count = official(want, (long)cases[i][0], (long)cases[i][1],
                                      (long)cases[i][2]);
        assert_int_equal(seen.count, count);
        assert_int_equal(ddpm_repaint_steps(&repaint, cases[i][0]), count);
        assert_memory_equal(seen.index, want, count * sizeof *want);
        for (size_t index = 0; index < cases[i][0]; index++) {
            size_t visits = 0;
            for (size_t k = 0; k < count; k++) visits += want[k] == index;
            assert_int_equal(ddpm_repaint_visits(&repaint, cases[i][0], index), visits);
        }
        ddpm_schedule_free(schedule);
    }
}

static void counting(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                     void *context)
{
    ++*(size_t *)context;
    wavy(eps, variance, x, t, n, d, NULL);
}

/* Heun looks twice, but for the image's own step and where there is no signal, to which a walk may
 * come back. */
static void a_walk_takes_as_many_evaluations_as_said(void **state)
{
    (void)state;
    static const size_t cases[][3] = { { 20, 5, 3 }, { 21, 5, 3 }, { 5, 2, 3 }, { 1, 1, 2 } };
    static const float known[D] = { 0.0f };
    static const bool missing[D] = { true };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static float x[FLOATS];
        size_t calls = 0, said = 0;
        ddpm_schedule *schedule = NULL;
        CHECK_OK(ddpm_schedule_create(&schedule, "jsd", cases[i][0], 0.0, 0.0));
        ddpm_image_noise images = { 1, 0, schedule };
        const ddpm_repaint repaint = {
            known, missing, cases[i][1], cases[i][2], ddpm_image_repaint_noise, &images
        };
        walk(x, schedule, &repaint, "heun", counting, &calls, NULL);
        for (size_t index = 0; index < schedule->steps; index++)
            said += ddpm_repaint_visits(&repaint, schedule->steps, index) *
                    ddpm_sampler_evaluations("heun", schedule, index);
        assert_int_equal(calls, said);
        ddpm_schedule_free(schedule);
    }
}

static void what_is_known_stays_and_all_missing_without_jumps_is_the_sampler(void **state)
{
    (void)state;
    static const char *const samplers[] = { "ddpm", "ddim", "heun", "euler" };
    static float known[D], x[FLOATS], plain[FLOATS], scratch[7 * FLOATS];
    fill_uniform(known, D, 4);
    ddpm_schedule *schedule = linear(T);
    ddpm_image_noise images = { 7, 3, schedule };
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        bool missing[D];
        for (size_t k = 0; k < D; k++) missing[k] = k % 3 == 0;
        ddpm_repaint repaint = { known, missing, 3, 4, ddpm_image_repaint_noise, &images };
        ddpm_image_init(x, 7, 3, N, D);
        walk(x, schedule, &repaint, samplers[i], wavy, NULL, NULL);
        for (size_t k = 0; k < FLOATS; k++) assert_true((x[k] == known[k % D]) == (k % D % 3 != 0));

        for (size_t k = 0; k < D; k++) missing[k] = true;
        repaint.times = 1;
        ddpm_image_init(x, 7, 3, N, D);
        memcpy(plain, x, sizeof x);
        walk(x, schedule, &repaint, samplers[i], wavy, NULL, NULL);
        const ddpm_sampler_options options = { .name = samplers[i],
                                               .clip = DDPM_CLIP_X0,
                                               .denoise = wavy,
                                               .noise = ddpm_image_step_noise,
                                               .noise_context = &images };
        ddpm_sampler_run(plain, scratch, N, D, schedule, &options);
        assert_memory_equal(x, plain, sizeof x);
    }
    ddpm_schedule_free(schedule);
}

static void noise_after_a_jump_is_other_noise(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(T);
    ddpm_image_noise images = { 7, 3, schedule };
    float plain[FLOATS], noise[5][FLOATS];
    ddpm_image_step_noise(plain, 4, N, D, &images);
    ddpm_image_repaint_noise(noise[0], DDPM_REPAINT_STEP, 4, 0, N, D, &images);
    ddpm_image_repaint_noise(noise[1], DDPM_REPAINT_STEP, 4, 1, N, D, &images);
    ddpm_image_repaint_noise(noise[2], DDPM_REPAINT_KNOWN, 4, 0, N, D, &images);
    ddpm_image_repaint_noise(noise[3], DDPM_REPAINT_BACK, 4, 0, N, D, &images);
    ddpm_image_repaint_noise(noise[4], DDPM_REPAINT_KNOWN, 5, 0, N, D, &images);
    assert_memory_equal(noise[0], plain, sizeof plain);
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < i; k++) assert_memory_not_equal(noise[i], noise[k], sizeof plain);
    ddpm_schedule_free(schedule);
}

/* What noise a walk asked for. */
typedef struct {
    size_t asked[MOST_STEPS][3], count;
} requests;

static void ask(float *noise, ddpm_repaint_noise_kind kind, size_t index, size_t jumps, size_t n,
                size_t d, void *context)
{
    requests *all = context;
    const size_t one[3] = { (size_t)kind, index, jumps };
    for (size_t i = 0; i < all->count; i++) assert_memory_not_equal(all->asked[i], one, sizeof one);
    memcpy(all->asked[all->count++], one, sizeof one);
    memset(noise, 0, n * d * sizeof *noise);
}

static void no_noise_is_added_twice(void **state)
{
    (void)state;
    static const float known[D] = { 0.0f };
    static const bool missing[D] = { true };
    static float x[FLOATS];
    static requests all;
    ddpm_schedule *schedule = linear(T);
    const ddpm_repaint repaint = { known, missing, 3, 4, ask, &all };
    walk(x, schedule, &repaint, "ddpm", wavy, NULL, NULL);
    /* Of every step but the last to the image for the sampler and for what is known, and of jumps.
     */
    assert_int_equal(all.count, 2 * (ddpm_repaint_steps(&repaint, T) - 1) + (T - 1) / 3 * 3);
    ddpm_schedule_free(schedule);
}

/* Where everything is known the network sees q(x_t | x_0), of one noise below a jump and of the
 * sum of two behind it. */
static const float of_known = 0.75f, of_back = -1.25f;

static void constants(float *noise, ddpm_repaint_noise_kind kind, size_t index, size_t jumps,
                      size_t n, size_t d, void *context)
{
    (void)index, (void)jumps, (void)context;
    for (size_t i = 0; i < n * d; i++) noise[i] = kind == DDPM_REPAINT_BACK ? of_back : of_known;
}

typedef struct {
    double x[MOST_STEPS], t[MOST_STEPS];
    size_t count;
} inputs;

static void remember(float *said, float *variance, const float *x, double t, size_t n, size_t d,
                     void *context)
{
    inputs *seen = context;
    (void)variance;
    seen->x[seen->count] = (double)x[0];
    seen->t[seen->count++] = t;
    memset(said, 0, n * d * sizeof *said);
}

static void a_jump_back_is_the_forward_process(void **state)
{
    (void)state;
    enum { JUMP = 4 };
    static const float known[D] = { 0.6f };
    static const bool missing[D] = { false };
    for (int flow = 0; flow < 2; flow++) {
        static inputs seen;
        static float x[FLOATS];
        ddpm_schedule *schedule = NULL;
        if (flow)
            CHECK_OK(ddpm_schedule_flow(&schedule, T));
        else
            schedule = linear(T);
        const ddpm_repaint repaint = { known, missing, JUMP, 2, constants, NULL };
        seen.count = 0;
        walk(x, schedule, &repaint, flow ? "euler" : "ddim", remember, &seen, NULL);
        size_t jumps = 0;
        for (size_t i = 1; i < seen.count; i++) {
            size_t to = 0;
            while (schedule->timestep[to] < seen.t[i]) to++;
            const ddpm_level level = ddpm_level_at(schedule, to);
            double want = level.signal * (double)known[0] + level.noise * (double)of_known;
            if (seen.t[i] > seen.t[i - 1] || i == 0) {
                const ddpm_level from = ddpm_level_at(schedule, to - JUMP);
                const double kept = level.signal / from.signal * from.noise;
                const double added = sqrt(level.noise * level.noise - kept * kept);
                want = level.signal * (double)known[0] + kept * (double)of_known +
                       added * (double)of_back;
                jumps++;
            }
            CHECK_LE(fabs(seen.x[i] - want), 1e-6);
        }
        assert_int_equal(jumps, (T - 1) / JUMP);
        ddpm_schedule_free(schedule);
    }
}

/* Pixels of N(0, s^2) with correlation rho, and their exact network: eps = noise C_t^-1 x. */
static const double s2 = 0.25, rho = 0.9;

static void exact(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                  void *context)
{
    const ddpm_schedule *schedule = context;
    const double abar = schedule->alpha_bar[(size_t)t];
    const double a = abar * s2 + 1.0 - abar, b = abar * s2 * rho, determinant = a * a - b * b;
    (void)variance;
    for (size_t i = 0; i < n * d; i += 2) {
        const double x0 = (double)x[i], x1 = (double)x[i + 1], noise = sqrt(1.0 - abar);
        eps[i] = (float)(noise * (a * x0 - b * x1) / determinant);
        eps[i + 1] = (float)(noise * (a * x1 - b * x0) / determinant);
    }
}

/* The mean of the missing pixel over 4000 pairs. */
static double filled_mean(ddpm_schedule *schedule, float known_pixel, size_t times)
{
    enum { PAIRS = 4000 };
    const float known[2] = { known_pixel, 0.0f };
    const bool missing[2] = { false, true };
    float *x = calloc(2 * PAIRS, sizeof *x), *scratch = calloc(14 * PAIRS, sizeof *scratch);
    assert_true(x && scratch);
    ddpm_image_noise images = { 11, 0, schedule };
    const ddpm_repaint repaint = { known, missing, 5, times, ddpm_image_repaint_noise, &images };
    const ddpm_sampler_options options = { .name = "ddpm",
                                           .variance = DDPM_VARIANCE_FIXEDSMALL,
                                           .denoise = exact,
                                           .denoise_context = schedule };
    double sum = 0.0;
    ddpm_image_init(x, 11, 0, PAIRS, 2);
    ddpm_repaint_run(x, scratch, PAIRS, 2, schedule, &options, &repaint);
    for (size_t i = 0; i < PAIRS; i++) sum += (double)x[2 * i + 1];
    free(x);
    free(scratch);
    return sum / PAIRS;
}

static void jumps_bring_what_is_filled_in_to_fit_what_is_known(void **state)
{
    (void)state;
    ddpm_schedule *schedule = linear(50);
    const double want = rho * 0.8; /* E(missing | known) */
    const double once = filled_mean(schedule, 0.8f, 1), often = filled_mean(schedule, 0.8f, 5);
    /* Not to the end: at a noisy level the network takes what is known for nearer to the mean of
     * all images than it is, however often that is walked. 0.64 of 0.72; without jumps 0.48. */
    CHECK_LE(fabs(often - want), 0.1);
    assert_true(fabs(once - want) > 2.0 * fabs(often - want));
    ddpm_schedule_free(schedule);
}

static void what_cannot_walk_is_refused(void **state)
{
    (void)state;
    ddpm_repaint repaint = { .jump = 1, .times = 1 };
    CHECK_STATUS(ddpm_repaint_check(&repaint, "dpm++"), DDPM_ECONFIG);
    CHECK_MESSAGE("jumps back");
    repaint.jump = 0;
    CHECK_STATUS(ddpm_repaint_check(&repaint, "ddpm"), DDPM_ECONFIG);
    repaint = (ddpm_repaint){ .jump = 1, .times = 0 };
    CHECK_STATUS(ddpm_repaint_check(&repaint, "ddpm"), DDPM_ECONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walk_is_the_official_one),
        cmocka_unit_test(a_walk_takes_as_many_evaluations_as_said),
        cmocka_unit_test(what_is_known_stays_and_all_missing_without_jumps_is_the_sampler),
        cmocka_unit_test(noise_after_a_jump_is_other_noise),
        cmocka_unit_test(no_noise_is_added_twice),
        cmocka_unit_test(a_jump_back_is_the_forward_process),
        cmocka_unit_test(jumps_bring_what_is_filled_in_to_fit_what_is_known),
        cmocka_unit_test(what_cannot_walk_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
