/** @file dist/watchdog.h
 *  A thread in every rank that ends a job which no longer gets on: a rank that is stopped, a node
 *  that is gone, a file system that does not answer would otherwise leave all others waiting for as
 *  long as the job's money lasts.
 *
 *  The main thread says where it is, by two stores. Every rank tells rank 0 about once a second,
 * and rank 0 judges: a job in which no rank has got on for longer than the limit is ended with exit
 *  code 75, after one line that names the late rank. The ranks in turn hear rank 0, and judge by
 *  themselves once they no longer do. What a rank slept through, stopped or suspended, is not held
 *  against the others: the watchdog's time stands still meanwhile.
 *
 *  Whoever waits in a call of this layer (comm.h, reducer.h) is known to wait: that is no work of
 *  its own, and never late. */
#ifndef DDPM_DIST_WATCHDOG_H
#define DDPM_DIST_WATCHDOG_H
#include "ddpm/dist/comm.h"

typedef struct ddpm_watchdog ddpm_watchdog;

/** What a rank is at. */
typedef enum {
    DDPM_AT_START,
    DDPM_AT_RESTORE,
    DDPM_AT_DATA,
    DDPM_AT_NOISE,
    DDPM_AT_FORWARD,
    DDPM_AT_BACKWARD,
    DDPM_AT_REDUCE,
    DDPM_AT_UPDATE,
    DDPM_AT_AUDIT,
    DDPM_AT_CHECKPOINT,
    DDPM_AT_GRID,
    DDPM_AT_EVALUATION,
    DDPM_AT_END,
    DDPM_PLACES
} ddpm_place;
extern const char *const ddpm_place_names[DDPM_PLACES];

typedef struct {
    double timeout; /**< seconds without progress, or 20 median steps where that is longer; 0: never
                     */
    /** A warning where a rank needs so many times the median rank's time for a micro-batch; 0: none
     */
    double straggler;
} ddpm_watchdog_options;

/** By the options of rank 0. Where MPI grants no MPI_THREAD_MULTIPLE each rank knows of itself
 * alone, and a warning says so. *out is NULL where there is nothing to watch for. DDPM_EOS.
 * Collective. The caller owns *out; comm must outlive it. */
DDPM_NODISCARD ddpm_status ddpm_watchdog_create(ddpm_watchdog **out, ddpm_comm *comm,
                                                const ddpm_watchdog_options *options);
/** Collective, and watched until every rank has come to it; takes NULL. */
void ddpm_watchdog_free(ddpm_watchdog *watchdog);

/* The following are for the main thread, and take NULL. */

/** From now on at `place` of step `step` (counted from 1; 0: before the first). That is progress.
 */
void ddpm_watchdog_at(ddpm_watchdog *watchdog, uint64_t step, ddpm_place place);
/** Still there, and getting on. */
void ddpm_watchdog_beat(ddpm_watchdog *watchdog);
/** Until the next ddpm_watchdog_at or _beat, silent work may take so much longer than the limit. */
void ddpm_watchdog_allow(ddpm_watchdog *watchdog, double seconds);
/** The times that limits and stragglers are judged by: of a whole step, and of this rank's own work
 *  on one micro-batch in it. */
void ddpm_watchdog_step_took(ddpm_watchdog *watchdog, double step_seconds,
                             double micro_batch_seconds);
#endif
