/* Training steps on one rank, with images from a function. */
#include "check.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/plan.h"
#include "ddpm/train/step.h"
#include "numeric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 8, CHANNELS = 3, FLOATS = SIZE * SIZE * CHANNELS };

static ddpm_comm *world;

static ddpm_config small_config(void)
{
    ddpm_config config;
    ddpm_config_init(&config);
    static const char *const keys[] = {
        "model.image_size=8",     "model.image_channels=3", "model.channels=8",
        "model.channel_mult=1,2", "model.blocks=1",         "model.attention=4",
        "model.groups=4",         "model.dropout=0.1",      "diffusion.steps=40",
        "train.batch=12",         "train.micro_batch=2",    "train.lr=0.001",
        "train.warmup=2",         "ema.rates=0.9,0.99",     "train.seed=7",
        "sample.steps=10",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_OK(ddpm_config_set(&config, keys[i]));
    CHECK_OK(ddpm_config_check(&config));
    return config;
}

/* Sample i is always the same image; `poison` puts a NaN into one of them. */
typedef struct {
    size_t micro_batch;
    uint64_t next, poison;
    float x[16 * FLOATS];
    uint64_t index[16];
    ddpm_status status;
} images;

static ddpm_status next_images(ddpm_batch *batch, void *context)
{
    images *source = context;
    if (source->status != DDPM_OK) return source->status;
    for (size_t n = 0; n < source->micro_batch; n++) {
        source->index[n] = source->next++;
        fill_uniform(source->x + n * FLOATS, FLOATS, source->index[n]);
        if (source->index[n] == source->poison) source->x[n * FLOATS] = NAN;
    }
    *batch = (ddpm_batch){ .x = source->x, .sample_index = source->index };
    return DDPM_OK;
}

static images *source_for(const ddpm_config *config)
{
    images *source = calloc(1, sizeof *source);
    assert_non_null(source);
    source->micro_batch = (size_t)config->train.micro_batch;
    source->poison = UINT64_MAX;
    return source;
}

static const ddpm_step_request nothing = { .status = DDPM_OK };

static ddpm_step *start(const ddpm_config *config)
{
    ddpm_step *step;
    CHECK_OK(ddpm_step_create(&step, world, config));
    ddpm_step_init(step);
    return step;
}

static void step_0_of_a_warm_up_leaves_weights_and_averages_as_they_are(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_step *step = start(&config);
    images *source = source_for(&config);
    const size_t total = ddpm_step_params(step)->total, bytes = total * sizeof(float);
    const ddpm_state *flat = ddpm_step_state(step);
    float *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, flat->weights, bytes);
    ddpm_step_result result;
    CHECK_OK(ddpm_step_run(step, &result, 0, 0, &nothing, next_images, source));
    assert_true(result.finite && result.lr == 0.0);
    assert_memory_equal(flat->weights, before, bytes);
    assert_true(max_error_f32(flat->ema[0], before, total) < 2e-7); /* d e + (1-d) e rounds */
    CHECK_OK(ddpm_step_run(step, &result, 1, 0, &nothing, next_images, source));
    assert_true(result.lr > 0.0);
    assert_memory_not_equal(flat->weights, before, bytes);
    free(before);
    free(source);
    ddpm_step_free(step);
}

static void quartiles_hold_every_image_and_all_of_the_loss(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_step *step = start(&config);
    images *source = source_for(&config);
    ddpm_step_result result;
    CHECK_OK(ddpm_step_run(step, &result, 0, 0, &nothing, next_images, source));
    double error = 0.0, count = 0.0;
    for (int q = 0; q < DDPM_QUARTILES; q++) {
        error += result.quartile_error[q];
        count += result.quartile_images[q];
    }
    assert_true(count == (double)config.train.batch);
    CHECK_LE(fabs(error / count - result.loss), 1e-12);
    /* An untrained network predicts next to nothing, so the error is that of eps itself. */
    CHECK_LE(fabs(result.loss - 1.0), 0.1);
    free(source);
    ddpm_step_free(step);
}

