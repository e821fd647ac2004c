#include "check.h"
#include "step_times.h"
#include "straggler.h"

#include <pthread.h>

static const ddpm_straggler_rule rule = { .factor = 1.5, .patience = 10.0, .again = 600.0 };

/* Looks once a second at a rank with this ratio; how often each news came. */
static void look(unsigned news[3], ddpm_straggler *rank, double ratio, double *now, int seconds)
{
    for (int k = 0; k < seconds; k++, *now += 1.0)
        news[ddpm_dist__straggler(rank, ratio, *now, &rule)]++;
}

static void a_rank_is_slow_after_some_patience_and_said_so_once(void **state)
{
    (void)state;
    ddpm_straggler rank = { 0 };
    double now = 1000.0;
    unsigned news[3] = { 0 };
    look(news, &rank, 1.0, &now, 100);
    look(news, &rank, 1.6, &now, 10);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 0);
    look(news, &rank, 1.6, &now, 500);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 1);
    look(news, &rank, 1.6, &now, 200);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 2);
    assert_int_equal(news[DDPM_STRAGGLER_KEEPS_UP], 0);
}

static void a_hiccup_is_no_news(void **state)
{
    (void)state;
    ddpm_straggler rank = { 0 };
    double now = 0.0;
    unsigned news[3] = { 0 };
    for (int k = 0; k < 50; k++) {
        look(news, &rank, 5.0, &now, 9);
        look(news, &rank, 1.0, &now, 2);
    }
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 0);
    assert_int_equal(news[DDPM_STRAGGLER_KEEPS_UP], 0);
}

static void it_is_said_again_when_it_gets_worse_and_when_it_is_over(void **state)
{
    (void)state;
    ddpm_straggler rank = { 0 };
    double now = 0.0;
    unsigned news[3] = { 0 };
    look(news, &rank, 1.6, &now, 20);
    look(news, &rank, 2.3, &now, 20);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 1);
    look(news, &rank, 2.5, &now, 20);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 2);
    look(news, &rank, 1.1, &now, 100);
    assert_int_equal(news[DDPM_STRAGGLER_KEEPS_UP], 1);
    look(news, &rank, 1.6, &now, 20);
    assert_int_equal(news[DDPM_STRAGGLER_SLOW], 3);
}

static void factor_0_never_warns(void **state)
{
    (void)state;
    const ddpm_straggler_rule never = { .patience = 1.0, .again = 1.0 };
    ddpm_straggler rank = { 0 };
    for (int k = 0; k < 100; k++)
        assert_int_equal(ddpm_dist__straggler(&rank, 9.0, k, &never), DDPM_STRAGGLER_NOTHING);
}

static void the_median_of_two_is_the_lower_one(void **state)
{
    (void)state;
    double two[] = { 3.0, 1.0 }, four[] = { 9.0, 1.0, 3.0, 2.0 },
           five[] = { 5.0, 4.0, 3.0, 2.0, 1.0 };
    assert_true(ddpm_dist__lower_median(two, 2) == 1.0);
    assert_true(ddpm_dist__lower_median(four, 4) == 2.0);
    assert_true(ddpm_dist__lower_median(five, 5) == 3.0);
    assert_true(ddpm_dist__lower_median(five, 0) == 0.0);
}

static void medians_are_of_the_last_steps(void **state)
{
    (void)state;
    ddpm_step_times times = { 0 };
    assert_true(ddpm_dist__median_step(&times) == 0.0);
    ddpm_dist__step_times_add(&times, 4.0, 2.0);
    assert_true(ddpm_dist__median_step(&times) == 4.0);
    for (int k = 0; k < 200; k++) ddpm_dist__step_times_add(&times, k < 168 ? 8.0 : 1.0, 0.5);
    assert_true(ddpm_dist__median_step(&times) == 1.0); /* 32 of 64, the lower */
    for (int k = 0; k < 9; k++) ddpm_dist__step_times_add(&times, 100.0, 3.0);
    assert_true(ddpm_dist__median_step(&times) == 1.0);        /* hiccups do not count */
    assert_true(ddpm_dist__median_micro_batch(&times) == 3.0); /* 9 of 16 */
}

static void *add_steps(void *times)
{
    for (int k = 0; k < 20000; k++) ddpm_dist__step_times_add(times, 1.0, 1.0);
    return NULL;
}

static void one_thread_adds_while_another_reads(void **state)
{
    (void)state;
    static ddpm_step_times times;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, add_steps, &times), 0);
    for (int k = 0; k < 2000; k++) {
        const double median = ddpm_dist__median_step(&times);
        assert_true(median == 0.0 || median == 1.0);
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_is_slow_after_some_patience_and_said_so_once),
        cmocka_unit_test(a_hiccup_is_no_news),
        cmocka_unit_test(it_is_said_again_when_it_gets_worse_and_when_it_is_over),
        cmocka_unit_test(factor_0_never_warns),
        cmocka_unit_test(the_median_of_two_is_the_lower_one),
        cmocka_unit_test(medians_are_of_the_last_steps),
        cmocka_unit_test(one_thread_adds_while_another_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
