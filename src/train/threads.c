#include "ddpm/train/threads.h"

#include "ddpm/base/hash.h"
#include "ddpm/kernels/isa.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* A hash that a double holds exactly. */
static double digest(const void *data, size_t bytes)
{
    return (double)(ddpm_xxh64_of(data, bytes) >> 12);
}

ddpm_status ddpm_threads_set(int *threads, ddpm_comm *comm, int64_t wanted)
{
    enum { HOST, MASK, FIELDS };
    cpu_set_t mask;
    CPU_ZERO(&mask);
    int cores = 1;
    if (sched_getaffinity(0, sizeof mask, &mask) == 0) cores = CPU_COUNT(&mask);
    const char *host = ddpm_comm_host(comm);
    const double mine[FIELDS] = { digest(host, strlen(host)), digest(&mask, sizeof mask) };

    const size_t size = (size_t)ddpm_comm_size(comm);
    double *all = calloc(size * FIELDS, sizeof *all);
    ddpm_status status = all ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory to compare affinity masks");
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = ddpm_comm_allgather_f64(comm, all, mine, FIELDS);
    int others = 0;
    for (size_t r = 0; all && r < size; r++)
        if ((int)r != ddpm_comm_rank(comm) && all[r * FIELDS + HOST] == mine[HOST] &&
            all[r * FIELDS + MASK] == mine[MASK])
            others++;
    free(all);
    if (status != DDPM_OK) return status;
    const int share = cores / (others + 1) > 1 ? cores / (others + 1) : 1;
    *threads = ddpm_kernels_set_threads(wanted ? (int)wanted : share);
    return DDPM_OK;
}
