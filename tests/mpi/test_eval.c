/* What evaluations share over the ranks, held against one process alone: the same bits. */
#include "mpi_check.h"
#include "numeric.h"

#include "ddpm/data/order.h"
#include "ddpm/dist/share.h"
#include "ddpm/eval/classifier.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/swd.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/kernels/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank(void)
{
    return ddpm_comm_rank(world);
}
static size_t ranks(void)
{
    return (size_t)ddpm_comm_size(world);
}
/* One thread, or where ranks share the work different numbers of them. */
static ddpm_comm *alone_or_together(bool together)
{
    ddpm_kernels_set_threads(together ? 1 + rank() % 3 : 1);
    return together ? world : NULL;
}
static float *normal(size_t count, uint64_t seed)
{
    float *x = malloc(count * sizeof *x);
    assert_non_null(x);
    fill_normal(x, count, seed);
    return x;
}

static void kernels_are_there(void **state)
{
    (void)state;
    CHECK_OK(ddpm_kernels_init());
}

enum { UNITS = 11 };
typedef struct {
    size_t done[UNITS], taken[UNITS], count;
    size_t fail_compute, fail_take; /* UNITS: none */
    size_t asked, stop_after;       /* questions until the last rank stops; 0: never */
} record;

static ddpm_status compute(double *values, size_t number, void *context)
{
    record *r = context;
    r->done[number / 10]++;
    if (number / 10 == r->fail_compute) return ddpm_fail(DDPM_EIO, "unit %zu broke", number);
    values[0] = (double)number;
    values[1] = rank();
    return DDPM_OK;
}

static ddpm_status take(size_t number, const double *values, void *context)
{
    record *r = context;
    if (number / 10 == r->fail_take && rank() == 0) return ddpm_fail(DDPM_EAGAIN, "enough");
    r->taken[r->count++] = (size_t)values[0] == number ? number / 10 : UNITS;
    if ((size_t)values[1] != number / 10 % ranks()) r->taken[r->count - 1] = UNITS;
    return DDPM_OK;
}

static bool go_on(void *context)
{
    record *r = context;
    const bool last = rank() + 1 == (int)ranks();
    r->asked++;
    return !(last && r->stop_after && r->asked >= r->stop_after);
}

static ddpm_status share(record *r)
{
    uint64_t number[UNITS];
    for (size_t i = 0; i < UNITS; i++) number[i] = 10 * i;
    return ddpm_share_work(&(ddpm_share){ .units = UNITS,
                                          .number = number,
                                          .values = 2,
                                          .compute = compute,
                                          .take = take,
                                          .go_on = go_on,
                                          .context = r },
                           world);
}

static void every_unit_is_done_once_and_taken_in_order_by_all(void **state)
{
    (void)state;
    record r = { .fail_compute = UNITS, .fail_take = UNITS };
    uint64_t done[UNITS] = { 0 };
    const ddpm_status status = share(&r);
    for (size_t i = 0; i < UNITS; i++) done[i] = r.done[i];
    const ddpm_status counted = ddpm_comm_max_u64(world, done, UNITS);
    CHECK_OK(status);
    CHECK_OK(counted);
    assert_int_equal(r.count, UNITS);
    for (size_t i = 0; i < UNITS; i++) {
        assert_int_equal(r.taken[i], i);
        assert_int_equal(done[i], 1);
        assert_int_equal(r.done[i], i % ranks() == (size_t)rank());
    }
}

static void a_unit_that_fails_on_one_rank_fails_all_and_ends_the_work(void **state)
{
    (void)state;
    record r = { .fail_compute = 4, .fail_take = UNITS },
           s = { .fail_compute = UNITS, .fail_take = 3 };
    const ddpm_status status = share(&r);
    const bool told = strstr(ddpm_status_message(), "unit 40 broke") != NULL;
    const ddpm_status stopped = share(&s);
    CHECK_STATUS(status, DDPM_EIO);
    assert_true(told);
    assert_int_equal(r.count, 4 / ranks() * ranks()); /* whole rounds before it */
    CHECK_STATUS(stopped, DDPM_EAGAIN);
    CHECK_MESSAGE("enough");
}

