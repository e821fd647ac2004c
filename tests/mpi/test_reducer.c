#include "ddpm/base/memory.h"
#include "ddpm/dist/reducer.h"
#include "mpi_check.h"
#include "numeric.h"
#include "reducer_internal.h"
#include "tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEAVES = 17, BUCKET_FLOATS = 1000 };

static void fill_leaf(float *leaf, size_t floats, size_t index)
{
    fill_uniform(leaf, floats, 1000 + index);
}

/* The definition of the tree, word for word. Returns the root, malloc'ed. */
static float *serial_tree(size_t floats, size_t leaves)
{
    float *node[MOST_LEAVES] = { NULL };
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

/* Fills a leaf as a backward pass does, from its end to its beginning, in ranges of odd sizes. */
static void make_leaf(ddpm_reducer *reducer, float *leaf, size_t floats, size_t index)
{
    float *one = malloc(floats * sizeof *one);
    assert_non_null(one);
    fill_leaf(one, floats, index);
    size_t range = 1;
    for (size_t end = floats; end > 0;) {
        const size_t begin = end > range ? end - range : 0;
        for (size_t k = begin; k < end; k++) leaf[k] += one[k];
        /* The last range is left to ddpm_reducer_leaf_done. */
        if (begin > 0) ddpm_reducer_leaf_ready(reducer, begin, end - begin);
        end = begin;
        range = range * 3 + 7;
    }
    free(one);
}

static ddpm_status sum_leaves(ddpm_reducer *reducer, float **sum, size_t floats, size_t leaves)
{
    size_t first, count;
    ddpm_reducer_interval(&first, &count, leaves, ddpm_comm_rank(world), ddpm_comm_size(world));
    for (size_t i = 0; i < count; i++) {
        float *leaf = ddpm_reducer_leaf_begin(reducer);
        make_leaf(reducer, leaf, floats, first + i);
        ddpm_reducer_leaf_done(reducer);
    }
    return ddpm_reducer_finish(reducer, sum);
}

static size_t count_wrong(const float *sum, const float *expected, size_t floats)
{
    size_t wrong = 0;
    for (size_t k = 0; k < floats; k++) wrong += memcmp(&sum[k], &expected[k], sizeof *sum) != 0;
    return wrong;
}

/* One step's sum; *wrong counts the elements whose bits are not those of the serial tree. */
static ddpm_status reduce_once(size_t *wrong, ddpm_reducer *reducer, size_t floats, size_t leaves)
{
    float *sum;
    const ddpm_status status = sum_leaves(reducer, &sum, floats, leaves);
    if (status != DDPM_OK) return status;
    float *expected = serial_tree(floats, leaves);
    *wrong = count_wrong(sum, expected, floats);
    free(expected);
    return DDPM_OK;
}

static const size_t sizes[] = { 1, 17, 4801, 20011 }; /* less than a line a rank; many buckets */
enum { SIZES = sizeof sizes / sizeof *sizes };

/* How many elements have other bits, over all sizes and numbers of leaves. */
static size_t wrong_in_all(const ddpm_reducer_options *options, int node_ranks)
{
    size_t wrong_in_all = 0;
    for (size_t s = 0; s < SIZES; s++)
        for (size_t leaves = (size_t)ddpm_comm_size(world); leaves <= MOST_LEAVES; leaves++) {
            ddpm_reducer *reducer;
            CHECK_OK(ddpm_dist__reducer_create(&reducer, world, sizes[s], leaves, options,
                                               BUCKET_FLOATS, node_ranks));
            for (int step = 0; step < 2; step++) { /* the second one reuses all buffers */
                size_t wrong = 0;
                CHECK_OK(reduce_once(&wrong, reducer, sizes[s], leaves));
                wrong_in_all += wrong;
            }
            ddpm_reducer_free(reducer);
        }
    return wrong_in_all;
}

static void the_sum_has_the_bits_of_the_serial_tree_for_1_to_17_leaves(void **state)
{
    (void)state;
    assert_int_equal(wrong_in_all(&(ddpm_reducer_options){ .flat = true }, 0), 0);
}

static void the_sum_has_the_same_bits_without_a_thread(void **state)
{
    (void)state;
    assert_int_equal(wrong_in_all(&(ddpm_reducer_options){ .no_thread = true }, 0), 0);
}

static void nodes_that_add_up_first_give_the_same_bits(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= ddpm_comm_size(world); ranks++) /* up to all on one node */
        if (ddpm_comm_size(world) % ranks == 0) assert_int_equal(wrong_in_all(NULL, ranks), 0);
}

