/* dist.check_collectives: whether all ranks are at the same collective call. */
#ifndef DDPM_DIST_COLLECTIVE_CHECK_H
#define DDPM_DIST_COLLECTIVE_CHECK_H
#include "watch.h"

/* DDPM_EINTERNAL, on every rank, naming the first rank that differs from rank 0, and both calls;
 * the communicator is broken then. */
DDPM_NODISCARD ddpm_status ddpm_dist__check_call(ddpm_comm *comm, const ddpm_call *call);
void ddpm_dist__check_free(ddpm_comm *comm);
#endif
