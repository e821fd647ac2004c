/* A watchdog from inside, and one that is faster than those of users, for tests. */
#ifndef DDPM_DIST_WATCHDOG_INTERNAL_H
#define DDPM_DIST_WATCHDOG_INTERNAL_H
#include "beats.h"
#include "ddpm/dist/watchdog.h"
#include "step_times.h"
#include "straggler.h"
#include "watch.h"

#include <pthread.h>

typedef struct {
    double timeout; /* 0: never */
    double tick;    /* seconds between looks; a beat every second one */
    double grace;   /* seconds by which rank 0 is first to judge; twice that: the others after it */
    ddpm_straggler_rule straggler;
} ddpm_watchdog_tuning;

struct ddpm_watchdog {
    ddpm_comm *comm;
    ddpm_watchdog_tuning tuning;
    ddpm_watch watch;      /* the main thread writes, */
    ddpm_step_times times; /* and writes here */
    ddpm_beats *beats;     /* NULL: this rank by itself. The thread's while it runs */
    ddpm_rank_name self;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for the next two */
    pthread_cond_t changed;
    bool leaving, abandoned; /* all ranks leave; this one goes without farewell */
    /* The thread's. */
    uint64_t looked_ns;
    double awake;    /* seconds that this process has lived through */
    uint64_t moves;  /* as of the last look, */
    double moved_at; /* and when they changed */
    double beaten_at, ended_at;
    ddpm_straggler *straggler; /* [size], rank 0's */
    ddpm_watched *watched;     /* [size] there, 1 elsewhere: scratch */
    double *sorted;            /* [size] */
};

DDPM_NODISCARD ddpm_status ddpm_dist__watchdog_create(ddpm_watchdog **out, ddpm_comm *comm,
                                                      const ddpm_watchdog_tuning *tuning);
void *ddpm_dist__watchdog_run(void *watchdog);
/* Rank 0: warns about slow ranks. */
void ddpm_dist__watchdog_stragglers(ddpm_watchdog *watchdog);
/* Ends the job with DDPM_EAGAIN, and this process whatever happens. `why` may be NULL: it has been
 * said elsewhere. */
_Noreturn void ddpm_dist__watchdog_end(ddpm_watchdog *watchdog, const char *why);
#endif
