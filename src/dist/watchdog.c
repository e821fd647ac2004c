/* The main thread's side. */
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/thread.h"
#include "watchdog_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const ddpm_place_names[DDPM_PLACES] = {
    "start",  "restore", "data",       "noise", "forward",    "backward", "reduce",
    "update", "audit",   "checkpoint", "grid",  "evaluation", "end",
};

static ddpm_status build(ddpm_watchdog **out, ddpm_comm *comm, const ddpm_watchdog_tuning *tuning)
{
    ddpm_watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (!watchdog) return ddpm_fail(DDPM_EOS, "no memory for a watchdog");
    const size_t size = comm->rank == 0 ? (size_t)comm->size : 1;
    *out = watchdog;
    watchdog->comm = comm;
    watchdog->tuning = *tuning;
    watchdog->self = (ddpm_rank_name){ .rank = comm->rank, .pid = (int32_t)getpid() };
    snprintf(watchdog->self.host, sizeof watchdog->self.host, "%s", comm->host);
    pthread_mutex_init(&watchdog->lock, NULL);
    ddpm_clock_condition(&watchdog->changed);
    watchdog->straggler = calloc(size, sizeof *watchdog->straggler);
    watchdog->watched = calloc(size, sizeof *watchdog->watched);
    watchdog->sorted = calloc(size, sizeof *watchdog->sorted);
    if (!watchdog->straggler || !watchdog->watched || !watchdog->sorted)
        return ddpm_fail(DDPM_EOS, "no memory for a watchdog");
    return DDPM_OK;
}

/* Without a farewell: no other rank counts on this one, or none can be reached. */
static void drop(ddpm_watchdog *watchdog)
{
    free(watchdog->straggler);
    free(watchdog->watched);
    free(watchdog->sorted);
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog);
}

ddpm_status ddpm_dist__watchdog_create(ddpm_watchdog **out, ddpm_comm *comm,
                                       const ddpm_watchdog_tuning *tuning)
{
    ddpm_watchdog *watchdog = NULL;
    ddpm_status status = ddpm_comm_agree(comm, build(&watchdog, comm, tuning));
    if (status != DDPM_OK || !watchdog) goto failed;
    status = ddpm_dist__beats_create(&watchdog->beats, comm);
    if (status != DDPM_OK) goto failed;
    comm->watch = &watchdog->watch;
    status = ddpm_thread_start(&watchdog->thread, ddpm_dist__watchdog_run, watchdog,
                               "watches over the ranks");
    watchdog->started = status == DDPM_OK;
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) {
        *out = watchdog;
        return DDPM_OK;
    }
    comm->watch = NULL;
    if (watchdog->started) { /* the beats are lost: only a process that is about to end is here */
        pthread_mutex_lock(&watchdog->lock);
        watchdog->abandoned = true;
        pthread_cond_signal(&watchdog->changed);
        pthread_mutex_unlock(&watchdog->lock);
        pthread_join(watchdog->thread, NULL);
    }
failed:
    if (watchdog) drop(watchdog);
    return status;
}

ddpm_status ddpm_watchdog_create(ddpm_watchdog **out, ddpm_comm *comm,
                                 const ddpm_watchdog_options *options)
{
    enum { GRACE = 3, PATIENCE = 10, AGAIN = 600 };
    ddpm_watchdog_options first = *options;
    *out = NULL;
    DDPM_TRY(ddpm_comm_broadcast(comm, &first, sizeof first, 0));
    static const double least_tick = 0.05, most_tick = 0.5;
    const double tick = first.timeout / 16.0;
    const ddpm_watchdog_tuning tuning = {
        .timeout = first.timeout,
        .tick = first.timeout > 0.0 ? fmin(fmax(tick, least_tick), most_tick) : most_tick,
        .grace = GRACE,
        .straggler = { .factor = first.straggler, .patience = PATIENCE, .again = AGAIN },
    };
    const bool alone = comm->size == 1 || !comm->threads;
    if (first.timeout <= 0.0 && (first.straggler <= 0.0 || alone)) return DDPM_OK;
    if (comm->size > 1 && !comm->threads && comm->rank == 0)
        ddpm_log_warning(
            "this MPI grants no MPI_THREAD_MULTIPLE: the watchdog of each rank knows of "
            "that rank alone, and slow ranks are not found");
    return ddpm_dist__watchdog_create(out, comm, &tuning);
}

void ddpm_watchdog_free(ddpm_watchdog *watchdog)
{
    if (!watchdog) return;
    ddpm_comm *comm = watchdog->comm;
    uint64_t where = atomic_load_explicit(&watchdog->watch.where, memory_order_relaxed);
    where = where >> DDPM_WHERE_STEP << DDPM_WHERE_STEP;
    atomic_store_explicit(&watchdog->watch.where, where | DDPM_WHERE_WAITS | DDPM_AT_END,
                          memory_order_relaxed);
    ddpm_watchdog_beat(watchdog);
    pthread_mutex_lock(&watchdog->lock);
    watchdog->leaving = true;
    watchdog->abandoned = comm->broken;
    pthread_cond_signal(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    comm->watch = NULL;
    ddpm_dist__beats_free(watchdog->beats);
    drop(watchdog);
}

void ddpm_watchdog_at(ddpm_watchdog *watchdog, uint64_t step, ddpm_place place)
{
    if (!watchdog) return;
    atomic_store_explicit(&watchdog->watch.where, step << DDPM_WHERE_STEP | (uint64_t)place,
                          memory_order_relaxed);
    ddpm_watchdog_beat(watchdog);
}

void ddpm_watchdog_beat(ddpm_watchdog *watchdog)
{
    if (!watchdog) return;
    atomic_store_explicit(&watchdog->watch.allowance_ms, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&watchdog->watch.moves, 1, memory_order_relaxed);
}

void ddpm_watchdog_allow(ddpm_watchdog *watchdog, double seconds)
{
    if (!watchdog) return;
    atomic_store_explicit(&watchdog->watch.allowance_ms, (uint64_t)(seconds * 1e3),
                          memory_order_relaxed);
}

void ddpm_watchdog_step_took(ddpm_watchdog *watchdog, double step_seconds,
                             double micro_batch_seconds)
{
    if (watchdog) ddpm_dist__step_times_add(&watchdog->times, step_seconds, micro_batch_seconds);
}
