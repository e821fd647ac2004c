/* State of which every rank holds the part that it owns. */
#include "reducer_internal.h"
#include "watch.h"

#include <assert.h>
#include <string.h>

enum { TAG = 2 };

size_t ddpm_reducer_shard(const ddpm_reducer *reducer, const ddpm_span **spans, size_t *floats)
{
    *spans = reducer->span;
    *floats = reducer->shard_floats;
    return reducer->spans;
}

static ddpm_span segment_of(const ddpm_reducer *reducer, size_t bucket, int rank)
{
    return ddpm_dist__segment(&reducer->cut, bucket,
                              ddpm_dist__owned_segment(reducer->exchange, rank),
                              reducer->comm->size);
}

static ddpm_status enter(ddpm_reducer *reducer, const char *name)
{
    const ddpm_call call = { .name = name, .bytes = reducer->floats * sizeof(float), .root = -1 };
    return ddpm_dist__enter(reducer->comm, &call);
}

ddpm_status ddpm_reducer_gather(ddpm_reducer *reducer, float *flat)
{
    assert(!reducer->summing);
    DDPM_TRY(enter(reducer, "gather of shards"));
    ddpm_dist__courier_begin(reducer->courier, &flat, DDPM_JOB_GATHER);
    return ddpm_dist__leave(reducer->comm, ddpm_dist__courier_finish(reducer->courier));
}

static ddpm_status collect(ddpm_reducer *reducer, float *flat, const float *shard)
{
    ddpm_comm *comm = reducer->comm;
    for (size_t k = 0; k < reducer->spans; k++) {
        const ddpm_span span = reducer->span[k];
        if (comm->rank == 0)
            memcpy(flat + span.offset, shard, span.count * sizeof *flat);
        else
            DDPM_TRY(
                DDPM_MPI(comm, MPI_Send(shard, (int)span.count, MPI_FLOAT, 0, TAG, comm->all)));
        shard += span.count;
    }
    for (int r = 1; r < comm->size && comm->rank == 0; r++)
        for (size_t b = 0; b < reducer->cut.count; b++) {
            const ddpm_span span = segment_of(reducer, b, r);
            if (span.count)
                DDPM_TRY(DDPM_MPI(comm, MPI_Recv(flat + span.offset, (int)span.count, MPI_FLOAT, r,
                                                 TAG, comm->all, MPI_STATUS_IGNORE)));
            ddpm_dist__beat(comm);
        }
    return DDPM_OK;
}

ddpm_status ddpm_reducer_collect(ddpm_reducer *reducer, float *flat, const float *shard)
{
    assert(!reducer->summing && (reducer->comm->rank != 0 || flat));
    DDPM_TRY(enter(reducer, "collection of shards"));
    return ddpm_dist__leave(reducer->comm, collect(reducer, flat, shard));
}

static ddpm_status scatter(ddpm_reducer *reducer, float *shard, const float *flat)
{
    ddpm_comm *comm = reducer->comm;
    for (size_t k = 0; k < reducer->spans; k++) {
        const ddpm_span span = reducer->span[k];
        if (comm->rank == 0)
            memcpy(shard, flat + span.offset, span.count * sizeof *flat);
        else
            DDPM_TRY(DDPM_MPI(comm, MPI_Recv(shard, (int)span.count, MPI_FLOAT, 0, TAG, comm->all,
                                             MPI_STATUS_IGNORE)));
        shard += span.count;
    }
    for (int r = 1; r < comm->size && comm->rank == 0; r++)
        for (size_t b = 0; b < reducer->cut.count; b++) {
            const ddpm_span span = segment_of(reducer, b, r);
            if (span.count)
                DDPM_TRY(DDPM_MPI(comm, MPI_Send(flat + span.offset, (int)span.count, MPI_FLOAT, r,
                                                 TAG, comm->all)));
            ddpm_dist__beat(comm);
        }
    return DDPM_OK;
}

ddpm_status ddpm_reducer_scatter(ddpm_reducer *reducer, float *shard, const float *flat)
{
    assert(!reducer->summing && (reducer->comm->rank != 0 || flat));
    DDPM_TRY(enter(reducer, "distribution of shards"));
    return ddpm_dist__leave(reducer->comm, scatter(reducer, shard, flat));
}
