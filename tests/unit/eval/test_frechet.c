/* Distances between features, where they are known in closed form. */
#include "check.h"
#include "numeric.h"

#include "ddpm/eval/frechet.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static ddpm_feature_stats stats_of(size_t d, const double *mean, const double *covariance)
{
    ddpm_feature_stats s = { .d = d,
                             .mean = malloc(d * sizeof(double)),
                             .covariance = malloc(d * d * sizeof(double)) };
    assert_true(s.mean && s.covariance);
    memcpy(s.mean, mean, d * sizeof(double));
    memcpy(s.covariance, covariance, d * d * sizeof(double));
    return s;
}

static double distance(const ddpm_feature_stats *a, const ddpm_feature_stats *b)
{
    double d;
    CHECK_OK(ddpm_frechet_distance(&d, a, b));
    return d;
}

/* Covariances that share no eigenvectors. In two dimensions
 * tr (A B)^(1/2) = sqrt(tr(A B) + 2 sqrt(det A det B)). */
static void covariances_that_do_not_commute_have_the_distance_of_the_formula(void **state)
{
    (void)state;
    const double m1[] = { 1.0, -2.0 }, m2[] = { 0.5, 1.0 };
    const double s1[] = { 4.0, 1.5, 1.5, 2.0 }, s2[] = { 1.0, -0.3, -0.3, 0.5 };
    ddpm_feature_stats a = stats_of(2, m1, s1), b = stats_of(2, m2, s2);
    const double product = s1[0] * s2[0] + 2.0 * s1[1] * s2[1] + s1[3] * s2[3];
    const double determinants = (s1[0] * s1[3] - s1[1] * s1[1]) * (s2[0] * s2[3] - s2[1] * s2[1]);
    const double root = sqrt(product + 2.0 * sqrt(determinants));
    const double expected = 0.25 + 9.0 + 6.0 + 1.5 - 2.0 * root;
    CHECK_LE(fabs(distance(&a, &b) - expected), 1e-12);
    CHECK_LE(fabs(distance(&b, &a) - expected), 1e-12);
    CHECK_LE(fabs(distance(&a, &a)), 1e-12);
    ddpm_feature_stats_free(&a);
    ddpm_feature_stats_free(&b);
}

/* S and c^2 S: (1 - c)^2 tr S. With fewer features than dimensions S has no inverse. */
static void a_scaled_set_is_as_far_as_its_scale_also_without_an_inverse(void **state)
{
    (void)state;
    enum { N = 20, D = 64 };
    float x[N * D], y[N * D];
    double trace = 0.0;
    fill_normal(x, (size_t)N * D, 4);
    ddpm_feature_stats a, b;
    for (size_t i = 0; i < (size_t)N * D; i++) y[i] = 1.5f * x[i];
    CHECK_OK(ddpm_feature_stats_of(&a, x, N, D, NULL));
    CHECK_OK(ddpm_feature_stats_of(&b, y, N, D, NULL));
    double expected = 0.0;
    for (size_t i = 0; i < D; i++) {
        trace += a.covariance[i * D + i];
        expected += 0.25 * a.mean[i] * a.mean[i];
    }
    expected += 0.25 * trace;
    CHECK_LE(fabs(distance(&a, &b) - expected), 1e-5 * expected);
    ddpm_feature_stats_free(&a);
    ddpm_feature_stats_free(&b);
}

static void a_distance_beyond_all_numbers_is_an_error(void **state)
{
    (void)state;
    const double m1[] = { 1e200 }, m2[] = { 0.0 }, s[] = { 1.0 };
    ddpm_feature_stats a = stats_of(1, m1, s), b = stats_of(1, m2, s);
    double d;
    CHECK_STATUS(ddpm_frechet_distance(&d, &a, &b), 65);
    CHECK_MESSAGE("not finite");
    ddpm_feature_stats_free(&a);
    ddpm_feature_stats_free(&b);
}

static void statistics_are_those_of_numpy(void **state)
{
    (void)state;
    const float x[] = { 1.0f, 2.0f, 3.0f, 6.0f, 5.0f, 1.0f }; /* three of two */
    ddpm_feature_stats s;
    CHECK_OK(ddpm_feature_stats_of(&s, x, 3, 2, NULL));
    assert_true(s.mean[0] == 3.0 && s.mean[1] == 3.0);
    CHECK_LE(fabs(s.covariance[0] - 4.0), 1e-15);
    CHECK_LE(fabs(s.covariance[3] - 7.0), 1e-15);
    CHECK_LE(fabs(s.covariance[1] + 1.0), 1e-15);
    ddpm_feature_stats_free(&s);
    CHECK_STATUS(ddpm_feature_stats_of(&s, x, 1, 2, NULL), 78);
    const float bad[] = { 1.0f, NAN };
    CHECK_STATUS(ddpm_feature_stats_of(&s, bad, 2, 1, NULL), 65);
}

