/* The sliced Wasserstein distance where it is known, and the pyramid and the sort below it. */
#include "check.h"
#include "numeric.h"

#include "ddpm/eval/swd.h"
#include "ddpm/kernels/isa.h"
#include "pyramid.h"
#include "sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 12, IMAGES = 500 };

/* Every pixel by itself, or one value for all of an image. */
static ddpm_status independent(float *x, size_t first, size_t count, void *context)
{
    const uint64_t *seed = context;
    for (size_t i = 0; i < count; i++)
        fill_normal(x + i * SIDE * SIDE, (size_t)SIDE * SIDE, *seed + first + i);
    return DDPM_OK;
}

static ddpm_status constant(float *x, size_t first, size_t count, void *context)
{
    const uint64_t *seed = context;
    for (size_t i = 0; i < count; i++) {
        float value;
        fill_normal(&value, 1, *seed + first + i);
        for (size_t k = 0; k < (size_t)SIDE * SIDE; k++) x[i * SIDE * SIDE + k] = value;
    }
    return DDPM_OK;
}

/* One value or its negative: of all of the first half of the images, or of every second one. */
static ddpm_status halves(float *x, size_t first, size_t count, void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < (size_t)SIDE * SIDE; k++)
            x[i * SIDE * SIDE + k] = first + i < IMAGES / 2 ? 2.0f : -2.0f;
    return DDPM_OK;
}

static ddpm_status alternating(float *x, size_t first, size_t count, void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < (size_t)SIDE * SIDE; k++)
            x[i * SIDE * SIDE + k] = (first + i) % 2 ? 0.5f : -0.5f;
    return DDPM_OK;
}

static double distance_along(ddpm_row_reader *a, ddpm_row_reader *b, size_t directions)
{
    uint64_t seeds[] = { 1000, 900000 };
    ddpm_swd out;
    const ddpm_swd_options options = { .shape = { IMAGES, SIDE, SIDE, 1 },
                                       .patches = 8,
                                       .directions = directions,
                                       .read = { a, b },
                                       .context = { &seeds[0], &seeds[1] } };
    CHECK_OK(ddpm_swd_of(&out, &options));
    assert_int_equal(out.levels, 1);
    assert_int_equal(out.side[0], SIDE);
    assert_true(out.mean == out.distance[0]);
    return out.mean;
}

static double distance(ddpm_row_reader *a, ddpm_row_reader *b)
{
    return distance_along(a, b, 512);
}

/* Along a direction u the first set is N(0, 1), the second N(0, (sum u)^2), and sum u is nearly
 * N(0, 1) itself over directions: E |1 - |g|| E |z| = 0.535 0.798 = 0.427. */
static void sets_of_known_laws_have_the_distance_that_follows(void **state)
{
    (void)state;
    CHECK_LE(fabs(distance(independent, constant) - 427.0), 40.0);
    CHECK_LE(distance(independent, independent), 40.0);
    CHECK_LE(fabs(distance(constant, independent) - 427.0), 40.0);
}

/* Both sets have as many of either value, so normalised they are one: also where all that varies
 * does so between images that are cut, and summed up, apart. */
static void normalising_sees_the_variance_between_images(void **state)
{
    (void)state;
    CHECK_LE(distance(halves, alternating), 1e-3);
}

static void each_direction_counts_once_where_the_last_unit_is_not_full(void **state)
{
    (void)state;
    const double eight = 8.0 * distance_along(independent, constant, 8);
    const double nine = 9.0 * distance_along(independent, constant, 9);
    const double sixteen = 16.0 * distance_along(independent, constant, 16);
    CHECK_LE(eight + 1.0, nine);
    CHECK_LE(nine + 1.0, sixteen);
}

static void levels_end_at_sixteen(void **state)
{
    (void)state;
    assert_int_equal(ddpm_swd_levels((ddpm_shape){ 1, 128, 128, 3 }), 4);
    assert_int_equal(ddpm_swd_levels((ddpm_shape){ 1, 32, 32, 1 }), 2);
    assert_int_equal(ddpm_swd_levels((ddpm_shape){ 1, 28, 28, 1 }), 1);
    const ddpm_swd_options small = { .shape = { 4, 6, 20, 1 } };
    ddpm_swd out;
    CHECK_STATUS(ddpm_swd_of(&out, &small), 78);
}

static void a_pyramid_keeps_what_is_even_and_what_rises_evenly(void **state)
{
    (void)state;
    float flat[16 * 16], ramp[16 * 16], down[8 * 8], up[16 * 16];
    const ddpm_shape full = { 1, 16, 16, 1 }, half = { 1, 8, 8, 1 };
    for (size_t i = 0; i < 256; i++) {
        flat[i] = 0.75f;
        ramp[i] = (float)(i % 16);
    }
    pyramid_down(down, flat, full);
    for (size_t i = 0; i < 64; i++) CHECK_LE(fabs((double)down[i] - 0.75), 1e-6);
    pyramid_up(up, down, half);
    for (size_t i = 0; i < 256; i++) CHECK_LE(fabs((double)up[i] - 0.75), 1e-6);
    pyramid_down(down, ramp, full);
    for (size_t i = 0; i < 64; i++)
        if (i % 8 >= 1 && i % 8 < 7) CHECK_LE(fabs((double)down[i] - 2.0 * (double)(i % 8)), 1e-5);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void a_sort_is_a_sort(void **state)
{
    (void)state;
    enum { N = 5000 };
    float x[N], y[N], scratch[N];
    fill_normal(x, N, 8);
    for (size_t i = 0; i < N; i += 7) x[i] *= 1e-30f;
    for (size_t i = 0; i < N; i += 11) x[i] = 0.0f;
    memcpy(y, x, sizeof x);
    eval_sort(x, scratch, N);
    qsort(y, N, sizeof *y, ascending);
    assert_memory_equal(x, y, sizeof x);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_of_known_laws_have_the_distance_that_follows),
        cmocka_unit_test(normalising_sees_the_variance_between_images),
        cmocka_unit_test(each_direction_counts_once_where_the_last_unit_is_not_full),
        cmocka_unit_test(levels_end_at_sixteen),
        cmocka_unit_test(a_pyramid_keeps_what_is_even_and_what_rises_evenly),
        cmocka_unit_test(a_sort_is_a_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
