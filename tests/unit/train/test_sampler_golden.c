/* Whole trajectories of a trained network, step by step against float64: network, schedule, spacing
 * and sampler together. */
#include "check.h"
#include "golden.h"
#include "numeric.h"
#include "weights.h"

#include "ddpm/diffusion/sampler.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2 };

/* About three times what float32 leaves of the network's output. */
static const double bound = 3e-6;

typedef struct {
    golden *file;
    ddpm_unet *unet;
    float *weights;
    const char *group;
    const ddpm_schedule *schedule;
    size_t floats;      /* of a batch */
    float *given_noise; /* [step, floats] */
    double *x, *x0;     /* golden: [step + 1, floats], [step, floats] */
    size_t network_calls;
    int64_t *timesteps;
    double worst_x, worst_x0;
} trajectory;

static void denoise(float *eps, float *variance, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    trajectory *run = context;
    (void)d, (void)variance;
    assert_int_equal(n, BATCH);
    assert_true(t == (double)run->timesteps[run->network_calls++]);
    const float times[BATCH] = { (float)t, (float)t };
    ddpm_unet_forward(run->unet, eps, x, times, run->weights, NULL);
}

static void golden_noise(float *noise, size_t index, size_t n, size_t d, void *context)
{
    const trajectory *run = context;
    const size_t step = run->schedule->steps - 1 - index;
    memcpy(noise, run->given_noise + step * run->floats, n * d * sizeof *noise);
}

/* x_0 = sqrt(1/abar) x_t - sqrt(1/abar - 1) eps: where it is clipped to [-1,1] it still carries
 * what float32 leaves of eps times a factor of up to 157, and is held to the bound on that scale.
 */
static bool compare(size_t step, size_t index, const float *x, const float *x0, size_t n, size_t d,
                    void *context)
{
    trajectory *run = context;
    const double *want_x0 = run->x0 + step * run->floats;
    double scale = run->schedule->sqrt_recipm1_alpha_bar[index], x0_error = 0.0;
    for (size_t i = 0; i < n * d; i++) {
        x0_error = worse(x0_error, fabs((double)x0[i] - want_x0[i]));
        if (fabs(want_x0[i]) > scale) scale = fabs(want_x0[i]);
    }
    const double x_error = max_error(x, run->x + (step + 1) * run->floats, n * d);
    run->worst_x = worse(run->worst_x, x_error);
    run->worst_x0 = worse(run->worst_x0, x0_error / scale);
    return true;
}

