/* Signals of a process of its own, which ends with what it saw. */
#include "check.h"

#include "ddpm/base/stop.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
enum { SIGNALS = sizeof signals / sizeof *signals };

/* The wait status of a child that begins with `number` handled as `before`, catches what asks it to
 * stop, and gets the signal `times` times; its exit code is the flag. */
static int child_that_gets(int number, int times, void (*before)(int))
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(number, before);
        ddpm_stop_catch();
        for (int i = 0; i < times; i++) raise(number);
        _exit(ddpm_stop_asked);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void the_first_signal_sets_the_flag_and_the_second_ends_the_program(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIGNALS; i++) {
        const int none = child_that_gets(signals[i], 0, SIG_DFL);
        assert_true(WIFEXITED(none) && WEXITSTATUS(none) == 0);
        const int once = child_that_gets(signals[i], 1, SIG_DFL);
        assert_true(WIFEXITED(once) && WEXITSTATUS(once) == 1);
        const int twice = child_that_gets(signals[i], 2, SIG_DFL);
        assert_true(WIFSIGNALED(twice) && WTERMSIG(twice) == signals[i]);
    }
}

static void what_was_ignored_stays_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIGNALS; i++) {
        const int status = child_that_gets(signals[i], 2, SIG_IGN);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal_sets_the_flag_and_the_second_ends_the_program),
        cmocka_unit_test(what_was_ignored_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
