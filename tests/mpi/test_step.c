/* A training step where one rank alone meets trouble: all must come to the same end. */
#include "ddpm/base/hash.h"
#include "ddpm/kernels/isa.h"
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

static ddpm_status next_images(const float **x, const uint64_t **sample_index, void *context)
{
    images *source = context;
    if (source->status != DDPM_OK) return source->status;
    for (size_t n = 0; n < MICRO_BATCH; n++) {
        source->index[n] = source->next++;
        fill_uniform(source->x + n * FLOATS, FLOATS, source->index[n]);
    }
    if (source->poison) source->x[0] = NAN;
    *x = source->x;
    *sample_index = source->index;
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
};
MPI_CHECK_MAIN(tests)