static void work_that_one_rank_stops_has_taken_whole_rounds_on_all(void **state)
{
    (void)state;
    const size_t rounds = (UNITS + ranks() - 1) / ranks();
    for (size_t after = 1; after <= 4; after++) {
        record r = { .fail_compute = UNITS, .fail_take = UNITS, .stop_after = after };
        const ddpm_status status = share(&r);
        /* The first question is before the first round, and there is none after the last. */
        const bool stops = after <= rounds;
        CHECK_STATUS(status, stops ? DDPM_EAGAIN : DDPM_OK);
        assert_int_equal(r.count, stops ? (after - 1) * ranks() : UNITS);
        assert_int_equal(r.asked, stops ? after : rounds);
    }
}

static void a_buffer_is_put_together_from_those_who_did_its_units(void **state)
{
    (void)state;
    enum { BYTES = 103, UNIT = 10 };
    char buffer[BYTES];
    for (size_t i = 0; i < BYTES; i++)
        buffer[i] = i / UNIT % ranks() == (size_t)rank() ? (char)(i + 1) : 0;
    CHECK_OK(ddpm_share_spread(buffer, BYTES, UNIT, world));
    for (size_t i = 0; i < BYTES; i++) assert_int_equal(buffer[i], (char)(i + 1));
}

enum { ROWS = 2900, QUERIES = 2100, D = 12, K = 3 };

typedef struct {
    const float *x;
    int broken_rank; /* whose reader fails at a later block; -1: nobody's */
} rows;

static ddpm_status read_rows(float *x, size_t first, size_t count, void *context)
{
    const rows *r = context;
    if (rank() == r->broken_rank && first + count > ROWS / 2)
        return ddpm_fail(DDPM_EIO, "no more rows");
    memcpy(x, r->x + first * D, count * D * sizeof *x);
    return DDPM_OK;
}

/* Rows far apart in the set, and so on different ranks, are equal: the first of them counts. */
static void neighbours_are_the_same_on_any_number_of_ranks(void **state)
{
    (void)state;
    float *x = normal((size_t)ROWS * D, 1), *queries = normal((size_t)QUERIES * D, 2);
    for (size_t i = 0; i < ROWS / 2; i++) memcpy(x + (ROWS - 1 - i) * D, x + i * D, D * sizeof *x);
    rows r = { x, -1 };
    ddpm_neighbour *found[2];
    ddpm_status status[2];
    for (size_t t = 0; t < 2; t++) {
        found[t] = calloc((size_t)QUERIES * K, sizeof **found);
        assert_non_null(found[t]);
        status[t] = ddpm_neighbours_find(
            found[t], &(ddpm_neighbour_search){ queries, QUERIES, D, K, ROWS, read_rows, &r,
                                                alone_or_together(t == 1) });
    }
    CHECK_OK(status[0]);
    CHECK_OK(status[1]);
    for (size_t q = 0; q < QUERIES; q++) {
        assert_true(found[0][q * K].square == found[0][q * K + 1].square);
        assert_true(found[0][q * K].index < found[0][q * K + 1].index);
    }
    assert_memory_equal(found[0], found[1], sizeof **found * QUERIES * K);
    free(found[0]);
    free(found[1]);
    free(x);
    free(queries);
}

static void a_reader_that_fails_on_the_last_rank_fails_the_search_on_all(void **state)
{
    (void)state;
    float *x = normal((size_t)ROWS * D, 1);
    rows r = { x, (int)ranks() - 1 };
    ddpm_neighbour found[K];
    const ddpm_neighbour_search search = { x, 1, D, K, ROWS, read_rows, &r, world };
    /* With more ranks than blocks the last rank has nothing to read. */
    const ddpm_status expected = ranks() <= (ROWS + 511) / 512 ? DDPM_EIO : DDPM_OK;
    const ddpm_status status = ddpm_neighbours_find(found, &search);
    free(x);
    CHECK_STATUS(status, expected);
}

