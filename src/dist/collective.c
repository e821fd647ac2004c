/* Data between all ranks, in pieces that MPI moves without large temporaries. */
#include "watch.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

static int piece(size_t left)
{
    return (int)(left < DDPM_COMM_PIECE_BYTES ? left : DDPM_COMM_PIECE_BYTES);
}

ddpm_status ddpm_comm_barrier(ddpm_comm *comm)
{
    DDPM_TRY(ddpm_dist__enter(comm, &(ddpm_call){ .name = "barrier", .root = -1 }));
    return ddpm_dist__leave(comm, DDPM_MPI(comm, MPI_Barrier(comm->all)));
}

static ddpm_status broadcast(ddpm_comm *comm, char *data, size_t bytes, int root)
{
    for (size_t done = 0; done < bytes; done += (size_t)piece(bytes - done)) {
        DDPM_TRY(
            DDPM_MPI(comm, MPI_Bcast(data + done, piece(bytes - done), MPI_BYTE, root, comm->all)));
        ddpm_dist__beat(comm);
    }
    return DDPM_OK;
}

ddpm_status ddpm_comm_broadcast(ddpm_comm *comm, void *data, size_t bytes, int root)
{
    DDPM_TRY(
        ddpm_dist__enter(comm, &(ddpm_call){ .name = "broadcast", .bytes = bytes, .root = root }));
    return ddpm_dist__leave(comm, broadcast(comm, data, bytes, root));
}

ddpm_status ddpm_comm_max_u64(ddpm_comm *comm, uint64_t *values, size_t count)
{
    assert(count <= INT_MAX);
    const ddpm_call call = { .name = "max", .bytes = count * sizeof *values, .root = -1 };
    DDPM_TRY(ddpm_dist__enter(comm, &call));
    return ddpm_dist__leave(comm, DDPM_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, values, (int)count,
                                                               MPI_UINT64_T, MPI_MAX, comm->all)));
}

ddpm_status ddpm_comm_allgather_f64(ddpm_comm *comm, double *all, const double *mine, size_t count)
{
    assert(count <= INT_MAX);
    const ddpm_call call = { .name = "allgather", .bytes = count * sizeof *mine, .root = -1 };
    DDPM_TRY(ddpm_dist__enter(comm, &call));
    return ddpm_dist__leave(comm, DDPM_MPI(comm, MPI_Allgather(mine, (int)count, MPI_DOUBLE, all,
                                                               (int)count, MPI_DOUBLE, comm->all)));
}

static ddpm_status gather(ddpm_comm *comm, void *all, const void *mine, size_t bytes,
                          size_t *all_bytes)
{
    enum { TAG = 1 };
    static_assert(sizeof(size_t) == sizeof(uint64_t), "size_t travels as MPI_UINT64_T");
    DDPM_TRY(DDPM_MPI(
        comm, MPI_Gather(&bytes, 1, MPI_UINT64_T, all_bytes, 1, MPI_UINT64_T, 0, comm->all)));
    if (comm->rank != 0) {
        const char *at = mine;
        for (size_t done = 0; done < bytes; done += (size_t)piece(bytes - done))
            DDPM_TRY(DDPM_MPI(
                comm, MPI_Send(at + done, piece(bytes - done), MPI_BYTE, 0, TAG, comm->all)));
        return DDPM_OK;
    }
    char *at = all;
    if (bytes) memcpy(at, mine, bytes);
    at += bytes;
    for (int r = 1; r < comm->size; r++) {
        for (size_t done = 0; done < all_bytes[r]; done += (size_t)piece(all_bytes[r] - done))
            DDPM_TRY(DDPM_MPI(comm, MPI_Recv(at + done, piece(all_bytes[r] - done), MPI_BYTE, r,
                                             TAG, comm->all, MPI_STATUS_IGNORE)));
        at += all_bytes[r];
        ddpm_dist__beat(comm);
    }
    return DDPM_OK;
}

ddpm_status ddpm_comm_gather(ddpm_comm *comm, void *all, const void *mine, size_t bytes,
                             size_t *all_bytes)
{
    DDPM_TRY(ddpm_dist__enter(comm, &(ddpm_call){ .name = "gather", .root = 0 }));
    return ddpm_dist__leave(comm, gather(comm, all, mine, bytes, all_bytes));
}
