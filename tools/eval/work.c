#include "work.h"

#include "ddpm/base/memory.h"
#include "ddpm/base/stop.h"

static bool go_on(void *context)
{
    (void)context;
    return !ddpm_stop_asked;
}

ddpm_status eval_share_work(const ddpm_share *work, ddpm_comm *comm)
{
    ddpm_share stoppable = *work;
    stoppable.go_on = go_on;
    ddpm_stop_catch();
    const ddpm_status status = ddpm_share_work(&stoppable, comm);
    if (status != DDPM_EAGAIN) return status;
    return ddpm_fail(status, "stopped; the same command goes on from here");
}

ddpm_status eval_find_work(uint64_t **todo, size_t *count, size_t units, eval_is_done *is_done,
                           void *context, ddpm_comm *comm)
{
    uint64_t found = 0;
    ddpm_status status = ddpm_memory_alloc(todo, units, sizeof **todo, DDPM_MEMORY_SCRATCH);
    for (size_t u = 0; status == DDPM_OK && ddpm_comm_rank(comm) == 0 && u < units; u++)
        if (!is_done(u, context)) (*todo)[found++] = u;
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_comm_broadcast(comm, &found, sizeof found, 0));
    *count = (size_t)found;
    return ddpm_comm_broadcast(comm, *todo, *count * sizeof **todo, 0);
}