static void statistics_and_kernel_distances_have_the_same_bits(void **state)
{
    (void)state;
    enum { N = 1300, M = 700, WIDE = 300 };
    float *a = normal((size_t)N * WIDE, 3), *b = normal((size_t)M * WIDE, 4);
    ddpm_feature_stats stats[2];
    ddpm_kernel_distance distance[2];
    ddpm_status status = DDPM_OK;
    for (size_t t = 0; t < 2; t++) {
        ddpm_comm *comm = alone_or_together(t == 1);
        distance[t] = (ddpm_kernel_distance){ .subsets = 5, .size = 600 };
        status = ddpm_feature_stats_of(&stats[t], a, N, WIDE, comm);
        if (status == DDPM_OK)
            status = ddpm_kernel_distance_of(&distance[t], a, N, b, M, WIDE, 7, comm);
        if (status != DDPM_OK) break;
    }
    free(a);
    free(b);
    CHECK_OK(status);
    assert_memory_equal(stats[0].mean, stats[1].mean, WIDE * sizeof(double));
    assert_memory_equal(stats[0].covariance, stats[1].covariance, sizeof(double) * WIDE * WIDE);
    for (size_t i = 0; i < WIDE; i++) /* and nothing was left out */
        assert_true(fabs(stats[0].covariance[i * WIDE + i] - 1.0) < 0.3);
    assert_memory_equal(&distance[0].mean, &distance[1].mean, sizeof(double));
    assert_memory_equal(&distance[0].std, &distance[1].std, sizeof(double));
    ddpm_feature_stats_free(&stats[0]);
    ddpm_feature_stats_free(&stats[1]);
}

static void counts_of_neighbours_are_the_same(void **state)
{
    (void)state;
    enum { REAL = 700, FAKE = 1100 };
    float *real = normal((size_t)REAL * D, 5), *fake = normal((size_t)FAKE * D, 6);
    ddpm_prdc of[2];
    ddpm_status status[2];
    for (size_t i = 0; i < (size_t)FAKE * D; i++) fake[i] *= 0.8f;
    for (size_t t = 0; t < 2; t++)
        status[t] = ddpm_prdc_of(&of[t], real, REAL, fake, FAKE, D, K, alone_or_together(t == 1));
    free(real);
    free(fake);
    CHECK_OK(status[0]);
    CHECK_OK(status[1]);
    assert_memory_equal(&of[0], &of[1], sizeof of[0]);
    assert_true(of[0].recall > 0.1 && of[0].recall < of[0].precision);
}

enum { SIDE = 32, CHANNELS = 2, PIXELS = SIDE * SIDE * CHANNELS };
static ddpm_status read_images(float *x, size_t first, size_t count, void *context)
{
    const uint64_t *seed = context;
    for (size_t i = 0; i < count; i++) {
        fill_normal(x + i * PIXELS, PIXELS, *seed + first + i);
        for (size_t p = 0; p < PIXELS; p++) x[i * PIXELS + p] += 0.01f * (float)(first + i);
    }
    return DDPM_OK;
}

static void sliced_distances_have_the_same_bits_at_every_level(void **state)
{
    (void)state;
    uint64_t seeds[] = { 10, 9000 };
    ddpm_swd of[2];
    ddpm_status status[2];
    memset(of, 0, sizeof of);
    for (size_t t = 0; t < 2; t++)
        status[t] = ddpm_swd_of(&of[t], &(ddpm_swd_options){ .shape = { 150, SIDE, SIDE, CHANNELS },
                                                             .patches = 5,
                                                             .directions = 20,
                                                             .read = { read_images, read_images },
                                                             .context = { &seeds[0], &seeds[1] },
                                                             .comm = alone_or_together(t == 1) });
    CHECK_OK(status[0]);
    CHECK_OK(status[1]);
    assert_int_equal(of[0].levels, 2);
    assert_true(of[0].distance[0] > 0.0 && of[0].distance[1] > 0.0);
    assert_memory_equal(&of[0], &of[1], sizeof of[0]);
}

