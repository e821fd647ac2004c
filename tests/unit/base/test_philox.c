#include "ddpm/base/philox.h"

#include "check.h"
#include "golden.h"

#include <math.h>
#include <stdlib.h>

static void compare(golden *file, const char *group)
{
    size_t count;
    int64_t *counter = golden_i64(file, &count, "%s/counter", group);
    int64_t *key = golden_i64(file, NULL, "%s/key", group);
    int64_t *expected = golden_i64(file, NULL, "%s/output", group);
    assert_true(count > 0);
    for (size_t i = 0; i < count / 4; i++) {
        uint32_t c[4], k[2], out[4];
        for (size_t j = 0; j < 4; j++) c[j] = (uint32_t)counter[4 * i + j];
        for (size_t j = 0; j < 2; j++) k[j] = (uint32_t)key[2 * i + j];
        ddpm_philox4x32(out, c, k);
        for (size_t j = 0; j < 4; j++) assert_int_equal(out[j], (uint32_t)expected[4 * i + j]);
    }
    free(expected);
    free(key);
    free(counter);
}

static void philox_gives_the_published_and_the_golden_words(void **state)
{
    (void)state;
    golden *file = golden_open("philox");
    compare(file, "kat");
    compare(file, "more");
    golden_close(file);
}

static void a_sequence_depends_on_each_of_its_coordinates(void **state)
{
    (void)state;
    const ddpm_random base = { .seed = 5, .index = 7, .purpose = DDPM_RANDOM_NOISE, .stream = 3 };
    ddpm_random other[4] = { base, base, base, base };
    other[0].seed += UINT64_C(1) << 32;
    other[1].index += UINT64_C(1) << 32;
    other[2].purpose = DDPM_RANDOM_INIT;
    other[3].stream++;
    uint32_t a[9], b[9];
    ddpm_random_bits(a, 9, &base);
    for (int k = 0; k < 4; k++) {
        int equal = 0;
        ddpm_random_bits(b, 9, &other[k]);
        for (int i = 0; i < 9; i++) equal += a[i] == b[i];
        assert_int_equal(equal, 0);
    }
}

static void a_shorter_request_is_a_prefix_of_a_longer_one(void **state)
{
    (void)state;
    const ddpm_random random = { .seed = 1, .purpose = DDPM_RANDOM_TEST };
    enum { LONG = 23 };
    float normal[LONG], uniform[LONG], part[LONG];
    ddpm_random_normal(normal, LONG, &random);
    ddpm_random_uniform(uniform, LONG, &random);
    for (size_t n = 0; n < LONG; n++) {
        ddpm_random_normal(part, n, &random);
        assert_memory_equal(part, normal, n * sizeof *part);
        ddpm_random_uniform(part, n, &random);
        assert_memory_equal(part, uniform, n * sizeof *part);
    }
}

/* Moments within 5 standard errors, for a fixed seed: deterministic. */
static void normals_have_the_moments_of_a_standard_normal(void **state)
{
    (void)state;
    enum { N = 200000 };
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    ddpm_random_normal(x, N, &(ddpm_random){ .seed = 42, .purpose = DDPM_RANDOM_TEST });
    double moment[5] = { 0 }, neighbours = 0.0;
    for (size_t i = 0; i < N; i++) {
        double power = 1.0;
        for (int k = 1; k <= 4; k++) moment[k] += (power *= (double)x[i]) / N;
        if (i > 0) neighbours += (double)x[i] * (double)x[i - 1] / N;
    }
    const double unit = 5.0 / sqrt((double)N);
    CHECK_LE(fabs(moment[1]), unit);
    CHECK_LE(fabs(moment[2] - 1.0), unit * sqrt(2.0));
    CHECK_LE(fabs(moment[3]), unit * sqrt(15.0));
    CHECK_LE(fabs(moment[4] - 3.0), unit * sqrt(96.0));
    CHECK_LE(fabs(neighbours), unit);
    free(x);
}

static void integers_below_a_bound_are_uniform(void **state)
{
    (void)state;
    enum { BOUND = 10, N = 20000 };
    int count[BOUND] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t value = ddpm_random_below(
            BOUND, &(ddpm_random){ .seed = 9, .index = i, .purpose = DDPM_RANDOM_TEST });
        assert_in_range(value, 0, BOUND - 1);
        count[value]++;
    }
    for (int k = 0; k < BOUND; k++) CHECK_LE(fabs(count[k] - N / 10.0), 5.0 * sqrt(N * 0.09));
    const ddpm_random huge = { .seed = 3, .purpose = DDPM_RANDOM_TEST };
    uint32_t word[2];
    ddpm_random_bits(word, 2, &huge);
    const uint64_t bits = (uint64_t)word[1] << 32 | word[0];
    assert_true(ddpm_random_below(UINT64_MAX, &huge) == bits - 1 ||
                ddpm_random_below(UINT64_MAX, &huge) == bits);
    assert_int_equal(ddpm_random_below(UINT64_C(1) << 63, &huge), bits >> 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_and_the_golden_words),
        cmocka_unit_test(a_sequence_depends_on_each_of_its_coordinates),
        cmocka_unit_test(a_shorter_request_is_a_prefix_of_a_longer_one),
        cmocka_unit_test(normals_have_the_moments_of_a_standard_normal),
        cmocka_unit_test(integers_below_a_bound_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
