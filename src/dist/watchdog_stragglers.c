/* Every step waits for the slowest rank. */
#include "ddpm/base/log.h"
#include "watchdog_internal.h"

static void say(const ddpm_rank_name *name, ddpm_straggler_news news, double mine, double median)
{
    if (news == DDPM_STRAGGLER_SLOW)
        ddpm_log_warning("rank %d (host %s, pid %d) takes %.1f times as long for a micro-batch as "
                         "the median rank (%.3g s, %.3g s), and every step waits for it: look for "
                         "other load, a low clock or slow storage there",
                         name->rank, name->host, name->pid, mine / median, mine, median);
    else if (news == DDPM_STRAGGLER_KEEPS_UP)
        ddpm_log_info("rank %d (host %s) keeps up with the others again (%.3g s a micro-batch, "
                      "median %.3g s)",
                      name->rank, name->host, mine, median);
}

void ddpm_dist__watchdog_stragglers(ddpm_watchdog *watchdog)
{
    const ddpm_heard *heard;
    const ddpm_rank_name *name;
    const size_t count = ddpm_dist__beats_peers(watchdog->beats, &heard, &name);
    if (watchdog->tuning.straggler.factor <= 0.0) return;
    for (size_t r = 0; r < count; r++) {
        if (heard[r].beat.steps < DDPM_STEP_TIMES_RECENT) return; /* first steps are slow */
        watchdog->sorted[r] = heard[r].beat.micro_batch;
    }
    const double median = ddpm_dist__lower_median(watchdog->sorted, count);
    if (median <= 0.0) return;
    for (size_t r = 0; r < count; r++) {
        const double mine = heard[r].beat.micro_batch;
        say(&name[r],
            ddpm_dist__straggler(&watchdog->straggler[r], mine / median, watchdog->awake,
                                 &watchdog->tuning.straggler),
            mine, median);
    }
}
