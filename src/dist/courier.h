/* Who passes the time while buckets travel: a thread beside the computation. MPI makes no progress
 * by itself, and a blocking call would spin on the core that computes; so the thread tests, and
 * sleeps between tests. The main thread must not call MPI while a job is under way. */
#ifndef DDPM_DIST_COURIER_H
#define DDPM_DIST_COURIER_H
#include "exchange.h"

typedef struct ddpm_courier ddpm_courier;

/* Without `threaded`, all communication happens in `finish`, in the calling thread. Not collective;
 * the exchange must outlive it. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__courier_create(ddpm_courier **out, ddpm_exchange *exchange,
                                                     size_t buckets, bool threaded);
void ddpm_dist__courier_free(ddpm_courier *courier); /* takes NULL */
/* See ddpm_dist__exchange_begin; roots must stay until the job is finished. */
void ddpm_dist__courier_begin(ddpm_courier *courier, float *const *roots, ddpm_job job);
/* Buckets 0 .. count-1 will no more be written to. */
void ddpm_dist__courier_hand(ddpm_courier *courier, size_t count);
/* Hands over all buckets and waits for the end of the job, or its failure: DDPM_EINTERNAL. */
DDPM_NODISCARD ddpm_status ddpm_dist__courier_finish(ddpm_courier *courier);
/* Time with a bucket on its way, and time that `finish` waited. */
void ddpm_dist__courier_seconds(const ddpm_courier *courier, double *total, double *exposed);
#endif