/* Of more than a block of features, drawn from known normals. */
static void samples_of_normals_are_as_far_as_the_normals(void **state)
{
    (void)state;
    enum { N = 20000, D = 4 };
    float *x = malloc(sizeof(float) * N * D), *y = malloc(sizeof(float) * N * D);
    assert_true(x && y);
    fill_normal(x, (size_t)N * D, 5);
    fill_normal(y, (size_t)N * D, 6);
    for (size_t i = 0; i < (size_t)N * D; i++) y[i] = 2.0f * y[i] + 1.0f;
    ddpm_feature_stats a, b;
    CHECK_OK(ddpm_feature_stats_of(&a, x, N, D, NULL));
    CHECK_OK(ddpm_feature_stats_of(&b, y, N, D, NULL));
    CHECK_LE(fabs(distance(&a, &b) - 8.0), 0.2); /* 4 of the means, (2 - 1)^2 4 of the spreads */
    ddpm_feature_stats_free(&a);
    ddpm_feature_stats_free(&b);
    free(x);
    free(y);
}

/* Features c and -c in one dimension: k(c,c) = (c^2+1)^3, k(c,-c) = (1-c^2)^3. */
static void a_kernel_distance_of_two_points_is_the_kernel_s(void **state)
{
    (void)state;
    float a[30], b[40];
    for (size_t i = 0; i < 30; i++) a[i] = 0.5f;
    for (size_t i = 0; i < 40; i++) b[i] = -0.5f;
    ddpm_kernel_distance d = { .subsets = 7, .size = 1000 };
    CHECK_OK(ddpm_kernel_distance_of(&d, a, 30, b, 40, 1, 0, NULL));
    assert_int_equal(d.size, 30);
    const double same = pow(1.25, 3.0), other = pow(0.75, 3.0);
    CHECK_LE(fabs(d.mean - 2.0 * (same - other)), 1e-12);
    CHECK_LE(d.std, 1e-7); /* subsets of b differ, and are equal */
    assert_int_equal(d.subsets, 7);
    d = (ddpm_kernel_distance){ .subsets = 1, .size = 20 };
    CHECK_OK(ddpm_kernel_distance_of(&d, a, 30, b, 40, 1, 0, NULL));
    assert_true(isnan(d.std));
    CHECK_STATUS(ddpm_kernel_distance_of(&d, a, 1, b, 40, 1, 0, NULL), 78);
}

/* The mean over all pairs of different ones, 2 of the kernel of x and y; of 3 and 3 features
 * nothing is left to choose. */
static void a_kernel_distance_of_whole_sets_has_no_spread(void **state)
{
    (void)state;
    const float x[] = { 0.0f, 1.0f, 3.0f }, y[] = { -1.0f, 0.5f, 2.0f };
    double expected = 0.0;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            if (i != j)
                expected += (pow((double)x[i] * (double)x[j] + 1.0, 3.0) +
                             pow((double)y[i] * (double)y[j] + 1.0, 3.0)) /
                            6.0;
            expected -= 2.0 * pow((double)x[i] * (double)y[j] + 1.0, 3.0) / 9.0;
        }
    ddpm_kernel_distance d = { .subsets = 100, .size = 1000 };
    CHECK_OK(ddpm_kernel_distance_of(&d, x, 3, y, 3, 1, 5, NULL));
    assert_true(d.size == 3 && d.subsets == 1 && isnan(d.std));
    CHECK_LE(fabs(d.mean - expected), 1e-12 * fabs(expected));
    d = (ddpm_kernel_distance){ .subsets = 100, .size = 2 };
    CHECK_OK(ddpm_kernel_distance_of(&d, x, 3, y, 3, 1, 5, NULL));
    assert_true(d.size == 2 && d.subsets == 100 && d.std > 0.0);
}

/* Unbiased: of two sets of one distribution it is 0 in the mean. */
static void a_kernel_distance_of_one_distribution_is_nothing(void **state)
{
    (void)state;
    enum { N = 2000, D = 8 };
    float *x = malloc(sizeof(float) * 2 * N * D);
    assert_non_null(x);
    fill_normal(x, (size_t)2 * N * D, 9);
    ddpm_kernel_distance same = { .subsets = 50, .size = 200 }, other = same;
    CHECK_OK(ddpm_kernel_distance_of(&same, x, N, x + (size_t)N * D, N, D, 1, NULL));
    CHECK_LE(fabs(same.mean), 3.0 * same.std / sqrt(50.0) + 2e-3);
    for (size_t i = 0; i < (size_t)N * D; i++) x[i] += 0.5f;
    CHECK_OK(ddpm_kernel_distance_of(&other, x, N, x + (size_t)N * D, N, D, 1, NULL));
    CHECK_LE(0.2, other.mean);
    free(x);
}