static void the_cut_into_micro_batches_changes_only_rounding(void **state)
{
    (void)state;
    ddpm_config config = small_config();
    float *gradient[2];
    double loss[2];
    size_t total = 0;
    for (int k = 0; k < 2; k++) {
        config.train.micro_batch = k == 0 ? 2 : 4;
        ddpm_step *step = start(&config);
        images *source = source_for(&config);
        ddpm_step_result result;
        CHECK_OK(ddpm_step_run(step, &result, 0, 0, &nothing, next_images, source));
        total = ddpm_step_params(step)->total;
        gradient[k] = malloc(total * sizeof(float));
        assert_non_null(gradient[k]);
        memcpy(gradient[k], ddpm_step_gradient(step), total * sizeof(float));
        loss[k] = result.loss;
        free(source);
        ddpm_step_free(step);
    }
    CHECK_LE(rms_error_f32(gradient[0], gradient[1], total), 1e-5);
    CHECK_LE(fabs(loss[0] - loss[1]), 1e-6);
    free(gradient[0]);
    free(gradient[1]);
}

static void a_step_that_is_not_finite_changes_nothing(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_step *step = start(&config);
    images *source = source_for(&config);
    const ddpm_state *flat = ddpm_step_state(step);
    const size_t bytes = ddpm_step_params(step)->total * sizeof(float);
    float *before[3] = { malloc(bytes), malloc(bytes), malloc(bytes) };
    ddpm_step_result result;
    CHECK_OK(ddpm_step_run(step, &result, 5, 0, &nothing, next_images, source));
    const float *const buffers[3] = { flat->weights, flat->v, flat->ema[1] };
    for (int i = 0; i < 3; i++) memcpy(before[i], buffers[i], bytes);
    source->poison = source->next + 3;
    CHECK_OK(ddpm_step_run(step, &result, 6, 0, &nothing, next_images, source));
    assert_false(result.finite);
    for (int i = 0; i < 3; i++) assert_memory_equal(buffers[i], before[i], bytes);
    CHECK_OK(ddpm_step_run(step, &result, 7, 1, &nothing, next_images, source));
    assert_true(result.finite);
    for (int i = 0; i < 3; i++) free(before[i]);
    free(source);
    ddpm_step_free(step);
}

static void clipping_bounds_the_norm_and_not_the_direction(void **state)
{
    (void)state;
    ddpm_config config = small_config();
    config.train.clip = 1e-3;
    config.train.beta1 = 0.0; /* so that m is the clipped gradient */
    ddpm_step *step = start(&config);
    images *source = source_for(&config);
    ddpm_step_result result;
    CHECK_OK(ddpm_step_run(step, &result, 9, 0, &nothing, next_images, source));
    assert_true(result.grad_norm > 1e-2);
    const size_t total = ddpm_step_params(step)->total;
    const float *m = ddpm_step_state(step)->m, *gradient = ddpm_step_gradient(step);
    CHECK_LE(fabs(sqrt(dot(m, m, total)) - 1e-3), 1e-8);
    CHECK_LE(fabs(dot(m, gradient, total) / (1e-3 * result.grad_norm) - 1.0), 1e-5);
    free(source);
    ddpm_step_free(step);
}

static void requests_and_failures_come_through(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_step *step = start(&config);
    images *source = source_for(&config);
    ddpm_step_result result;
    const ddpm_step_request stop = { .status = DDPM_OK, .stop = true, .time_is_up = true };
    CHECK_OK(ddpm_step_run(step, &result, 0, 0, &stop, next_images, source));
    assert_true(result.stop && result.time_is_up);
    source->status = ddpm_fail(DDPM_EIO, "the disk is gone");
    CHECK_STATUS(ddpm_step_run(step, &result, 1, 0, &nothing, next_images, source), DDPM_EIO);
    CHECK_MESSAGE("the disk is gone");
    free(source);
    ddpm_step_free(step);
}

