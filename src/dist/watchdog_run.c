/* The watchdog's thread: looks, tells, hears, judges. */
#include "ddpm/base/clock.h"
#include "watchdog_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LIMIT_STEPS = 20, /* median steps */
    END_SECONDS = 10  /* in which a job that is being ended must be over */
};

/* The watchdog's time: a process that was stopped, or a machine that was suspended, has not waited
 * meanwhile, and what the others sent lies in its mailbox. */
static void look_at_the_clock(ddpm_watchdog *watchdog)
{
    const double most = fmax(1.0, 2.0 * watchdog->tuning.tick);
    const uint64_t now = ddpm_clock_ns();
    watchdog->awake += fmin(ddpm_clock_seconds(watchdog->looked_ns, now), most);
    watchdog->looked_ns = now;
}

static ddpm_beat look_at_the_main_thread(ddpm_watchdog *watchdog)
{
    ddpm_watch *watch = &watchdog->watch;
    const uint64_t moves = atomic_load_explicit(&watch->moves, memory_order_relaxed);
    const uint64_t where = atomic_load_explicit(&watch->where, memory_order_relaxed);
    if (moves != watchdog->moves) {
        watchdog->moves = moves;
        watchdog->moved_at = watchdog->awake;
    }
    const uint64_t allowance = atomic_load_explicit(&watch->allowance_ms, memory_order_relaxed);
    return (ddpm_beat){
        .step = where >> DDPM_WHERE_STEP,
        .place = (int32_t)(where & DDPM_WHERE_PLACE),
        .waits = (where & DDPM_WHERE_WAITS) != 0,
        .steps = atomic_load_explicit(&watchdog->times.count, memory_order_relaxed),
        .idle = watchdog->awake - watchdog->moved_at,
        .allowance = (double)allowance * 1e-3,
        .micro_batch = ddpm_dist__median_micro_batch(&watchdog->times),
    };
}

static double limit_of(const ddpm_watchdog *watchdog)
{
    return fmax(watchdog->tuning.timeout, LIMIT_STEPS * ddpm_dist__median_step(&watchdog->times));
}

static void end(ddpm_watchdog *watchdog, const ddpm_verdict *verdict, const ddpm_watched *ranks,
                const ddpm_rank_name *name, size_t count, bool alone)
{
    char who[1024], why[1536];
    ddpm_dist__verdict_text(who, sizeof who, verdict, ranks, name, count, alone);
    snprintf(why, sizeof why,
             "%s; the job ends: the same command goes on from the last checkpoint (dist.timeout is "
             "%.0f s, 20 median steps %.0f s)",
             who, watchdog->tuning.timeout, LIMIT_STEPS * ddpm_dist__median_step(&watchdog->times));
    ddpm_dist__watchdog_end(watchdog, why);
}

/* Rank 0, of all. */
static void judge_all(ddpm_watchdog *watchdog, double limit)
{
    const ddpm_heard *heard;
    const ddpm_rank_name *name;
    const size_t count = ddpm_dist__beats_peers(watchdog->beats, &heard, &name);
    for (size_t r = 0; r < count; r++)
        watchdog->watched[r] = (ddpm_watched){ .silent = watchdog->awake - heard[r].heard_at,
                                               .beat = heard[r].beat };
    const ddpm_verdict verdict = ddpm_dist__judge(watchdog->watched, count, limit);
    if (verdict.fault != DDPM_FAULT_NONE)
        end(watchdog, &verdict, watchdog->watched, name, count, false);
}

/* Of itself: one process, or one that hears nobody. Who works is late, and first to say so. */
static void judge_itself(ddpm_watchdog *watchdog, const ddpm_beat *mine, double limit)
{
    const ddpm_watched self = { .silent = 0.0, .beat = *mine };
    if (mine->waits && mine->idle < limit + watchdog->tuning.grace) return;
    const ddpm_verdict verdict = ddpm_dist__judge(&self, 1, limit);
    if (verdict.fault != DDPM_FAULT_NONE) end(watchdog, &verdict, &self, &watchdog->self, 1, true);
}

