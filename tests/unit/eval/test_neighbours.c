/* Nearest neighbours against a search through all pairs, and what follows from them. */
#include "check.h"
#include "numeric.h"

#include "ddpm/eval/memorization.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 40, ROWS = 1200, D = 50, K = 3 };

typedef struct {
    float *x;
    size_t d;
} rows;

static ddpm_status read_rows(float *x, size_t first, size_t count, void *context)
{
    const rows *r = context;
    memcpy(x, r->x + first * r->d, count * r->d * sizeof *x);
    return DDPM_OK;
}

static ddpm_status fail_to_read(float *x, size_t first, size_t count, void *context)
{
    (void)x, (void)count, (void)context;
    if (first == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "no more rows");
}

static double square_between(const float *a, const float *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < D; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* Far from the origin, where products in float32 know little of small distances; some rows are
 * queries, some come twice. */
static void fill(rows *r, float *queries)
{
    r->x = malloc(sizeof(float) * ROWS * D);
    r->d = D;
    assert_non_null(r->x);
    fill_normal(r->x, (size_t)ROWS * D, 1);
    fill_normal(queries, (size_t)QUERIES * D, 2);
    for (size_t i = 0; i < (size_t)ROWS * D; i++) r->x[i] += 30.0f;
    for (size_t i = 0; i < (size_t)QUERIES * D; i++) queries[i] += 30.0f;
    memcpy(r->x + (size_t)700 * D, queries + (size_t)5 * D, D * sizeof(float));
    memcpy(r->x + (size_t)1100 * D, queries + (size_t)5 * D, D * sizeof(float));
}

/* All times `scale`: of the smallest, products vanish in float32. */
static void search_all(float scale)
{
    rows r;
    float *queries = malloc(sizeof(float) * QUERIES * D);
    ddpm_neighbour found[QUERIES * K];
    assert_non_null(queries);
    fill(&r, queries);
    for (size_t i = 0; i < (size_t)ROWS * D; i++) r.x[i] *= scale;
    for (size_t i = 0; i < (size_t)QUERIES * D; i++) queries[i] *= scale;
    CHECK_OK(ddpm_neighbours_find(
        found, &(ddpm_neighbour_search){ queries, QUERIES, D, K, ROWS, read_rows, &r, NULL }));
    for (size_t q = 0; q < QUERIES; q++) {
        bool taken[ROWS] = { false };
        for (size_t k = 0; k < K; k++) {
            size_t best = ROWS;
            for (size_t i = 0; i < ROWS; i++)
                if (!taken[i] &&
                    (best == ROWS || square_between(queries + q * D, r.x + i * D) <
                                         square_between(queries + q * D, r.x + best * D)))
                    best = i;
            taken[best] = true;
            assert_int_equal(found[q * K + k].index, best);
            assert_true(found[q * K + k].square == square_between(queries + q * D, r.x + best * D));
        }
    }
    assert_int_equal(found[5 * K].index, 700); /* of equals the first */
    assert_int_equal(found[5 * K + 1].index, 1100);
    assert_true(found[5 * K + 1].square == 0.0);
    free(queries);
    free(r.x);
}

static void the_nearest_are_those_of_a_search_through_all(void **state)
{
    (void)state;
    search_all(1.0f);
}

static void the_nearest_are_right_where_float32_products_underflow_or_overflow(void **state)
{
    (void)state;
    search_all(1e-25f);
    search_all(1e25f);
}

static void a_reader_s_failure_is_passed_up(void **state)
{
    (void)state;
    const float query[D] = { 0 };
    ddpm_neighbour found[1];
    CHECK_STATUS(ddpm_neighbours_find(found, &(ddpm_neighbour_search){ query, 1, D, 1, ROWS,
                                                                       fail_to_read, NULL, NULL }),
                 74);
}

static void copies_stand_out_and_are_counted(void **state)
{
    (void)state;
    /* Squares to the nearest and the second: 4 values an image. */
    const ddpm_neighbour samples[] = { { 0.0, 1 }, { 4.0, 2 },    { 4.0, 3 },  { 17.0, 1 },
                                       { 1.0, 9 }, { 9.0001, 2 }, { 16.0, 3 }, { 25.0, 4 } };
    const ddpm_neighbour held_out[] = { { 4.0, 1 }, { 4.0, 2 }, { 16.0, 1 }, { 16.0, 2 } };
    ddpm_nearness s, h;
    CHECK_OK(ddpm_nearness_of(&s, samples, 4, 4));
    CHECK_OK(ddpm_nearness_of(&h, held_out, 2, 4));
    assert_true(s.least == 0.0 && s.standing_out == 0.5);
    CHECK_LE(fabs(s.median - 127.5 * 0.75), 1e-12); /* of 0, 1/2, 1, 2 */
    CHECK_LE(fabs(h.median - 127.5 * 1.5), 1e-12);
    assert_true(ddpm_nearness_share_below(&s, &h, 0.01) == 0.5);
    assert_true(ddpm_nearness_share_below(&h, &h, 0.01) == 0.0);
    CHECK_LE(fabs(ddpm_nearness_ratio(&s, &h) - 0.5), 1e-15);
    assert_true(s.copies == 1 && h.copies == 0);
    ddpm_nearness_free(&s);
    ddpm_nearness_free(&h);
}

/* RMSE s of 0..255 over the 4 values of an image. */
static double square_of(double rmse)
{
    return 4.0 * (rmse / 127.5) * (rmse / 127.5);
}

/* Of an image that is twice in the training set the second nearest is no farther: nothing stands
 * out, and yet it is a copy. */
static void a_copy_of_an_image_that_is_there_twice_is_a_copy(void **state)
{
    (void)state;
    const ddpm_neighbour twice[] = { { 0.0, 1 }, { 0.0, 7 } };
    const ddpm_neighbour around[] = {
        { square_of(0.49), 1 }, { square_of(0.6), 2 }, { square_of(0.51), 3 }, { square_of(0.6), 4 }
    };
    ddpm_nearness n;
    CHECK_OK(ddpm_nearness_of(&n, twice, 1, 4));
    assert_true(n.copies == 1 && n.standing_out == 0.0);
    ddpm_nearness_free(&n);
    CHECK_OK(ddpm_nearness_of(&n, around, 2, 4));
    assert_int_equal(n.copies, 1);
    ddpm_nearness_free(&n);
}

static void held_out_images_that_were_trained_on_give_no_ratio(void **state)
{
    (void)state;
    const ddpm_neighbour samples[] = { { 1.0, 1 }, { 1.0, 2 } };
    const ddpm_neighbour mostly[] = { { 0.0, 1 }, { 1.0, 2 }, { 0.0, 3 },
                                      { 1.0, 4 }, { 4.0, 5 }, { 9.0, 6 } };
    ddpm_nearness s, h;
    CHECK_OK(ddpm_nearness_of(&s, samples, 1, 4));
    CHECK_OK(ddpm_nearness_of(&h, mostly, 3, 4));
    assert_int_equal(h.copies, 2);
    assert_true(isnan(ddpm_nearness_ratio(&s, &h)));
    assert_true(isnan(ddpm_nearness_share_below(&s, &h, 0.01)));
    assert_true(ddpm_nearness_share_below(&s, &h, 0.67) == 1.0); /* the third is no copy */
    ddpm_nearness_free(&s);
    ddpm_nearness_free(&h);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_are_those_of_a_search_through_all),
        cmocka_unit_test(the_nearest_are_right_where_float32_products_underflow_or_overflow),
        cmocka_unit_test(a_reader_s_failure_is_passed_up),
        cmocka_unit_test(copies_stand_out_and_are_counted),
        cmocka_unit_test(a_copy_of_an_image_that_is_there_twice_is_a_copy),
        cmocka_unit_test(held_out_images_that_were_trained_on_give_no_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
