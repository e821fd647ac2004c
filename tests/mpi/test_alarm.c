/* A rank whose communication fails must not leave the others waiting. The communicator is of no use
 * after that, so this is a program of its own: it ends as a run would, with an abort, and is judged
 * by what it prints before. */
#include "ddpm/dist/reducer.h"
#include "reducer_internal.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

/* One sum where the last rank believes in shorter buckets than those that the others send. Messages
 * are short: Open MPI 4.1 survives no longer ones that do not fit. */
static ddpm_status sum_of_unequal_sizes(ddpm_comm *world, int last, bool no_thread)
{
    const size_t leaves = 2 * (size_t)ddpm_comm_size(world);
    const size_t floats = ddpm_comm_rank(world) == last ? 300 : 900;
    const ddpm_reducer_options options = { .no_thread = no_thread, .flat = true };
    ddpm_reducer *reducer;
    DDPM_TRY(ddpm_dist__reducer_create(&reducer, world, floats, leaves, &options, floats / 3, 0));
    for (int k = 0; k < 2; k++) {
        (void)ddpm_reducer_leaf_begin(reducer);
        ddpm_reducer_leaf_done(reducer);
    }
    float *sum;
    const ddpm_status status = ddpm_reducer_finish(reducer, &sum);
    ddpm_reducer_free(reducer);
    return status;
}

int main(int argc, char **argv)
{
    ddpm_comm *world;
    if (ddpm_comm_start(&world, &argc, &argv) != DDPM_OK) return 1;
    const int last = ddpm_comm_size(world) - 1;
    char name[32];
    snprintf(name, sizeof name, "rank %d", last);
    const ddpm_status status = sum_of_unequal_sizes(world, last, argc > 1);
    const bool heard = status == DDPM_EINTERNAL && strstr(ddpm_status_message(), name);
    if (!heard)
        printf("rank %d: status %d: %s\n", ddpm_comm_rank(world), (int)status,
               ddpm_status_message());
    const int mine = heard;
    int all = 0;
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (ddpm_comm_rank(world) == 0) {
        printf("%d of %d ranks know that %s failed\n", all, ddpm_comm_size(world), name);
        fflush(stdout);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    ddpm_comm_stop(world); /* aborts: the communicator is broken */
    return 0;
}
