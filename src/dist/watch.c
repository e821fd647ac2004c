#include "watch.h"

#include "collective_check.h"

static void set_waits(ddpm_comm *comm, bool waits)
{
    ddpm_watch *watch = comm->watch;
    if (!watch) return;
    uint64_t where = atomic_load_explicit(&watch->where, memory_order_relaxed);
    where &= ~(uint64_t)DDPM_WHERE_WAITS;
    if (waits) where |= DDPM_WHERE_WAITS;
    atomic_store_explicit(&watch->where, where, memory_order_relaxed);
    ddpm_dist__beat(comm);
}

ddpm_status ddpm_dist__enter(ddpm_comm *comm, const ddpm_call *call)
{
    set_waits(comm, true);
    const ddpm_status status = comm->check ? ddpm_dist__check_call(comm, call) : DDPM_OK;
    if (status != DDPM_OK) set_waits(comm, false);
    return status;
}

ddpm_status ddpm_dist__leave(ddpm_comm *comm, ddpm_status status)
{
    set_waits(comm, false);
    return status;
}

void ddpm_dist__beat(ddpm_comm *comm)
{
    if (comm->watch) atomic_fetch_add_explicit(&comm->watch->moves, 1, memory_order_relaxed);
}