static void setup(trajectory *run, const char *network)
{
    *run = (trajectory){ .file = golden_open("sampler") };
    CHECK_OK(ddpm_kernels_init());
    golden *weights = golden_open("unet_tiny");
    const ddpm_unet_config config = load_golden_config(weights, network);
    CHECK_OK(ddpm_unet_create(&run->unet, &config, BATCH, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(run->unet);
    run->weights = calloc(params->total, sizeof *run->weights);
    assert_non_null(run->weights);
    char group[32];
    snprintf(group, sizeof group, "%s/params", network);
    load_golden_weights(weights, group, params, run->weights);
    golden_close(weights);
    run->floats = BATCH * config.height * config.width * config.in_channels;
}

static void teardown(trajectory *run)
{
    ddpm_unet_free(run->unet);
    free(run->weights);
    golden_close(run->file);
}

static void follow(trajectory *run, const ddpm_schedule *schedule, const char *group,
                   const char *variant, ddpm_sampler_options options)
{
    size_t count;
    run->schedule = schedule;
    run->network_calls = 0;
    run->worst_x = run->worst_x0 = 0.0;
    run->timesteps = golden_i64(run->file, &count, "%s/timesteps", group);
    assert_int_equal(count, schedule->steps);
    run->given_noise = NULL;
    if (golden_exists(run->file, "%s/noise", group)) {
        run->given_noise = golden_f32(run->file, &count, "%s/noise", group);
        assert_int_equal(count, schedule->steps * run->floats);
    }
    run->x = golden_f64(run->file, NULL, "%s/%sx_traj", group, variant);
    run->x0 = golden_f64(run->file, NULL, "%s/%spred_x0", group, variant);
    float *x = golden_f32(run->file, &count, "%s/x_T", group);
    assert_int_equal(count, run->floats);
    float *scratch = malloc(ddpm_sampler_scratch_floats(BATCH, run->floats / BATCH) *
                            sizeof *scratch);
    assert_non_null(scratch);

    options.denoise = denoise;
    options.noise = golden_noise;
    options.observe = compare;
    options.denoise_context = options.noise_context = options.observe_context = run;
    CHECK_OK(ddpm_sampler_check(&options, schedule));
    ddpm_sampler_run(x, scratch, BATCH, run->floats / BATCH, schedule, &options);
    assert_int_equal(run->network_calls, schedule->steps);
    print_message("%s/%sx %.1e, x0 %.1e\n", group, variant, run->worst_x, run->worst_x0);
    CHECK_LE(run->worst_x, bound);
    CHECK_LE(run->worst_x0, bound);

    free(scratch);
    free(x);
    free(run->x);
    free(run->x0);
    free(run->given_noise);
    free(run->timesteps);
}

static ddpm_schedule *linear(size_t steps, size_t keep, const char *spacing)
{
    ddpm_schedule *full = NULL, *spaced = NULL;
    size_t timesteps[1000];
    CHECK_OK(ddpm_schedule_create(&full, "linear", steps, 1e-4, 0.02));
    if (keep == steps) return full;
    CHECK_OK(ddpm_spacing(timesteps, keep, spacing, steps));
    CHECK_OK(ddpm_schedule_respace(&spaced, full, timesteps, keep));
    ddpm_schedule_free(full);
    return spaced;
}

static void ancestral_trajectories_are_those_of_float64(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ddpm_variance variance;
        ddpm_clip clip;
    } variants[] = {
        { "fixedlarge_clip/", DDPM_VARIANCE_FIXEDLARGE, DDPM_CLIP_X0 },
        { "fixedlarge_noclip/", DDPM_VARIANCE_FIXEDLARGE, DDPM_CLIP_NONE },
        { "fixedsmall_clip/", DDPM_VARIANCE_FIXEDSMALL, DDPM_CLIP_X0 },
        { "fixedsmall_noclip/", DDPM_VARIANCE_FIXEDSMALL, DDPM_CLIP_NONE },
    };
    static const struct {
        const char *group;
        size_t steps;
    } processes[] = { { "ddpm_T10", 10 }, { "ddpm_T1000_spaced10", 1000 } };
    trajectory run;
    setup(&run, "tiny");
    for (size_t p = 0; p < sizeof processes / sizeof *processes; p++) {
        ddpm_schedule *schedule = linear(processes[p].steps, 10, "sections");
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
            follow(&run, schedule, processes[p].group, variants[v].name,
                   (ddpm_sampler_options){ .name = "ddpm",
                                           .variance = variants[v].variance,
                                           .clip = variants[v].clip });
        ddpm_schedule_free(schedule);
    }
    teardown(&run);
}

static void ddim_trajectories_are_those_of_float64(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double eta;
        ddpm_clip clip;
    } variants[] = {
        { "eta0_noclip/", 0.0, DDPM_CLIP_NONE },
        { "eta0_clip_rederive/", 0.0, DDPM_CLIP_X0_REDERIVE },
        { "eta0_clip_epsmodel/", 0.0, DDPM_CLIP_X0 },
        { "eta1_noclip/", 1.0, DDPM_CLIP_NONE },
        { "eta1_clip_rederive/", 1.0, DDPM_CLIP_X0_REDERIVE },
        { "eta1_clip_epsmodel/", 1.0, DDPM_CLIP_X0 },
    };
    static const char *const spacings[] = { "leading", "spread" };
    trajectory run;
    setup(&run, "tiny");
    for (size_t s = 0; s < sizeof spacings / sizeof *spacings; s++) {
        ddpm_schedule *schedule = linear(1000, 10, spacings[s]);
        char group[32];
        snprintf(group, sizeof group, "ddim10_%s", spacings[s]);
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
            follow(&run, schedule, group, variants[v].name,
                   (ddpm_sampler_options){
                       .name = "ddim", .eta = variants[v].eta, .clip = variants[v].clip });
        ddpm_schedule_free(schedule);
    }
    teardown(&run);
}

static void dpm_solver_trajectories_are_those_of_float64(void **state)
{
    (void)state;
    trajectory run;
    setup(&run, "tiny");
    ddpm_schedule *schedule = linear(1000, 10, "uniform");
    follow(&run, schedule, "dpmpp2m_10", "", (ddpm_sampler_options){ .name = "dpm++" });
    ddpm_schedule_free(schedule);
    teardown(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ancestral_trajectories_are_those_of_float64),
        cmocka_unit_test(ddim_trajectories_are_those_of_float64),
        cmocka_unit_test(dpm_solver_trajectories_are_those_of_float64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
