/* A few numbers beside the gradients: losses of the leaves, and what single owners know. */
#include "reducer_internal.h"
#include "watch.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static ddpm_status gather_values(ddpm_reducer *reducer, const double *mine, size_t width)
{
    ddpm_comm *comm = reducer->comm;
    for (int r = 0; r < comm->size; r++) {
        size_t first, count;
        ddpm_reducer_interval(&first, &count, reducer->leaves, r, comm->size);
        reducer->offsets[r] = (int)(first * width);
        reducer->counts[r] = (int)(count * width);
    }
    return DDPM_MPI(comm,
                    MPI_Allgatherv(mine, (int)(reducer->count * width), MPI_DOUBLE, reducer->values,
                                   reducer->counts, reducer->offsets, MPI_DOUBLE, comm->all));
}

ddpm_status ddpm_reducer_sum_f64(ddpm_reducer *reducer, double *sum, const double *mine,
                                 size_t width)
{
    assert(!reducer->summing);
    const size_t room = reducer->leaves * width;
    ddpm_status status = DDPM_OK;
    if (room > reducer->values_room) {
        double *grown = realloc(reducer->values, room * sizeof *grown);
        if (grown) {
            reducer->values = grown;
            reducer->values_room = room;
        } else {
            status = ddpm_fail(DDPM_EOS, "no memory for %zu sums", width);
        }
        DDPM_TRY(ddpm_comm_agree(reducer->comm, status));
    }
    const ddpm_call call = { .name = "sum of losses", .bytes = width * sizeof *sum, .root = -1 };
    DDPM_TRY(ddpm_dist__enter(reducer->comm, &call));
    DDPM_TRY(ddpm_dist__leave(reducer->comm, gather_values(reducer, mine, width)));
    double *node = reducer->values;
    for (size_t m = 1; m < reducer->leaves; m *= 2)
        for (size_t i = 0; i + m < reducer->leaves; i += 2 * m)
            for (size_t k = 0; k < width; k++) node[i * width + k] += node[(i + m) * width + k];
    memcpy(sum, node, width * sizeof *sum);
    return DDPM_OK;
}

/* A sum of which all terms but one are 0 has no order. */
ddpm_status ddpm_reducer_merge_f64(ddpm_reducer *reducer, double *values, size_t count)
{
    ddpm_comm *comm = reducer->comm;
    assert(!reducer->summing && count <= INT_MAX);
    const ddpm_call call = { .name = "merge", .bytes = count * sizeof *values, .root = -1 };
    DDPM_TRY(ddpm_dist__enter(comm, &call));
    return ddpm_dist__leave(comm, DDPM_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, values, (int)count,
                                                               MPI_DOUBLE, MPI_SUM, comm->all)));
}
