/* Replicas that drift apart: one bit in one value on one rank must be found, and named. */
#include "audit.h"

#include "ddpm/kernels/optimizer.h"
#include "mpi_check.h"
#include "numeric.h"

#include <stdio.h>
#include <string.h>

enum { TENSORS = 3, FLOATS = 96, PARTS = 5 };

static const ddpm_param tensors[TENSORS] = {
    { "first.weight", DDPM_LAYOUT_IO, 2, { 4, 5 }, 0, 20, 0, 0, false },
    { "second.bias", DDPM_LAYOUT_VECTOR, 1, { 30 }, 32, 30, 0, 0, false },
    { "third.weight", DDPM_LAYOUT_IO, 2, { 4, 8 }, 64, 32, 0, 0, false },
};
static ddpm_param param[TENSORS];
static float part[PARTS][FLOATS];
static ddpm_state state = { .weights = part[0],
                            .m = part[1],
                            .v = part[2],
                            .ema_count = 2,
                            .ema = { part[3], part[4] },
                            .ema_decay = { 0.9999, 0.99 } };

static void fill(void)
{
    for (uint64_t i = 0; i < PARTS; i++) fill_normal(part[i], FLOATS, 50 + i);
    memcpy(param, tensors, sizeof param);
}

static ddpm_status audit(bool sharded)
{
    const ddpm_params params = { TENSORS, FLOATS, 82, param };
    const ddpm_audit what = { .state = &state, .params = &params, .sharded = sharded, .step = 300 };
    return ddpm_train__audit(world, &what);
}

static void flip(float *value, int bit)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    bits ^= UINT32_C(1) << bit;
    memcpy(value, &bits, sizeof bits);
}

static void equal_replicas_pass(void **context)
{
    (void)context;
    fill();
    const ddpm_status status = audit(false);
    CHECK_OK(status);
}

static void padding_is_nobody_s_business(void **context)
{
    (void)context;
    fill();
    part[0][25] = (float)ddpm_comm_rank(world);
    const ddpm_status status = audit(false);
    CHECK_OK(status);
}

static void every_flipped_bit_is_found_with_its_tensor_and_rank(void **context)
{
    (void)context;
    static const char *const names[PARTS] = { "weights", "Adam's m", "Adam's v", "average 0.9999",
                                              "average 0.99" };
    const int size = ddpm_comm_size(world);
    if (size < 2) skip();
    for (int trial = 0; trial < 100; trial++) {
        const int rank = trial % size, tensor = trial / size % TENSORS, p = trial % PARTS;
        fill();
        if (ddpm_comm_rank(world) == rank)
            flip(&part[p][param[tensor].offset + (size_t)trial % param[tensor].count], trial % 32);
        const ddpm_status status = audit(false);
        CHECK_STATUS(status, DDPM_EINTERNAL);
        CHECK_MESSAGE(names[p]);
        CHECK_MESSAGE(param[tensor].name);
        CHECK_MESSAGE("after step 300");
        char suspect[32];
        snprintf(suspect, sizeof suspect, "rank %d (", rank);
        CHECK_MESSAGE(suspect);
    }
}

static void with_sharded_moments_the_weights_alone_are_common(void **context)
{
    (void)context;
    fill();
    state.m = NULL;
    part[3][0] = (float)ddpm_comm_rank(world);
    const ddpm_status passes = audit(true);
    if (ddpm_comm_rank(world) == 0) flip(&part[0][70], 3);
    const ddpm_status fails = audit(true);
    state.m = part[1];
    CHECK_OK(passes);
    CHECK_STATUS(fails, ddpm_comm_size(world) > 1 ? DDPM_EINTERNAL : DDPM_OK);
}

static void who_differs_from_most_is_suspected(void **context)
{
    (void)context;
    static const struct {
        uint64_t hash[4];
        size_t count;
        const char *expected;
    } cases[] = {
        { { 7, 7, 8, 7 }, 4, "rank 2 (c)" },
        { { 9, 7, 7, 7 }, 4, "rank 0 (a)" },
        { { 7, 8 }, 2, "rank 0 (a), rank 1 (b)" },
        { { 7, 7, 8, 8 }, 4, "rank 0 (a), rank 1 (b), rank 2 (c), rank 3 (d)" },
    };
    static const char hosts[] = "a\0b\0c\0d";
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(
            ddpm_train__audit_suspects(text, sizeof text, cases[i].hash, hosts, 2, cases[i].count),
            cases[i].expected);
    static uint64_t many[10];
    char host[10][2] = { "x", "x", "x", "x", "x", "x", "x", "x", "x", "x" };
    for (uint64_t i = 0; i < 10; i++) many[i] = i;
    ddpm_train__audit_suspects(text, sizeof text, many, host[0], 2, 10);
    assert_non_null(strstr(text, "and 6 more"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(equal_replicas_pass),
    cmocka_unit_test(padding_is_nobody_s_business),
    cmocka_unit_test(every_flipped_bit_is_found_with_its_tensor_and_rank),
    cmocka_unit_test(with_sharded_moments_the_weights_alone_are_common),
    cmocka_unit_test(who_differs_from_most_is_suspected),
};

MPI_CHECK_MAIN(tests)
