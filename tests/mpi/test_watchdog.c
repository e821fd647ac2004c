/* What a watchdog does where nothing hangs. */
#include "mpi_check.h"
#include "watchdog_internal.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ddpm_watchdog_tuning quick = {
    .timeout = 0.5,
    .tick = 0.02,
    .grace = 0.1,
    .straggler = { .factor = 1.5, .patience = 0.2, .again = 600.0 },
};

static void let_pass(double seconds)
{
    const struct timespec time = { .tv_sec = (time_t)seconds,
                                   .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&time, NULL);
}

static void it_comes_and_goes_at_once(void **state)
{
    (void)state;
    const ddpm_watchdog_options options = { .timeout = 120.0, .straggler = 1.5 };
    ddpm_status status = DDPM_OK;
    bool there = true;
    const uint64_t begin = ddpm_clock_ns();
    for (int k = 0; k < 10 && status == DDPM_OK; k++) {
        ddpm_watchdog *watchdog = NULL;
        status = ddpm_watchdog_create(&watchdog, world, &options);
        there = there && watchdog;
        ddpm_watchdog_free(watchdog);
    }
    CHECK_OK(status);
    assert_true(there);
    assert_null(world->watch);
    assert_true(ddpm_clock_seconds(begin, ddpm_clock_ns()) < 20.0); /* it waits for no tick */
}

static void there_is_none_where_nobody_wants_one(void **state)
{
    (void)state;
    const ddpm_watchdog_options options = { .timeout = 0.0, .straggler = 0.0 };
    ddpm_watchdog *watchdog;
    CHECK_OK(ddpm_watchdog_create(&watchdog, world, &options));
    assert_null(watchdog);
    ddpm_watchdog_at(watchdog, 1, DDPM_AT_DATA);
    ddpm_watchdog_beat(watchdog);
    ddpm_watchdog_allow(watchdog, 1.0);
    ddpm_watchdog_step_took(watchdog, 1.0, 1.0);
    ddpm_watchdog_free(watchdog);
}

/* Longer than the limit of half a second in all, and with more patience of the others. */
static void slow_work_is_not_shot_while_it_gets_on_or_has_an_allowance(void **state)
{
    (void)state;
    ddpm_watchdog *watchdog;
    const bool works = ddpm_comm_rank(world) == ddpm_comm_size(world) - 1;
    CHECK_OK(ddpm_dist__watchdog_create(&watchdog, world, &quick));
    if (works) {
        ddpm_watchdog_at(watchdog, 1, DDPM_AT_GRID);
        for (int k = 0; k < 5; k++) {
            let_pass(0.2);
            ddpm_watchdog_beat(watchdog);
        }
        ddpm_watchdog_at(watchdog, 1, DDPM_AT_CHECKPOINT);
        ddpm_watchdog_allow(watchdog, 60.0);
        let_pass(1.0);
    }
    const ddpm_status status = ddpm_comm_barrier(world);
    if (works) let_pass(0.3);
    ddpm_watchdog_free(watchdog); /* the others wait here, too */
    CHECK_OK(status);
}

/* Standard error into a file, and back. */
static int divert(char *name)
{
    const int file = mkstemp(name), before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
    return before;
}

static void put_back(char *text, size_t size, char *name, int before)
{
    dup2(before, STDERR_FILENO);
    close(before);
    FILE *file = fopen(name, "r");
    text[file ? fread(text, 1, size - 1, file) : 0] = '\0';
    if (file) fclose(file);
    unlink(name);
}

/* The last rank takes three times as long, and then as long as the others. */
static ddpm_status take_steps(ddpm_watchdog *watchdog)
{
    const bool slow = ddpm_comm_rank(world) == ddpm_comm_size(world) - 1;
    for (int k = 0; k < 160; k++) {
        ddpm_watchdog_at(watchdog, (uint64_t)k, DDPM_AT_FORWARD);
        let_pass(0.01);
        ddpm_watchdog_step_took(watchdog, 0.01, slow && k < 80 ? 0.03 : 0.01);
        DDPM_TRY(ddpm_comm_barrier(world));
    }
    return DDPM_OK;
}

static void a_straggler_is_named_and_so_is_its_recovery(void **state)
{
    (void)state;
    char name[] = "/tmp/ddpm-watchdog-XXXXXX", text[4096], rank[64];
    const ddpm_watchdog_tuning patient = { .tick = 0.02, .straggler = quick.straggler };
    ddpm_watchdog *watchdog;
    ddpm_log_init("test", DDPM_LOG_INFO);
    const int before = divert(name);
    ddpm_status status = ddpm_dist__watchdog_create(&watchdog, world, &patient);
    if (status == DDPM_OK) {
        status = take_steps(watchdog);
        ddpm_watchdog_free(watchdog);
    }
    put_back(text, sizeof text, name, before);
    CHECK_OK(status);
    snprintf(rank, sizeof rank, "rank %d (host %s, pid ", ddpm_comm_size(world) - 1,
             ddpm_comm_host(world));
    const char *first = strstr(text, "takes 3.0 times as long");
    if (ddpm_comm_rank(world) != 0 || ddpm_comm_size(world) == 1) {
        assert_null(first);
        return;
    }
    assert_non_null(first);
    assert_non_null(strstr(text, rank));
    assert_null(strstr(first, "warning"));
    assert_non_null(strstr(first, "keeps up with the others again"));
}

/* The last test: after it the ranks no longer belong together. */
static void a_collective_that_differs_fails_on_all_ranks(void **state)
{
    (void)state;
    char both[256];
    uint64_t value = 1;
    if (ddpm_comm_size(world) == 1) return;
    ddpm_status status = ddpm_comm_check_collectives(world);
    const uint64_t calls = 5;
    for (uint64_t k = 0; k < calls && status == DDPM_OK; k++)
        status = ddpm_comm_broadcast(world, &value, sizeof value, 0);
    CHECK_OK(status);
    status = ddpm_comm_rank(world) == 1 ? ddpm_comm_broadcast(world, &value, sizeof value, 0)
                                        : ddpm_comm_agree(world, DDPM_OK);
    CHECK_STATUS(status, DDPM_EINTERNAL);
    snprintf(both, sizeof both,
             "rank 1 (%s) calls broadcast of 8 bytes from rank 0 as collective call 6, rank 0 (%s) "
             "calls agree as call 6",
             ddpm_comm_host(world), ddpm_comm_host(world));
    CHECK_MESSAGE(both);
    world->broken = false; /* nothing is under way, so that MPI can be ended in peace */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_comes_and_goes_at_once),
    cmocka_unit_test(there_is_none_where_nobody_wants_one),
    cmocka_unit_test(slow_work_is_not_shot_while_it_gets_on_or_has_an_allowance),
    cmocka_unit_test(a_straggler_is_named_and_so_is_its_recovery),
    cmocka_unit_test(a_collective_that_differs_fails_on_all_ranks),
};
MPI_CHECK_MAIN(tests)