/* Copies a rank's spans of a flat buffer into a shard, or back. */
static void pack(const ddpm_reducer *reducer, float *shard, float *flat, bool back)
{
    const ddpm_span *span;
    size_t floats;
    for (size_t k = 0, n = ddpm_reducer_shard(reducer, &span, &floats); k < n; k++) {
        float *at = flat + span[k].offset;
        memcpy(back ? at : shard, back ? shard : at, span[k].count * sizeof *at);
        shard += span[k].count;
    }
}

/* The sum in shards, collected on rank 0, scattered again and gathered everywhere. */
static size_t wrong_in_shards(size_t floats, size_t leaves, size_t grain, int node_ranks)
{
    const ddpm_reducer_options options = { .shard_grain = grain };
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_dist__reducer_create(&reducer, world, floats, leaves, &options, BUCKET_FLOATS,
                                       node_ranks));
    float *sum, *expected = serial_tree(floats, leaves);
    CHECK_OK(sum_leaves(reducer, &sum, floats, leaves));

    const ddpm_span *span;
    size_t owned, wrong = 0;
    const size_t spans = ddpm_reducer_shard(reducer, &span, &owned);
    for (size_t k = 0; k < spans; k++) {
        wrong += span[k].offset % grain != 0;
        wrong += count_wrong(sum + span[k].offset, expected + span[k].offset, span[k].count);
    }
    float *shard = calloc(owned + 1, sizeof *shard), *flat = calloc(floats, sizeof *flat);
    assert_non_null(shard);
    assert_non_null(flat);
    const bool is_first = ddpm_comm_rank(world) == 0;
    pack(reducer, shard, sum, false);
    CHECK_OK(ddpm_reducer_collect(reducer, is_first ? flat : NULL, shard));
    if (is_first) wrong += count_wrong(flat, expected, floats);
    memset(shard, 0, owned * sizeof *shard);
    CHECK_OK(ddpm_reducer_scatter(reducer, shard, is_first ? flat : NULL));
    memset(flat, 0, floats * sizeof *flat);
    pack(reducer, shard, flat, true);
    CHECK_OK(ddpm_reducer_gather(reducer, flat));
    wrong += count_wrong(flat, expected, floats);
    free(flat);
    free(shard);
    free(expected);
    ddpm_reducer_free(reducer);
    return wrong;
}

static void shards_hold_the_same_sum_and_can_be_put_together(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t s = 0; s < SIZES; s++)
        for (size_t leaves = (size_t)ddpm_comm_size(world); leaves <= MOST_LEAVES; leaves += 3) {
            wrong += wrong_in_shards(sizes[s], leaves, 16, 1);
            wrong += wrong_in_shards(sizes[s], leaves, 256, 1);
            wrong += wrong_in_shards(sizes[s], leaves, 16, ddpm_comm_size(world));
            if (ddpm_comm_size(world) == 4) wrong += wrong_in_shards(sizes[s], leaves, 16, 2);
        }
    assert_int_equal(wrong, 0);
}

static void the_sum_by_mpi_is_the_same_but_for_rounding(void **state)
{
    (void)state;
    enum { FLOATS = 20011, LEAVES = 13 };
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_dist__reducer_create(&reducer, world, FLOATS, LEAVES,
                                       &(ddpm_reducer_options){ .mpi = true }, BUCKET_FLOATS, 0));
    for (int step = 0; step < 2; step++) {
        float *sum, *expected = serial_tree(FLOATS, LEAVES);
        CHECK_OK(sum_leaves(reducer, &sum, FLOATS, LEAVES));
        const double error = max_error_f32(sum, expected, FLOATS);
        free(expected);
        CHECK_LE(error, 1e-5);
    }
    ddpm_reducer_free(reducer);
}

