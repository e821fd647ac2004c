/* One job a run directory. DIR/lock is locked by flock where the file system can, and carries a
 * beating heart: its text says who holds it, and a thread of the holder counts up a number in it.
 * So it also works where flock is refused, or is silently known to one node alone (NFS mounted with
 * local locks): there a lock whose number stands still for half a minute is stale. */
#ifndef DDPM_TRAIN_RUN_LOCK_H
#define DDPM_TRAIN_RUN_LOCK_H
#include "ddpm/base/status.h"

#include <stdbool.h>

typedef struct ddpm_run_lock ddpm_run_lock;

/* DDPM_EAGAIN names the holder; DDPM_ECREATE, DDPM_EOS. Takes a moment where the last holder ran on
 * another machine and did not let go. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_train__lock(ddpm_run_lock **out, const char *directory);
/* DDPM_EAGAIN, naming it, once another job has taken the directory: this one stood still for so
 * long that it was taken for dead. */
DDPM_NODISCARD ddpm_status ddpm_train__lock_check(ddpm_run_lock *lock);
void ddpm_train__unlock(ddpm_run_lock *lock); /* takes NULL */

/* For tests: with other times, and as if flock were not supported. */
typedef struct {
    long beat_ms, stale_ms;
    bool no_flock;
} ddpm_lock_ways;
DDPM_NODISCARD ddpm_status ddpm_train__lock_in(ddpm_run_lock **out, const char *directory,
                                               const ddpm_lock_ways *ways);
#endif