enum { CLASSES = 3, IMAGES = 90, EPOCHS = 2, STEP = DDPM_CLASSIFIER_CALLS * DDPM_CLASSIFIER_BATCH };
static const ddpm_shape shape = { 0, SIDE, SIDE, CHANNELS };

static ddpm_status read_labelled(float *x, int64_t *labels, const uint64_t *index, size_t count,
                                 void *context)
{
    const int *broken_rank = context;
    if (broken_rank && rank() == *broken_rank) return ddpm_fail(DDPM_EIO, "no images here");
    for (size_t i = 0; i < count; i++) {
        fill_normal(x + i * PIXELS, PIXELS, 500 + index[i]);
        labels[i] = (int64_t)(index[i] % CLASSES);
        x[i * PIXELS] += (float)labels[i];
    }
    return DDPM_OK;
}

/* The calls of a step one after the other, their gradients added up as the tree has it. */
static void step_alone(ddpm_classifier *c, float *m, float *v, uint64_t step, uint64_t steps)
{
    size_t floats;
    float *w = ddpm_classifier_weights(c, &floats), *x = normal(DDPM_CLASSIFIER_BATCH * PIXELS, 0);
    float *gradient = calloc(DDPM_CLASSIFIER_CALLS * floats, sizeof *gradient);
    assert_non_null(gradient);
    for (size_t call = 0; call < DDPM_CLASSIFIER_CALLS; call++) {
        uint64_t index[DDPM_CLASSIFIER_BATCH];
        int64_t labels[DDPM_CLASSIFIER_BATCH];
        for (size_t i = 0; i < DDPM_CLASSIFIER_BATCH; i++)
            index[i] = ddpm_order_image(1, step * STEP + call * DDPM_CLASSIFIER_BATCH + i, IMAGES);
        CHECK_OK(read_labelled(x, labels, index, DDPM_CLASSIFIER_BATCH, NULL));
        ddpm_classifier_loss(gradient + call * floats, c, x, labels);
    }
    for (size_t apart = 1; apart < DDPM_CLASSIFIER_CALLS; apart *= 2)
        for (size_t i = 0; i + apart < DDPM_CLASSIFIER_CALLS; i += 2 * apart)
            for (size_t k = 0; k < floats; k++)
                gradient[i * floats + k] += gradient[(i + apart) * floats + k];
    ddpm_adam_ema_step(w, m, v, gradient, floats,
                       &(ddpm_adam){ .lr = 1e-3 * (1.0 - (double)step / (double)steps),
                                     .beta1 = 0.9,
                                     .beta2 = 0.999,
                                     .epsilon = 1e-8,
                                     .step = step,
                                     .grad_factor = 1.0 / DDPM_CLASSIFIER_CALLS },
                       NULL);
    free(gradient);
    free(x);
}

static ddpm_status train(ddpm_classifier **c, double *accuracy, int *broken_rank)
{
    uint64_t index[IMAGES];
    for (size_t i = 0; i < IMAGES; i++) index[i] = i;
    const ddpm_classifier_data data = { .read = read_labelled,
                                        .context = broken_rank,
                                        .train = index,
                                        .test = index,
                                        .train_count = IMAGES,
                                        .test_count = IMAGES,
                                        .epochs = EPOCHS,
                                        .lr = 1e-3 };
    DDPM_TRY(ddpm_classifier_create(c, shape, CLASSES, 1));
    return ddpm_classifier_train(*c, accuracy, &data, world);
}

static void a_classifier_becomes_the_same_on_any_number_of_ranks(void **state)
{
    (void)state;
    ddpm_classifier *together, *alone;
    double accuracy = -1.0;
    char hash[2][33];
    const uint64_t steps = (IMAGES * EPOCHS + STEP - 1) / STEP;
    alone_or_together(true);
    const ddpm_status status = train(&together, &accuracy, NULL);
    alone_or_together(false);
    CHECK_OK(status);
    CHECK_OK(ddpm_classifier_create(&alone, shape, CLASSES, 1));
    size_t floats;
    ddpm_classifier_weights(alone, &floats);
    float *m = calloc(2 * floats, sizeof *m);
    assert_non_null(m);
    for (uint64_t step = 0; step < steps; step++) step_alone(alone, m, m + floats, step, steps);
    ddpm_classifier_hash(hash[0], alone);
    ddpm_classifier_hash(hash[1], together);
    assert_string_equal(hash[0], hash[1]);
    assert_true(accuracy > 0.0 && accuracy <= 1.0);
    free(m);
    ddpm_classifier_free(alone);
    ddpm_classifier_free(together);
}

