#include "check.h"
#include "lr.h"

static ddpm_config config_with(double lr, int64_t warmup)
{
    ddpm_config config;
    ddpm_config_init(&config);
    config.train.lr = lr;
    config.train.warmup = warmup;
    return config;
}

static void the_first_step_of_a_warm_up_moves_nothing(void **state)
{
    (void)state;
    const ddpm_config config = config_with(2e-4, 5000);
    assert_true(ddpm_train__lr(&config, 0) == 0.0);
}

static void the_rate_grows_linearly_and_then_stays(void **state)
{
    (void)state;
    const ddpm_config config = config_with(2e-4, 5000);
    assert_true(ddpm_train__lr(&config, 1) == 2e-4 * (1.0 / 5000.0));
    assert_true(ddpm_train__lr(&config, 2500) == 1e-4);
    assert_true(ddpm_train__lr(&config, 4999) < 2e-4);
    assert_true(ddpm_train__lr(&config, 5000) == 2e-4);
    assert_true(ddpm_train__lr(&config, 800000) == 2e-4);
}

static void without_a_warm_up_the_rate_is_there_at_once(void **state)
{
    (void)state;
    const ddpm_config config = config_with(1e-3, 0);
    assert_true(ddpm_train__lr(&config, 0) == 1e-3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_step_of_a_warm_up_moves_nothing),
        cmocka_unit_test(the_rate_grows_linearly_and_then_stays),
        cmocka_unit_test(without_a_warm_up_the_rate_is_there_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
