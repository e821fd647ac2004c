#include "mpi_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank(void)
{
    return ddpm_comm_rank(world);
}
static int size(void)
{
    return ddpm_comm_size(world);
}
static int last(void)
{
    return size() - 1;
}

static void all_ranks_agree_where_nobody_failed(void **state)
{
    (void)state;
    CHECK_OK(ddpm_comm_agree(world, DDPM_OK));
}

static void one_failing_rank_fails_all_with_its_message(void **state)
{
    (void)state;
    const ddpm_status mine = rank() == last() ? ddpm_fail(DDPM_EIO, "disk %d is full", 7) : DDPM_OK;
    CHECK_STATUS(ddpm_comm_agree(world, mine), DDPM_EIO);
    CHECK_MESSAGE("disk 7 is full");
    if (size() > 1) {
        char name[32];
        snprintf(name, sizeof name, "rank %d (", last());
        CHECK_MESSAGE(name);
    }
}

static void of_several_failures_that_of_the_lowest_rank_counts(void **state)
{
    (void)state;
    if (size() < 3) skip();
    ddpm_status mine = DDPM_OK;
    if (rank() == 1) mine = ddpm_fail(DDPM_EDATA, "the lower one");
    if (rank() == 2) mine = ddpm_fail(DDPM_EUSAGE, "the higher one");
    CHECK_STATUS(ddpm_comm_agree(world, mine), DDPM_EDATA);
    CHECK_MESSAGE("the lower one");
}

static void a_failure_of_all_names_no_rank(void **state)
{
    (void)state;
    CHECK_STATUS(ddpm_comm_agree(world, ddpm_fail(DDPM_ECONFIG, "everywhere")), DDPM_ECONFIG);
    assert_string_equal(ddpm_status_message(), "everywhere");
}

static void a_broadcast_carries_more_than_one_piece(void **state)
{
    (void)state;
    const size_t bytes = ((size_t)8 << 20) + 4099;
    unsigned char *data = calloc(bytes, 1);
    assert_non_null(data);
    if (rank() == last())
        for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(i * 2654435761u >> 13);
    const ddpm_status status = ddpm_comm_broadcast(world, data, bytes, last());
    size_t wrong = 0;
    for (size_t i = 0; i < bytes; i++) wrong += data[i] != (unsigned char)(i * 2654435761u >> 13);
    free(data);
    CHECK_OK(status);
    assert_int_equal(wrong, 0);
}

static void the_largest_value_and_all_values_reach_every_rank(void **state)
{
    (void)state;
    uint64_t values[2] = { (uint64_t)rank(), UINT64_MAX - (uint64_t)rank() };
    const double mine[2] = { rank(), -rank() };
    double *all = calloc(2 * (size_t)size(), sizeof *all);
    assert_non_null(all);
    const ddpm_status max = ddpm_comm_max_u64(world, values, 2);
    const ddpm_status gathered = ddpm_comm_allgather_f64(world, all, mine, 2);
    int wrong = 0;
    for (int r = 0; r < size(); r++) wrong += all[2 * r] != r || all[2 * r + 1] != -r;
    free(all);
    CHECK_OK(max);
    CHECK_OK(gathered);
    assert_int_equal(values[0], last());
    assert_true(values[1] == UINT64_MAX);
    assert_int_equal(wrong, 0);
}

static void blocks_of_different_sizes_arrive_in_rank_order(void **state)
{
    (void)state;
    char mine[8], all[64] = "";
    size_t bytes[8] = { 0 };
    assert_true(size() <= 8);
    const size_t count = (size_t)rank(); /* rank 0 has nothing to give */
    memset(mine, 'a' + rank(), count);
    CHECK_OK(ddpm_comm_gather(world, all, mine, count, bytes));
    if (rank() != 0) return;
    static const char expected[] = "bccddd";
    const size_t sum = (size_t)(size() * (size() - 1) / 2);
    assert_int_equal(strlen(all), sum);
    assert_memory_equal(all, expected, sum);
    for (int r = 0; r < size(); r++) assert_int_equal(bytes[r], r);
}

static void a_text_that_differs_is_named_with_its_line(void **state)
{
    (void)state;
    CHECK_OK(ddpm_comm_require_same(world, "the configuration", "same\nhere"));
    if (size() == 1) return;
    const char *text = rank() == last() ? "a = 1\nb = 2\nc = 3" : "a = 1\nb = 5\nc = 3";
    CHECK_STATUS(ddpm_comm_require_same(world, "the configuration", text), DDPM_ECONFIG);
    CHECK_MESSAGE("the configuration");
    CHECK_MESSAGE("'b = 2' here, 'b = 5' on rank 0");
}

static void ranks_of_one_node_know_each_other(void **state)
{
    (void)state;
    assert_int_equal(ddpm_comm_node_size(world), size());
    assert_int_equal(ddpm_comm_node_rank(world), rank());
    assert_int_equal(ddpm_comm_node_count(world), 1);
    assert_true(strlen(ddpm_comm_host(world)) > 0);
    assert_non_null(strstr(ddpm_comm_library(world), "MPI"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_ranks_agree_where_nobody_failed),
    cmocka_unit_test(one_failing_rank_fails_all_with_its_message),
    cmocka_unit_test(of_several_failures_that_of_the_lowest_rank_counts),
    cmocka_unit_test(a_failure_of_all_names_no_rank),
    cmocka_unit_test(a_broadcast_carries_more_than_one_piece),
    cmocka_unit_test(the_largest_value_and_all_values_reach_every_rank),
    cmocka_unit_test(blocks_of_different_sizes_arrive_in_rank_order),
    cmocka_unit_test(a_text_that_differs_is_named_with_its_line),
    cmocka_unit_test(ranks_of_one_node_know_each_other),
};
MPI_CHECK_MAIN(tests)
