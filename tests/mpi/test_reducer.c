#include "ddpm/base/memory.h"
#include "ddpm/dist/reducer.h"
#include "mpi_check.h"
#include "numeric.h"
#include "reducer_internal.h"
#include "tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEAVES = 17, PIECE_FLOATS = 1000 };

static void fill_leaf(float *leaf, size_t floats, size_t index)
{
    fill_uniform(leaf, floats, 1000 + index);
}

/* The definition of the tree, word for word. Returns the root, malloc'ed. */
static float *serial_tree(size_t floats, size_t leaves)
{
    float *node[MOST_LEAVES];
    for (size_t i = 0; i < leaves; i++) {
        node[i] = malloc(floats * sizeof(float));
        assert_non_null(node[i]);
        fill_leaf(node[i], floats, i);
    }
    for (size_t m = 1; m < leaves; m *= 2)
        for (size_t i = 0; i + m < leaves; i += 2 * m)
            for (size_t k = 0; k < floats; k++) node[i][k] += node[i + m][k];
    for (size_t i = 1; i < leaves; i++) free(node[i]);
    return node[0];
}

/* One step's sum; *wrong counts the elements whose bits are not those of the serial tree. */
static ddpm_status reduce_once(size_t *wrong, ddpm_reducer *reducer, size_t floats, size_t leaves)
{
    size_t first, count;
    ddpm_reducer_interval(&first, &count, leaves, ddpm_comm_rank(world), ddpm_comm_size(world));
    float *one = malloc(floats * sizeof *one);
    assert_non_null(one);
    for (size_t i = 0; i < count; i++) {
        float *leaf = ddpm_reducer_leaf_begin(reducer);
        fill_leaf(one, floats, first + i);
        for (size_t k = 0; k < floats; k++) leaf[k] += one[k];
        ddpm_reducer_leaf_done(reducer);
    }
    free(one);
    float *sum;
    const ddpm_status status = ddpm_reducer_finish(reducer, &sum);
    if (status != DDPM_OK) return status;
    float *expected = serial_tree(floats, leaves);
    *wrong = 0;
    for (size_t k = 0; k < floats; k++)
        if (memcmp(&sum[k], &expected[k], sizeof *sum) != 0) ++*wrong;
    free(expected);
    return DDPM_OK;
}

static void the_sum_has_the_bits_of_the_serial_tree_for_1_to_17_leaves(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 17, 4801, 20011 }; /* less than a line a rank; many pieces */
    size_t wrong_in_all = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t leaves = (size_t)ddpm_comm_size(world); leaves <= MOST_LEAVES; leaves++) {
            ddpm_reducer *reducer;
            CHECK_OK(ddpm_dist__reducer_create(&reducer, world, sizes[s], leaves, PIECE_FLOATS));
            for (int step = 0; step < 2; step++) { /* the second one reuses all buffers */
                size_t wrong = 0;
                CHECK_OK(reduce_once(&wrong, reducer, sizes[s], leaves));
                wrong_in_all += wrong;
            }
            ddpm_reducer_free(reducer);
        }
    assert_int_equal(wrong_in_all, 0);
}

static void the_size_of_the_pieces_does_not_matter(void **state)
{
    (void)state;
    enum { FLOATS = 300007, LEAVES = 7 };
    size_t wrong = 1;
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, LEAVES));
    CHECK_OK(reduce_once(&wrong, reducer, FLOATS, LEAVES));
    const ddpm_reducer_stats stats = ddpm_reducer_get_stats(reducer);
    ddpm_reducer_free(reducer);
    assert_int_equal(wrong, 0);
    if (ddpm_comm_size(world) > 1)
        assert_true(stats.bytes_sent >= FLOATS * sizeof(float) / 2);
    else
        assert_int_equal(stats.bytes_sent, 0);
}

static void a_rank_sends_the_bytes_that_were_foretold(void **state)
{
    (void)state;
    enum { FLOATS = 300007 };
    for (size_t leaves = (size_t)ddpm_comm_size(world); leaves <= 9; leaves++) {
        size_t wrong = 1;
        ddpm_reducer *reducer;
        CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, leaves));
        CHECK_OK(reduce_once(&wrong, reducer, FLOATS, leaves));
        const double sent = (double)ddpm_reducer_get_stats(reducer).bytes_sent;
        ddpm_reducer_free(reducer);
        const ddpm_reducer_traffic traffic = ddpm_reducer_sends(
            FLOATS, leaves, ddpm_comm_rank(world), ddpm_comm_size(world));
        const double lines = 64.0 * (double)traffic.messages; /* segments are not quite equal */
        assert_true(fabs(sent - (double)traffic.bytes) <= lines);
        assert_true((sent > 0.0) == (ddpm_comm_size(world) > 1));
    }
}