static void values_of_single_owners_are_put_together(void **state)
{
    (void)state;
    enum { VALUES = 9 };
    double values[VALUES] = { 0 };
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, 100, VALUES, NULL));
    for (int i = 0; i < VALUES; i++)
        if (i % ddpm_comm_size(world) == ddpm_comm_rank(world)) values[i] = 1.0 / (i + 3);
    const ddpm_status status = ddpm_reducer_merge_f64(reducer, values, VALUES);
    ddpm_reducer_free(reducer);
    CHECK_OK(status);
    for (int i = 0; i < VALUES; i++) assert_true(values[i] == 1.0 / (i + 3));
}

static void the_size_of_the_buckets_does_not_matter(void **state)
{
    (void)state;
    enum { FLOATS = 300007, LEAVES = 7 };
    size_t wrong = 1;
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, LEAVES,
                                 &(ddpm_reducer_options){ .flat = true }));
    CHECK_OK(reduce_once(&wrong, reducer, FLOATS, LEAVES));
    const ddpm_reducer_stats stats = ddpm_reducer_get_stats(reducer);
    ddpm_reducer_free(reducer);
    assert_int_equal(wrong, 0);
    assert_true(stats.total_seconds > 0.0 && stats.exposed_seconds > 0.0);
    if (ddpm_comm_size(world) > 1)
        assert_true(stats.bytes_sent >= FLOATS * sizeof(float) / 2);
    else
        assert_int_equal(stats.bytes_sent, 0);
}

static void with_two_ranks_a_node_half_as_much_is_sent(void **state)
{
    (void)state;
    enum { FLOATS = 20011, LEAVES = 4 };
    if (ddpm_comm_size(world) != 4) skip();
    uint64_t sent[2];
    for (int k = 0; k < 2; k++) {
        size_t wrong;
        ddpm_reducer *reducer;
        CHECK_OK(
            ddpm_dist__reducer_create(&reducer, world, FLOATS, LEAVES, NULL, BUCKET_FLOATS, k + 1));
        CHECK_OK(reduce_once(&wrong, reducer, FLOATS, LEAVES));
        sent[k] = ddpm_reducer_get_stats(reducer).bytes_sent;
        ddpm_reducer_free(reducer);
    }
    /* Flat: 3/4 of everything twice; with two nodes: half of one half, twice. */
    CHECK_LE(fabs((double)sent[0] - 1.5 * FLOATS * sizeof(float)), 0.1 * FLOATS * sizeof(float));
    CHECK_LE(fabs((double)sent[1] - 0.5 * FLOATS * sizeof(float)), 0.1 * FLOATS * sizeof(float));
}

static void a_rank_sends_the_bytes_that_were_foretold(void **state)
{
    (void)state;
    enum { FLOATS = 300007 };
    for (size_t leaves = (size_t)ddpm_comm_size(world); leaves <= 9; leaves++) {
        size_t wrong = 1;
        ddpm_reducer *reducer;
        CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, leaves,
                                     &(ddpm_reducer_options){ .flat = true }));
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
    CHECK_OK(ddpm_reducer_create(&reducer, world, 1, LEAVES, NULL));
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
    CHECK_STATUS(ddpm_reducer_create(&reducer, world, 100, leaves, NULL), DDPM_ECONFIG);
    CHECK_MESSAGE("train.micro_batch");
}

