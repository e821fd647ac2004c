#include "job_end.h"

#include "check.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"

#include <stdio.h>
#include <stdlib.h>

static ddpm_job_end find(double wall_clock, double margin, uint64_t start_ns)
{
    ddpm_config config;
    ddpm_config_init(&config);
    config.train.wall_clock = wall_clock;
    config.train.wall_clock_margin = margin;
    ddpm_job_end end;
    ddpm_train__job_end_find(&end, &config, start_ns);
    return end;
}

static double seconds_until(uint64_t ns)
{
    return ((double)ns - (double)ddpm_clock_ns()) * 1e-9;
}

static void nothing_known_is_no_end(void **state)
{
    (void)state;
    unsetenv("SLURM_JOB_END_TIME");
    const ddpm_job_end end = find(0.0, 60.0, ddpm_clock_ns());
    assert_int_equal(end.end_ns, 0);
    assert_false(ddpm_train__job_end_is_near(&end, UINT64_MAX, 1e9));
}

static void the_wall_clock_counts_from_the_start_of_the_job(void **state)
{
    (void)state;
    const uint64_t start = ddpm_clock_ns() - 100000000000u;
    const ddpm_job_end end = find(1000.0, 60.0, start);
    assert_int_equal(end.end_ns, start + 1000000000000u);
    assert_true(end.reserve_seconds == 60.0);
}

static void an_end_is_near_when_a_step_and_the_reserve_reach_it(void **state)
{
    (void)state;
    const ddpm_job_end end = { .end_ns = 1000000000000u, .reserve_seconds = 60.0 };
    assert_false(ddpm_train__job_end_is_near(&end, 929000000000u, 10.0));
    assert_true(ddpm_train__job_end_is_near(&end, 931000000000u, 10.0));
    assert_true(ddpm_train__job_end_is_near(&end, 2000000000000u, 0.0));
}

static void a_job_shorter_than_the_margin_still_works(void **state)
{
    (void)state;
    const ddpm_job_end end = find(20.0, 60.0, ddpm_clock_ns());
    assert_true(end.reserve_seconds == 10.0);
}

static void slurm_says_when_unless_the_configuration_does(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)ddpm_clock_unix() + 500);
    setenv("SLURM_JOB_END_TIME", text, 1);
    const ddpm_job_end slurm = find(0.0, 60.0, ddpm_clock_ns());
    CHECK_LE(seconds_until(slurm.end_ns), 500.0);
    CHECK_LE(490.0, seconds_until(slurm.end_ns));
    const ddpm_job_end ours = find(30.0, 5.0, ddpm_clock_ns());
    CHECK_LE(seconds_until(ours.end_ns), 30.0);
    setenv("SLURM_JOB_END_TIME", "tomorrow", 1);
    assert_int_equal(find(0.0, 60.0, ddpm_clock_ns()).end_ns, 0);
    setenv("SLURM_JOB_END_TIME", "1000", 1); /* long ago */
    assert_int_equal(find(0.0, 60.0, ddpm_clock_ns()).end_ns, 0);
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_no_end),
        cmocka_unit_test(the_wall_clock_counts_from_the_start_of_the_job),
        cmocka_unit_test(an_end_is_near_when_a_step_and_the_reserve_reach_it),
        cmocka_unit_test(a_job_shorter_than_the_margin_still_works),
        cmocka_unit_test(slurm_says_when_unless_the_configuration_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
