#include "best.h"

#include "check.h"

#include <math.h>
#include <string.h>

static ddpm_config config_with(const char *metric)
{
    ddpm_config config;
    ddpm_config_init(&config);
    snprintf(config.eval.metric, sizeof config.eval.metric, "%s", metric);
    return config;
}

static void values_are_compared_by_metric_images_and_data(void **state)
{
    (void)state;
    const ddpm_config loss = config_with("loss"), none = config_with("none");
    ddpm_config bpd = config_with("bpd");
    char by[DDPM_BEST_BY], other[DDPM_BEST_BY];
    ddpm_train__best_by(by, &loss, 10, "sha256:12");
    assert_string_equal(by, "loss of 10 images of sha256:12");
    ddpm_train__best_by(other, &loss, 11, "sha256:12");
    assert_string_not_equal(by, other);
    ddpm_train__best_by(by, &bpd, 10, "sha256:12");
    assert_string_equal(by, "bpd (20 draws) of 10 images of sha256:12");
    bpd.eval.draws = 21;
    ddpm_train__best_by(other, &bpd, 10, "sha256:12");
    assert_string_not_equal(by, other);
    ddpm_train__best_by(by, &none, 10, "sha256:12");
    assert_string_equal(by, "");
}

static void a_full_hash_fits(void **state)
{
    (void)state;
    const ddpm_config config = config_with("bpd");
    char by[DDPM_BEST_BY], hash[80];
    memset(hash, 'f', sizeof hash);
    hash[sizeof hash - 1] = 0;
    ddpm_train__best_by(by, &config, (size_t)1 << 52, hash);
    assert_string_equal(by + strlen(by) - strlen(hash), hash);
}

static void only_a_lower_finite_value_passes_the_best(void **state)
{
    (void)state;
    const ddpm_best best = { .step = 5, .value = 2.0, .by = "loss" };
    assert_true(ddpm_train__best_is_passed(&best, 1.9, "loss"));
    assert_false(ddpm_train__best_is_passed(&best, 2.0, "loss"));
    assert_false(ddpm_train__best_is_passed(&best, 2.1, "loss"));
    assert_false(ddpm_train__best_is_passed(&best, (double)NAN, "loss"));
    assert_false(ddpm_train__best_is_passed(&best, -(double)INFINITY, "loss"));
}

static void the_first_is_the_best_and_so_is_the_first_by_another_measure(void **state)
{
    (void)state;
    const ddpm_best none = { .step = 0 }, other = { .step = 5, .value = 2.0, .by = "bpd" };
    assert_true(ddpm_train__best_is_passed(&none, 7.0, "loss"));
    assert_false(ddpm_train__best_is_passed(&none, (double)NAN, "loss"));
    assert_true(ddpm_train__best_is_passed(&other, 7.0, "loss"));
    assert_false(ddpm_train__best_is_passed(&other, 1.0, "")); /* eval.metric = none */
    assert_false(ddpm_train__best_is_passed(&none, 1.0, ""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_compared_by_metric_images_and_data),
        cmocka_unit_test(a_full_hash_fits),
        cmocka_unit_test(only_a_lower_finite_value_passes_the_best),
        cmocka_unit_test(the_first_is_the_best_and_so_is_the_first_by_another_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