static void sums_of_doubles_take_the_same_tree(void **state)
{
    (void)state;
    enum { WIDTH = 3, LEAVES = 13 };
    double node[LEAVES][WIDTH], mine[LEAVES][WIDTH], sum[WIDTH];
    for (int i = 0; i < LEAVES; i++)
        for (int k = 0; k < WIDTH; k++) node[i][k] = 1.0 / (3 * i + k + 1);
    size_t first, count;
    ddpm_reducer_interval(&first, &count, LEAVES, ddpm_comm_rank(world), ddpm_comm_size(world));
    memcpy(mine, node[first], count * sizeof *mine);
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, 1, LEAVES));
    const ddpm_status status = ddpm_reducer_sum_f64(reducer, sum, mine[0], WIDTH);
    ddpm_reducer_free(reducer);
    CHECK_OK(status);
    for (int m = 1; m < LEAVES; m *= 2)
        for (int i = 0; i + m < LEAVES; i += 2 * m)
            for (int k = 0; k < WIDTH; k++) node[i][k] += node[i + m][k];
    assert_memory_equal(sum, node[0], sizeof sum);
}

static void more_ranks_than_leaves_is_an_error_on_every_rank(void **state)
{
    (void)state;
    const size_t leaves = (size_t)ddpm_comm_size(world) - 1;
    if (leaves == 0) return;
    ddpm_reducer *reducer;
    CHECK_STATUS(ddpm_reducer_create(&reducer, world, 100, leaves), DDPM_ECONFIG);
    CHECK_MESSAGE("train.micro_batch");
}

static void the_plan_is_what_is_allocated_and_all_of_it_is_given_back(void **state)
{
    (void)state;
    enum { FLOATS = 50000, LEAVES = 16 };
    const ddpm_reducer_needs needs = ddpm_reducer_plan(FLOATS, LEAVES, ddpm_comm_rank(world),
                                                       ddpm_comm_size(world));
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, LEAVES));
    const uint64_t gradients = ddpm_memory_live_bytes(DDPM_MEMORY_GRADIENTS);
    const uint64_t exchange = ddpm_memory_live_bytes(DDPM_MEMORY_COMMUNICATION);
    ddpm_reducer_free(reducer);
    assert_true(gradients >= needs.gradient_bytes && gradients < needs.gradient_bytes + 4096);
    assert_true(exchange >= needs.exchange_bytes && exchange < needs.exchange_bytes + 4096);
    assert_int_equal(ddpm_memory_live_blocks(), 0);
}

static void intervals_cover_the_leaves_once_and_their_subtrees_cover_the_intervals(void **state)
{
    (void)state;
    for (int size = 1; size <= 9; size++)
        for (size_t leaves = (size_t)size; leaves <= 40; leaves++) {
            size_t next = 0;
            for (int r = 0; r < size; r++) {
                size_t first, count, height;
                ddpm_tree_node roots[DDPM_TREE_ROOTS];
                ddpm_reducer_interval(&first, &count, leaves, r, size);
                assert_int_equal(first, next);
                assert_true(count == leaves / (size_t)size || count == leaves / (size_t)size + 1);
                const size_t found = ddpm_dist__tree_roots(roots, &height, first, count, leaves);
                assert_true(height >= found && height <= 12);
                for (size_t j = 0; j < found; j++) {
                    assert_int_equal(roots[j].first, next);
                    next += roots[j].count;
                }
            }
            assert_int_equal(next, leaves);
        }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(intervals_cover_the_leaves_once_and_their_subtrees_cover_the_intervals),
    cmocka_unit_test(the_sum_has_the_bits_of_the_serial_tree_for_1_to_17_leaves),
    cmocka_unit_test(the_size_of_the_pieces_does_not_matter),
    cmocka_unit_test(a_rank_sends_the_bytes_that_were_foretold),
    cmocka_unit_test(sums_of_doubles_take_the_same_tree),
    cmocka_unit_test(more_ranks_than_leaves_is_an_error_on_every_rank),
    cmocka_unit_test(the_plan_is_what_is_allocated_and_all_of_it_is_given_back),
};
MPI_CHECK_MAIN(tests)
