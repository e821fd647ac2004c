/* The end of a job that does not get on, on every way there is. */
#include "ddpm/base/log.h"
#include "watchdog_internal.h"

#include <time.h>
#include <unistd.h>

static void let_pass(double seconds)
{
    const struct timespec time = { .tv_sec = (time_t)seconds,
                                   .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&time, NULL);
}

/* MPI_Abort asks a daemon, which may be out of reach; a message may wait for a reader of standard
 * error that is stopped too. */
static void *last_resort(void *unused)
{
    (void)unused;
    let_pass(5.0);
    _exit(DDPM_EAGAIN);
}

/* Rank 0 tells who still listens, so that no rank stays behind where MPI_Abort does not reach it.
 */
static void tell_the_others(ddpm_watchdog *watchdog)
{
    const ddpm_beat end = { .kind = DDPM_BEAT_END, .place = DDPM_AT_END };
    for (int k = 0; k < 20; k++) {
        if (!ddpm_dist__beats_turn(watchdog->beats, &end, watchdog->awake)) return;
        let_pass(0.01);
    }
}

_Noreturn void ddpm_dist__watchdog_end(ddpm_watchdog *watchdog, const char *why)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, last_resort, NULL)) _exit(DDPM_EAGAIN);
    if (why) ddpm_log_error("%s", why);
    if (watchdog->beats && watchdog->comm->rank == 0) tell_the_others(watchdog);
    MPI_Abort(MPI_COMM_WORLD, DDPM_EAGAIN);
    _exit(DDPM_EAGAIN);
}
