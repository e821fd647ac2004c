/* Jobs that hang, one a run: each ends with an abort by the watchdog, and is judged by what it
 * says. test_hang CASE */
#include "watchdog_internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ddpm_comm *world;
static int last;

static void stop(int rank)
{
    if (ddpm_comm_rank(world) == rank) raise(SIGSTOP);
}

static ddpm_status wait_for_all(void)
{
    return ddpm_comm_barrier(world);
}

/* A rank in the middle of its work. */
static ddpm_status stopped(void)
{
    stop(1);
    return wait_for_all();
}

static ddpm_status judge_stopped(void)
{
    stop(0);
    return wait_for_all();
}

static ddpm_status all_but_the_last_stopped(void)
{
    if (ddpm_comm_rank(world) != last) raise(SIGSTOP);
    return wait_for_all();
}

static ddpm_status hangs_in_data(void)
{
    if (ddpm_comm_rank(world) == last) pause();
    return wait_for_all();
}

/* While the others are on their way out. */
static ddpm_status hangs_before_the_end(void)
{
    if (ddpm_comm_rank(world) == last) pause();
    return DDPM_OK;
}

/* As with a network that carries beats, and nothing else any more. */
static ddpm_status all_wait(void)
{
    DDPM_TRY(ddpm_dist__enter(world, &(ddpm_call){ .name = "nothing", .root = -1 }));
    pause();
    return DDPM_OK;
}

static const struct {
    const char *name;
    ddpm_status (*run)(void);
    bool deaf; /* as without MPI_THREAD_MULTIPLE */
} cases[] = {
    { "stopped", stopped, false },
    { "judge_stopped", judge_stopped, false },
    { "all_but_one_stopped", all_but_the_last_stopped, false },
    { "data", hangs_in_data, false },
    { "before_the_end", hangs_before_the_end, false },
    { "all_wait", all_wait, false },
    { "data_deaf", hangs_in_data, true },
    { "all_wait_deaf", all_wait, true },
};

static ddpm_status hang(const char *name)
{
    const ddpm_watchdog_tuning tuning = { .timeout = 1.0, .tick = 0.05, .grace = 0.3 };
    ddpm_watchdog *watchdog;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, name) != 0) continue;
        world->threads = world->threads && !cases[i].deaf;
        DDPM_TRY(ddpm_dist__watchdog_create(&watchdog, world, &tuning));
        DDPM_TRY(ddpm_comm_barrier(world));
        ddpm_watchdog_at(watchdog, 812, DDPM_AT_DATA);
        const struct timespec a_few_beats = { .tv_nsec = 500000000 };
        nanosleep(&a_few_beats, NULL);
        DDPM_TRY(cases[i].run());
        ddpm_watchdog_free(watchdog);
    }
    return DDPM_OK;
}

int main(int argc, char **argv)
{
    if (ddpm_comm_start(&world, &argc, &argv) != DDPM_OK || argc != 2) return 1;
    last = ddpm_comm_size(world) - 1;
    const ddpm_status status = hang(argv[1]);
    printf("it did not hang: %s\n", status == DDPM_OK ? "" : ddpm_status_message());
    ddpm_comm_stop(world);
    return 0;
}