static void the_plan_is_what_a_step_takes(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_plan plan;
    CHECK_OK(ddpm_plan_make(&plan, &config, 1, NULL));
    const uint64_t before = ddpm_memory_live_blocks();
    ddpm_step *step = start(&config);
    static const ddpm_memory_kind kinds[] = { DDPM_MEMORY_WEIGHTS, DDPM_MEMORY_GRADIENTS,
                                              DDPM_MEMORY_OPTIMIZER, DDPM_MEMORY_EMA };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(ddpm_memory_live_bytes(kinds[i]), plan.memory_bytes[kinds[i]]);
    assert_true(ddpm_memory_live_bytes(DDPM_MEMORY_ACTIVATIONS) <=
                plan.memory_bytes[DDPM_MEMORY_ACTIVATIONS]);
    assert_int_equal(plan.parameters, ddpm_step_params(step)->parameters);
    assert_int_equal(plan.micro_batches, 6);
    ddpm_step_free(step);
    assert_int_equal(ddpm_memory_live_blocks(), before);
}

static void more_ranks_than_micro_batches_are_refused_by_the_plan(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_plan plan;
    CHECK_OK(ddpm_plan_make(&plan, &config, 6, NULL));
    CHECK_STATUS(ddpm_plan_make(&plan, &config, 7, NULL), DDPM_ECONFIG);
    CHECK_MESSAGE("at most 6 ranks");
}

static uint64_t scratch_for(int64_t wanted, uint64_t held_out, int ranks)
{
    ddpm_config config = small_config();
    ddpm_plan plan;
    config.eval.every = 1;
    config.eval.images = wanted;
    CHECK_OK(ddpm_plan_make(&plan, &config, ranks, &(ddpm_plan_data){ 0, held_out }));
    return plan.memory_bytes[DDPM_MEMORY_SCRATCH];
}

static void a_plan_has_the_results_of_all_images_that_are_evaluated(void **state)
{
    (void)state;
    assert_true(scratch_for(0, 50000, 1) > scratch_for(0, 50, 1));
    assert_int_equal(scratch_for(0, 50000, 1), scratch_for(50000, 0, 1));
    assert_int_equal(scratch_for(60000, 50000, 1),
                     scratch_for(0, 50000, 1)); /* there are no more */
    assert_int_equal(scratch_for(100, 50000, 1), scratch_for(100, 0, 1));
    assert_true(scratch_for(0, 50, 6) > scratch_for(0, 50, 1));
}

static void a_plan_that_does_not_fit_is_refused_with_the_numbers(void **state)
{
    (void)state;
    const ddpm_config config = small_config();
    ddpm_plan plan;
    CHECK_OK(ddpm_plan_make(&plan, &config, 1, NULL));
    CHECK_OK(ddpm_plan_check_memory(&plan, 1));
    plan.memory_total_bytes += ddpm_memory_limit_bytes();
    CHECK_STATUS(ddpm_plan_check_memory(&plan, 1), DDPM_EOS);
    CHECK_MESSAGE("train.micro_batch");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_0_of_a_warm_up_leaves_weights_and_averages_as_they_are),
        cmocka_unit_test(quartiles_hold_every_image_and_all_of_the_loss),
        cmocka_unit_test(the_cut_into_micro_batches_changes_only_rounding),
        cmocka_unit_test(a_step_that_is_not_finite_changes_nothing),
        cmocka_unit_test(clipping_bounds_the_norm_and_not_the_direction),
        cmocka_unit_test(requests_and_failures_come_through),
        cmocka_unit_test(the_plan_is_what_a_step_takes),
        cmocka_unit_test(more_ranks_than_micro_batches_are_refused_by_the_plan),
        cmocka_unit_test(a_plan_has_the_results_of_all_images_that_are_evaluated),
        cmocka_unit_test(a_plan_that_does_not_fit_is_refused_with_the_numbers),
    };
    if (ddpm_comm_start(&world, &argc, &argv) != DDPM_OK || ddpm_kernels_init() != DDPM_OK)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ddpm_comm_stop(world);
    return failed;
}