/* The others, of rank 0, which judges all as long as it is heard. */
static void judge_the_judge(ddpm_watchdog *watchdog, const ddpm_beat *mine, double limit)
{
    const ddpm_heard *heard;
    const ddpm_rank_name *name;
    ddpm_dist__beats_peers(watchdog->beats, &heard, &name);
    if (heard->beat.kind == DDPM_BEAT_END) {
        if (watchdog->ended_at == 0.0) watchdog->ended_at = watchdog->awake;
        if (watchdog->awake - watchdog->ended_at > END_SECONDS)
            ddpm_dist__watchdog_end(watchdog, NULL);
        return;
    }
    /* One after the other, so that one of them speaks. */
    const double turn = watchdog->tuning.grace *
                        (1.0 + 2.0 * (double)watchdog->comm->rank / watchdog->comm->size);
    const ddpm_watched both[2] = {
        { .silent = watchdog->awake - heard->heard_at, .beat = heard->beat },
        { .silent = 0.0, .beat = *mine },
    };
    if (mine->idle < limit + turn) return;
    const ddpm_rank_name names[2] = { name[0], watchdog->self };
    const ddpm_verdict verdict = ddpm_dist__judge(both, 2, limit);
    if (verdict.fault == DDPM_FAULT_SILENT) end(watchdog, &verdict, both, names, 2, false);
}

static void judge(ddpm_watchdog *watchdog, const ddpm_beat *mine)
{
    if (watchdog->tuning.timeout <= 0.0) return;
    const double limit = limit_of(watchdog);
    const bool hears = watchdog->beats != NULL, judges = hears && watchdog->comm->rank == 0;
    if (hears && !judges)
        judge_the_judge(watchdog, mine, limit);
    else if (mine->idle <= limit)
        return;
    else if (judges)
        judge_all(watchdog, limit);
    else
        judge_itself(watchdog, mine, limit);
}

/* Rank 0 is the last to go, so that no rank ends MPI while another may still have to be ended:
 * mpirun 4.1 itself hangs where MPI_Abort meets ranks in MPI_Finalize. */
static bool may_go(const ddpm_watchdog *watchdog)
{
    return watchdog->comm->rank != 0 || ddpm_dist__beats_all_left(watchdog->beats);
}

/* One look around; false: all ranks have taken leave of each other. */
static bool look(ddpm_watchdog *watchdog, bool leaving)
{
    look_at_the_clock(watchdog);
    ddpm_beat mine = look_at_the_main_thread(watchdog);
    if (!watchdog->beats) {
        judge(watchdog, &mine);
        return !leaving;
    }
    const bool due = watchdog->awake - watchdog->beaten_at > 1.9 * watchdog->tuning.tick;
    const bool goes = leaving && may_go(watchdog);
    if (due) watchdog->beaten_at = watchdog->awake;
    if (goes) mine.kind = DDPM_BEAT_LAST;
    if (!ddpm_dist__beats_turn(watchdog->beats, due || goes ? &mine : NULL, watchdog->awake))
        watchdog->beats = NULL; /* MPI has failed, as the main thread will find */
    judge(watchdog, &mine);
    if (due && watchdog->beats && watchdog->comm->rank == 0)
        ddpm_dist__watchdog_stragglers(watchdog);
    return !leaving || (watchdog->beats && !ddpm_dist__beats_over(watchdog->beats));
}

/* Waits for a tick, or until it is called. */
static void rest(ddpm_watchdog *watchdog)
{
    static const double leaving_tick = 0.005;
    const double tick = watchdog->leaving ? leaving_tick : watchdog->tuning.tick;
    const uint64_t until = ddpm_clock_ns() + (uint64_t)(tick * 1e9);
    const struct timespec time = { .tv_sec = (time_t)(until / 1000000000u),
                                   .tv_nsec = (long)(until % 1000000000u) };
    pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &time);
}

void *ddpm_dist__watchdog_run(void *argument)
{
    ddpm_watchdog *watchdog = argument;
    bool goes_on = true;
    watchdog->looked_ns = ddpm_clock_ns();
    pthread_mutex_lock(&watchdog->lock);
    while (goes_on && !watchdog->abandoned) {
        rest(watchdog);
        const bool leaving = watchdog->leaving;
        if (watchdog->abandoned) break;
        pthread_mutex_unlock(&watchdog->lock);
        goes_on = look(watchdog, leaving);
        pthread_mutex_lock(&watchdog->lock);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}
