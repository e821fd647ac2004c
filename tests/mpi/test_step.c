/* A training step where one rank alone meets trouble: all must come to the same end. */
#include "ddpm/base/hash.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/plan.h"
#include "ddpm/train/step.h"
#include "mpi_check.h"
#include "numeric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 8, FLOATS = SIZE * SIZE, MICRO_BATCH = 2 };

static ddpm_config small_config(void)
{
    ddpm_config config;
    ddpm_config_init(&config);
    static const char *const keys[] = {
        "model.image_size=8",     "model.image_channels=1", "model.channels=4",
        "model.channel_mult=1,2", "model.blocks=1",         "model.attention=",
        "model.groups=2",         "train.batch=10",         "train.micro_batch=2",
        "train.warmup=0",         "train.seed=3",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_OK(ddpm_config_set(&config, keys[i]));
    return config;
}

typedef struct {
    uint64_t next;
    bool poison;        /* a NaN in the next image */
    ddpm_status status; /* no next image */
    float x[MICRO_BATCH * FLOATS];
    uint64_t index[MICRO_BATCH];
} images;

static ddpm_status next_images(ddpm_batch *batch, void *context)
{
    images *source = context;
    if (source->status != DDPM_OK) return source->status;
    for (size_t n = 0; n < MICRO_BATCH; n++) {
        source->index[n] = source->next++;
        fill_uniform(source->x + n * FLOATS, FLOATS, source->index[n]);
    }
    if (source->poison) source->x[0] = NAN;
    *batch = (ddpm_batch){ .x = source->x, .sample_index = source->index };
    return DDPM_OK;
}

static bool is_last(void)
{
    return ddpm_comm_rank(world) == ddpm_comm_size(world) - 1;
}

static const ddpm_step_request nothing = { .status = DDPM_OK };

/* One step of a new network; `hash` of the weights after it. */
static ddpm_status one_step(ddpm_step_result *result, char hash[DDPM_XXH128_HEX], images *source,
                            const ddpm_step_request *request)
{
    const ddpm_config config = small_config();
    ddpm_step *step = NULL;
    ddpm_status status = ddpm_step_create(&step, world, &config);
    if (status != DDPM_OK) return status;
    size_t first, count;
    ddpm_step_micro_batches(step, &first, &count);
    source->next = first * MICRO_BATCH;
    ddpm_step_init(step);
    status = ddpm_step_run(step, result, 0, 0, request, next_images, source);
    ddpm_flat_hash(hash, ddpm_step_state(step)->weights, ddpm_step_params(step));
    ddpm_step_free(step);
    return status;
}

static void all_ranks_hold_the_same_weights_after_a_step(void **state)
{
    (void)state;
    images source = { .status = DDPM_OK };
    ddpm_step_result result = { .finite = false };
    char hash[DDPM_XXH128_HEX];
    const ddpm_status status = one_step(&result, hash, &source, &nothing);
    const ddpm_status same = ddpm_comm_require_same(world, "the hash of the weights", hash);
    CHECK_OK(status);
    CHECK_OK(same);
    assert_true(result.finite);
}

static void a_rank_without_images_fails_all(void **state)
{
    (void)state;
    images source = { .status = is_last() ? ddpm_fail(DDPM_EIO, "the disk is gone") : DDPM_OK };
    ddpm_step_result result = { .finite = false };
    char hash[DDPM_XXH128_HEX];
    CHECK_STATUS(one_step(&result, hash, &source, &nothing), DDPM_EIO);
    CHECK_MESSAGE("the disk is gone");
}

static void what_failed_before_a_step_fails_it_on_all(void **state)
{
    (void)state;
    images source = { .status = DDPM_OK };
    const ddpm_step_request request = { .status = is_last()
                                                      ? ddpm_fail(DDPM_ECREATE, "no place to save")
                                                      : DDPM_OK };
    ddpm_step_result result = { .finite = false };
    char hash[DDPM_XXH128_HEX];
    CHECK_STATUS(one_step(&result, hash, &source, &request), DDPM_ECREATE);
    CHECK_MESSAGE("no place to save");
}

static void a_stop_asked_of_one_rank_stops_all(void **state)
{
    (void)state;
    images source = { .status = DDPM_OK };
    const ddpm_step_request request = { .status = DDPM_OK, .stop = is_last() };
    ddpm_step_result result = { .finite = false };
    char hash[DDPM_XXH128_HEX];
    CHECK_OK(one_step(&result, hash, &source, &request));
    assert_true(result.stop);
    assert_false(result.time_is_up);
}

static void a_loss_that_is_not_finite_on_one_rank_is_skipped_on_all(void **state)
{
    (void)state;
    images good = { .status = DDPM_OK }, bad = { .poison = is_last() };
    ddpm_step_result result = { .finite = false };
    char trained[DDPM_XXH128_HEX], skipped[DDPM_XXH128_HEX];
    const ddpm_status first = one_step(&result, trained, &good, &nothing);
    const ddpm_status second = one_step(&result, skipped, &bad, &nothing);
    const ddpm_status same = ddpm_comm_require_same(world, "the hash of the weights", skipped);
    CHECK_OK(first);
    CHECK_OK(second);
    CHECK_OK(same);
    assert_false(result.finite);
    assert_string_not_equal(trained, skipped);
}

/* Large enough that every rank has chunks of the norm, and clipped. */
static ddpm_config larger_config(bool sharded)
{
    ddpm_config config = small_config();
    static const char *const keys[] = { "model.channels=32", "train.clip=0.01", "ema.rates=0.9,0" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_OK(ddpm_config_set(&config, keys[i]));
    config.dist.sharded_optimizer = sharded;
    return config;
}

enum { PARTS = 6, STEPS = 2 };

/* Hashes of all that a step holds, as rank 0 would save it, and of an average as every rank sees
 * it. */
static ddpm_status hash_state(char hash[PARTS][DDPM_XXH128_HEX], ddpm_step *step)
{
    const ddpm_params *params = ddpm_step_params(step);
    const float *average;
    DDPM_TRY(ddpm_step_average(&average, step, 0));
    ddpm_flat_hash(hash[5], average, params);
    DDPM_TRY(ddpm_step_collect(step));
    const ddpm_state *state = ddpm_step_state(step);
    ddpm_flat_hash(hash[0], state->weights, params);
    if (ddpm_comm_rank(world) != 0) return DDPM_OK;
    ddpm_flat_hash(hash[1], state->m, params);
    ddpm_flat_hash(hash[2], state->v, params);
    ddpm_flat_hash(hash[3], state->ema[0], params);
    ddpm_flat_hash(hash[4], state->ema[1], params);
    return DDPM_OK;
}

/* Step `number` and the next. */
static ddpm_status two_steps(ddpm_step *step, uint64_t number, double *norm)
{
    size_t first, count;
    ddpm_step_micro_batches(step, &first, &count);
    for (uint64_t k = number; k < number + STEPS; k++) {
        images source = { .next = first * MICRO_BATCH + k * 100 };
        ddpm_step_result result;
        DDPM_TRY(ddpm_step_run(step, &result, k, 0, &nothing, next_images, &source));
        *norm = result.grad_norm;
    }
    return DDPM_OK;
}

/* Two steps one way, and two more the other way with a copy of rank 0's state. */
static ddpm_status train_in_turn(char hash[PARTS][DDPM_XXH128_HEX], double *norm, bool sharded[2])
{
    const ddpm_config config[2] = { larger_config(sharded[0]), larger_config(sharded[1]) };
    ddpm_step *step[2];
    DDPM_TRY(ddpm_step_create(&step[0], world, &config[0]));
    DDPM_TRY(ddpm_step_create(&step[1], world, &config[1]));
    const size_t bytes = ddpm_step_params(step[0])->total * sizeof(float);
    ddpm_step_init(step[0]);
    DDPM_TRY(two_steps(step[0], 0, norm));
    DDPM_TRY(ddpm_step_collect(step[0]));
    if (ddpm_comm_rank(world) == 0) {
        const ddpm_state *from = ddpm_step_state(step[0]);
        ddpm_state *to = ddpm_step_state(step[1]);
        memcpy(to->weights, from->weights, bytes);
        memcpy(to->m, from->m, bytes);
        memcpy(to->v, from->v, bytes);
        for (size_t e = 0; e < from->ema_count; e++) memcpy(to->ema[e], from->ema[e], bytes);
    }
    DDPM_TRY(ddpm_step_spread(step[1]));
    DDPM_TRY(two_steps(step[1], STEPS, norm));
    DDPM_TRY(hash_state(hash, step[1]));
    ddpm_step_free(step[0]);
    ddpm_step_free(step[1]);
    return DDPM_OK;
}

static void a_sharded_optimiser_gives_the_same_bits_and_can_change_to_and_fro(void **state)
{
    (void)state;
    char expected[PARTS][DDPM_XXH128_HEX] = { "" }, hash[PARTS][DDPM_XXH128_HEX] = { "" };
    double expected_norm, norm;
    CHECK_OK(train_in_turn(expected, &expected_norm, (bool[2]){ false, false }));
    for (int way = 1; way < 4; way++) {
        CHECK_OK(train_in_turn(hash, &norm, (bool[2]){ way & 1, way & 2 }));
        for (int part = 0; part < PARTS; part++) assert_string_equal(hash[part], expected[part]);
        assert_true(norm == expected_norm);
    }
    CHECK_OK(ddpm_comm_require_same(world, "the hash of the weights", hash[0]));
    CHECK_OK(ddpm_comm_require_same(world, "the hash of an average", hash[5]));
}

static void each_rank_holds_its_share_of_moments_and_averages_only(void **state)
{
    (void)state;
    const int size = ddpm_comm_size(world);
    const ddpm_config config = larger_config(true);
    ddpm_step *step;
    ddpm_plan plan;
    CHECK_OK(ddpm_plan_make(&plan, &config, size, NULL));
    CHECK_OK(ddpm_step_create(&step, world, &config));
    uint64_t most[] = { ddpm_memory_live_bytes(DDPM_MEMORY_OPTIMIZER),
                        ddpm_memory_live_bytes(DDPM_MEMORY_EMA),
                        ddpm_memory_live_bytes(DDPM_MEMORY_GRADIENTS),
                        ddpm_memory_live_bytes(DDPM_MEMORY_CHECKPOINT) };
    const uint64_t whole = ddpm_memory_live_bytes(DDPM_MEMORY_WEIGHTS);
    ddpm_step_free(step);
    CHECK_OK(ddpm_comm_max_u64(world, most, 4));
    assert_true(most[0] <= plan.memory_bytes[DDPM_MEMORY_OPTIMIZER] + 1024);
    assert_true(most[0] >= plan.memory_bytes[DDPM_MEMORY_OPTIMIZER]);
    assert_true(most[1] <= plan.memory_bytes[DDPM_MEMORY_EMA] + 1024);
    assert_true(most[2] <= plan.memory_bytes[DDPM_MEMORY_GRADIENTS] + 1024);
    assert_true(most[3] <= plan.memory_bytes[DDPM_MEMORY_CHECKPOINT]);
    if (size > 1) assert_true(most[0] <= whole * 2 * 3 / 4);
}

static int start_kernels(void **state)
{
    (void)state;
    return ddpm_kernels_init() == DDPM_OK ? 0 : -1;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(all_ranks_hold_the_same_weights_after_a_step, start_kernels),
    cmocka_unit_test(a_rank_without_images_fails_all),
    cmocka_unit_test(what_failed_before_a_step_fails_it_on_all),
    cmocka_unit_test(a_stop_asked_of_one_rank_stops_all),
    cmocka_unit_test(a_loss_that_is_not_finite_on_one_rank_is_skipped_on_all),
    cmocka_unit_test(a_sharded_optimiser_gives_the_same_bits_and_can_change_to_and_fro),
    cmocka_unit_test(each_rank_holds_its_share_of_moments_and_averages_only),
};
MPI_CHECK_MAIN(tests)