static void training_ends_on_all_ranks_where_one_cannot_read(void **state)
{
    (void)state;
    ddpm_classifier *c;
    double accuracy;
    int broken = ranks() < DDPM_CLASSIFIER_CALLS ? (int)ranks() - 1 : 0;
    const ddpm_status status = train(&c, &accuracy, &broken);
    ddpm_classifier_free(c);
    CHECK_STATUS(status, DDPM_EIO);
    CHECK_MESSAGE("no images here");
}

static void features_of_rank_0_s_classifier_have_the_same_bits(void **state)
{
    (void)state;
    enum { N = 150 };
    uint64_t seed = 4;
    static float features[2][N * DDPM_CLASSIFIER_FEATURES];
    ddpm_classifier *alone, *together = NULL;
    CHECK_OK(ddpm_classifier_create(&alone, shape, CLASSES, 1));
    ddpm_status status = DDPM_OK;
    if (rank() == 0) status = ddpm_classifier_create(&together, shape, CLASSES, 1);
    if (status == DDPM_OK) status = ddpm_classifier_share(&together, world);
    for (size_t t = 0; status == DDPM_OK && t < 2; t++)
        status = ddpm_classifier_features(features[t], t ? together : alone, N, read_images, &seed,
                                          alone_or_together(t == 1));
    ddpm_classifier_free(alone);
    ddpm_classifier_free(together);
    CHECK_OK(status);
    assert_memory_equal(features[0], features[1], sizeof features[0]);
}

static void features_that_rank_0_read_reach_all(void **state)
{
    (void)state;
    enum { N = 10 };
    ddpm_features f = { 0 };
    float *x = normal((size_t)N * D, 8);
    if (rank() == 0) {
        f = (ddpm_features){ .n = N, .d = D, .features = normal((size_t)N * D, 8) };
        snprintf(f.protocol, sizeof f.protocol, "ours");
        snprintf(f.hash, sizeof f.hash, "sha256:12");
    }
    const ddpm_status status = ddpm_features_share(&f, world);
    CHECK_OK(status);
    assert_int_equal(f.n, N);
    assert_int_equal(f.d, D);
    assert_string_equal(f.protocol, "ours");
    assert_string_equal(f.hash, "sha256:12");
    assert_memory_equal(f.features, x, sizeof *x * N * D);
    ddpm_features_free(&f);
    free(x);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(kernels_are_there),
    cmocka_unit_test(every_unit_is_done_once_and_taken_in_order_by_all),
    cmocka_unit_test(a_unit_that_fails_on_one_rank_fails_all_and_ends_the_work),
    cmocka_unit_test(work_that_one_rank_stops_has_taken_whole_rounds_on_all),
    cmocka_unit_test(a_buffer_is_put_together_from_those_who_did_its_units),
    cmocka_unit_test(neighbours_are_the_same_on_any_number_of_ranks),
    cmocka_unit_test(a_reader_that_fails_on_the_last_rank_fails_the_search_on_all),
    cmocka_unit_test(statistics_and_kernel_distances_have_the_same_bits),
    cmocka_unit_test(counts_of_neighbours_are_the_same),
    cmocka_unit_test(sliced_distances_have_the_same_bits_at_every_level),
    cmocka_unit_test(a_classifier_becomes_the_same_on_any_number_of_ranks),
    cmocka_unit_test(training_ends_on_all_ranks_where_one_cannot_read),
    cmocka_unit_test(features_of_rank_0_s_classifier_have_the_same_bits),
    cmocka_unit_test(features_that_rank_0_read_reach_all),
};
MPI_CHECK_MAIN(tests)