static void the_plan_is_what_is_allocated_and_all_of_it_is_given_back(void **state)
{
    (void)state;
    enum { FLOATS = 50000, LEAVES = 16 };
    const ddpm_reducer_options options = { .flat = true };
    ddpm_reducer_needs needs, with_windows;
    CHECK_OK(ddpm_reducer_plan(&needs, FLOATS, LEAVES, ddpm_comm_rank(world), ddpm_comm_size(world),
                               &options));
    CHECK_OK(ddpm_reducer_plan(&with_windows, FLOATS, LEAVES, ddpm_comm_rank(world),
                               ddpm_comm_size(world), NULL));
    ddpm_reducer *reducer;
    CHECK_OK(ddpm_reducer_create(&reducer, world, FLOATS, LEAVES, &options));
    const ddpm_span *span;
    size_t floats;
    ddpm_reducer_shard(reducer, &span, &floats);
    const uint64_t gradients = ddpm_memory_live_bytes(DDPM_MEMORY_GRADIENTS);
    const uint64_t exchange = ddpm_memory_live_bytes(DDPM_MEMORY_COMMUNICATION);
    ddpm_reducer_free(reducer);
    assert_int_equal(floats, needs.shard_floats);
    assert_true(gradients >= needs.gradient_bytes && gradients < needs.gradient_bytes + 4096);
    assert_true(exchange >= needs.exchange_bytes && exchange < needs.exchange_bytes + 4096);
    assert_true(with_windows.exchange_bytes >= needs.exchange_bytes);
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

/* Bucket after bucket from the end, segment after segment: nothing twice, nothing left out. */
static void check_cut(size_t floats, size_t bucket_floats, size_t grain, int size)
{
    ddpm_cut cut;
    CHECK_OK(ddpm_dist__cut_create(&cut, floats, bucket_floats, grain, size));
    size_t end = floats;
    for (size_t b = 0; b < cut.count; b++) {
        const ddpm_span bucket = cut.bucket[b];
        assert_int_equal(bucket.offset + bucket.count, end);
        assert_int_equal(bucket.offset % grain, 0);
        assert_true(bucket.count > 0 && bucket.count <= cut.longest);
        assert_true(bucket.count < bucket_floats + grain);
        size_t next = bucket.offset;
        for (int s = 0; s < size; s++) {
            const ddpm_span segment = ddpm_dist__segment(&cut, b, s, size);
            assert_true(segment.count <= cut.most_segment);
            if (segment.count == 0) continue;
            assert_int_equal(segment.offset, next);
            assert_int_equal(segment.offset % grain, 0);
            next += segment.count;
        }
        assert_int_equal(next, end);
        end = bucket.offset;
    }
    assert_int_equal(end, 0);
    ddpm_dist__cut_free(&cut);
}

static void buckets_and_segments_cover_the_buffer_once(void **state)
{
    (void)state;
    static const size_t floats[] = { 0, 1, 16, 1000, 99999, 35746307 };
    static const size_t grains[] = { 1, 16, 16384 };
    for (size_t f = 0; f < sizeof floats / sizeof *floats; f++)
        for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
            for (int size = 1; size < 40; size += 6) {
                if (floats[f] < 100000) check_cut(floats[f], 3, grains[g], size);
                check_cut(floats[f], 1 << 20, grains[g], size);
            }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(buckets_and_segments_cover_the_buffer_once),
    cmocka_unit_test(intervals_cover_the_leaves_once_and_their_subtrees_cover_the_intervals),
    cmocka_unit_test(the_sum_has_the_bits_of_the_serial_tree_for_1_to_17_leaves),
    cmocka_unit_test(the_sum_has_the_same_bits_without_a_thread),
    cmocka_unit_test(nodes_that_add_up_first_give_the_same_bits),
    cmocka_unit_test(shards_hold_the_same_sum_and_can_be_put_together),
    cmocka_unit_test(the_sum_by_mpi_is_the_same_but_for_rounding),
    cmocka_unit_test(values_of_single_owners_are_put_together),
    cmocka_unit_test(the_size_of_the_buckets_does_not_matter),
    cmocka_unit_test(with_two_ranks_a_node_half_as_much_is_sent),
    cmocka_unit_test(a_rank_sends_the_bytes_that_were_foretold),
    cmocka_unit_test(sums_of_doubles_take_the_same_tree),
    cmocka_unit_test(more_ranks_than_leaves_is_an_error_on_every_rank),
    cmocka_unit_test(the_plan_is_what_is_allocated_and_all_of_it_is_given_back),
};
MPI_CHECK_MAIN(tests)