/* On a line: real 0, 1, 2, 3, 4, fake 2.5, 10, 10.5, one neighbour. Balls of real reach 1, those of
 * fake 7.5, 0.5 and 0.5. */
static void precision_and_recall_are_what_one_counts(void **state)
{
    (void)state;
    const float real[] = { 0, 1, 2, 3, 4 }, fake[] = { 2.5f, 10.0f, 10.5f };
    ddpm_prdc of;
    CHECK_OK(ddpm_prdc_of(&of, real, 5, fake, 3, 1, 1, NULL));
    CHECK_LE(fabs(of.precision - 1.0 / 3.0), 1e-12);
    CHECK_LE(fabs(of.recall - 1.0), 1e-12);        /* all within 7.5 of 2.5 */
    CHECK_LE(fabs(of.density - 2.0 / 3.0), 1e-12); /* in the balls of 2 and of 3 */
    CHECK_LE(fabs(of.coverage - 2.0 / 5.0), 1e-12);
    CHECK_OK(ddpm_prdc_of(&of, fake, 3, real, 5, 1, 1, NULL));
    CHECK_LE(fabs(of.precision - 1.0), 1e-12);
    CHECK_LE(fabs(of.recall - 1.0 / 3.0), 1e-12);
    CHECK_LE(fabs(of.density - 1.0), 1e-12);
    CHECK_LE(fabs(of.coverage - 1.0 / 3.0), 1e-12);
    CHECK_STATUS(ddpm_prdc_of(&of, real, 5, fake, 3, 1, 3, NULL), 78);
}

static double square_between(const float *a, const float *b, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Square of the distance to the k-th other, which is the k-th without itself. */
static double radius(const float *x, size_t i, size_t n, size_t d, size_t k)
{
    double square[600];
    for (size_t j = 0; j < n; j++) square[j] = square_between(x + i * d, x + j * d, d);
    qsort(square, n, sizeof *square, ascending);
    return square[k];
}

/* Far from the origin, where products in float32 decide nothing, against all pairs in double; more
 * than a block of both. */
static void counts_are_those_of_all_pairs(void **state)
{
    (void)state;
    enum { REAL = 300, FAKE = 600, D = 6, NEAREST = 4 };
    static float real[REAL * D], fake[FAKE * D];
    static double of_real[REAL], of_fake[FAKE];
    size_t precise = 0, recalled = 0, inside = 0, covered = 0;
    fill_normal(real, sizeof real / sizeof *real, 1);
    fill_normal(fake, sizeof fake / sizeof *fake, 2);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) real[i] += 300.0f;
    for (size_t i = 0; i < sizeof fake / sizeof *fake; i++) fake[i] = 0.7f * fake[i] + 300.3f;
    for (size_t i = 0; i < REAL; i++) of_real[i] = radius(real, i, REAL, D, NEAREST);
    for (size_t j = 0; j < FAKE; j++) of_fake[j] = radius(fake, j, FAKE, D, NEAREST);
    bool in_real[FAKE] = { false };
    for (size_t i = 0; i < REAL; i++) {
        bool reached = false, held = false;
        for (size_t j = 0; j < FAKE; j++) {
            const double square = square_between(real + i * D, fake + j * D, D);
            reached |= square < of_real[i];
            held |= square < of_fake[j];
            in_real[j] |= square < of_real[i];
            inside += square < of_real[i];
        }
        covered += reached;
        recalled += held;
    }
    for (size_t j = 0; j < FAKE; j++) precise += in_real[j];
    ddpm_prdc of;
    CHECK_OK(ddpm_prdc_of(&of, real, REAL, fake, FAKE, D, NEAREST, NULL));
    assert_true(of.precision == (double)precise / FAKE && of.recall == (double)recalled / REAL);
    assert_true(of.density == (double)inside / (double)(NEAREST * FAKE));
    assert_true(of.coverage == (double)covered / REAL);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covariances_that_do_not_commute_have_the_distance_of_the_formula),
        cmocka_unit_test(a_scaled_set_is_as_far_as_its_scale_also_without_an_inverse),
        cmocka_unit_test(a_distance_beyond_all_numbers_is_an_error),
        cmocka_unit_test(statistics_are_those_of_numpy),
        cmocka_unit_test(samples_of_normals_are_as_far_as_the_normals),
        cmocka_unit_test(a_kernel_distance_of_two_points_is_the_kernel_s),
        cmocka_unit_test(a_kernel_distance_of_whole_sets_has_no_spread),
        cmocka_unit_test(a_kernel_distance_of_one_distribution_is_nothing),
        cmocka_unit_test(precision_and_recall_are_what_one_counts),
        cmocka_unit_test(counts_are_those_of_all_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
