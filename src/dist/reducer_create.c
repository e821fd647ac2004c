/* The making of a reducer, and what it will take. */
#include "comm_internal.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "reducer_internal.h"

#include <stdlib.h>

enum { ALIGN_FLOATS = 16 }; /* segments begin on cache lines */

static const ddpm_reducer_options standard = { .mpi = false };

void ddpm_reducer_interval(size_t *first, size_t *count, size_t leaves, int rank, int size)
{
    const size_t r = (size_t)rank, n = (size_t)size;
    *first = leaves * r / n;
    *count = leaves * (r + 1) / n - *first;
}

static size_t stack_height(size_t leaves, int rank, int size)
{
    ddpm_tree_node roots[DDPM_TREE_ROOTS];
    size_t first, count, height;
    ddpm_reducer_interval(&first, &count, leaves, rank, size);
    ddpm_dist__tree_roots(roots, &height, first, count, leaves);
    return height;
}

static ddpm_status make_cut(ddpm_cut *cut, size_t floats, size_t bucket_floats,
                            const ddpm_reducer_options *options, int size)
{
    const size_t grain = options->shard_grain ? options->shard_grain : ALIGN_FLOATS;
    return ddpm_dist__cut_create(cut, floats, bucket_floats, grain, size);
}

ddpm_status ddpm_reducer_plan(ddpm_reducer_needs *needs, size_t floats, size_t leaves, int rank,
                              int size, const ddpm_reducer_options *options)
{
    ddpm_cut cut;
    if (!options) options = &standard;
    DDPM_TRY(make_cut(&cut, floats, ddpm_dist__bucket_floats(size), options, size));
    *needs = (ddpm_reducer_needs){
        .gradient_bytes = stack_height(leaves, rank, size) * floats * sizeof(float),
        .exchange_bytes = ddpm_dist__exchange_bytes(&cut, leaves, rank, size,
                                                    options->flat || options->mpi),
    };
    for (size_t b = 0; b < cut.count; b++)
        needs->shard_floats += ddpm_dist__segment(&cut, b, rank, size).count;
    ddpm_dist__cut_free(&cut);
    return DDPM_OK;
}

static ddpm_status list_spans(ddpm_reducer *reducer)
{
    const ddpm_comm *comm = reducer->comm;
    const int segment = ddpm_dist__owned_segment(reducer->exchange, comm->rank);
    reducer->span = calloc(reducer->cut.count + 1, sizeof *reducer->span);
    if (!reducer->span) return ddpm_fail(DDPM_EOS, "no memory for a reducer");
    for (size_t b = 0; b < reducer->cut.count; b++) {
        const ddpm_span span = ddpm_dist__segment(&reducer->cut, b, segment, comm->size);
        if (span.count) reducer->span[reducer->spans++] = span;
        reducer->shard_floats += span.count;
    }
    return DDPM_OK;
}

static ddpm_status allocate(ddpm_reducer *reducer, size_t bucket_floats)
{
    const size_t size = (size_t)reducer->comm->size;
    DDPM_TRY(make_cut(&reducer->cut, reducer->floats, bucket_floats, &reducer->options,
                      reducer->comm->size));
    reducer->node = calloc(reducer->height, sizeof *reducer->node);
    reducer->buffer = calloc(reducer->height, sizeof *reducer->buffer);
    reducer->counts = calloc(size, sizeof *reducer->counts);
    reducer->offsets = calloc(size, sizeof *reducer->offsets);
    if (!reducer->node || !reducer->buffer || !reducer->counts || !reducer->offsets)
        return ddpm_fail(DDPM_EOS, "no memory for a reducer");
    for (size_t k = 0; k < reducer->height; k++)
        DDPM_TRY(ddpm_memory_alloc(&reducer->buffer[k], reducer->floats, sizeof(float),
                                   DDPM_MEMORY_GRADIENTS));
    return DDPM_OK;
}

/* Whether buckets travel in a thread of their own. */
static bool wants_thread(const ddpm_reducer *reducer)
{
    const ddpm_comm *comm = reducer->comm;
    if (comm->size == 1 || reducer->options.no_thread) return false;
    if (!comm->threads && comm->rank == 0)
        ddpm_log_warning("this MPI grants no MPI_THREAD_MULTIPLE: communication will not overlap "
                         "with computation");
    return comm->threads;
}

static ddpm_status connect(ddpm_reducer *reducer, int node_ranks)
{
    DDPM_TRY(ddpm_dist__exchange_create(&reducer->exchange, reducer->comm, &reducer->cut,
                                        reducer->leaves, reducer->options.mpi,
                                        reducer->options.flat ? 1 : node_ranks));
    ddpm_status status = list_spans(reducer);
    if (status == DDPM_OK)
        status = ddpm_dist__courier_create(&reducer->courier, reducer->exchange, reducer->cut.count,
                                           wants_thread(reducer));
    return ddpm_comm_agree(reducer->comm, status);
}

ddpm_status ddpm_dist__reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats,
                                      size_t leaves, const ddpm_reducer_options *options,
                                      size_t bucket_floats, int node_ranks)
{
    if ((size_t)comm->size > leaves)
        return ddpm_fail(DDPM_ECONFIG,
                         "%d ranks, but only %zu micro-batches a step: start at most %zu ranks, or "
                         "make train.batch larger or train.micro_batch smaller",
                         comm->size, leaves, leaves);
    ddpm_reducer *reducer = calloc(1, sizeof *reducer);
    ddpm_status status = DDPM_OK;
    if (reducer) {
        reducer->comm = comm;
        reducer->options = options ? *options : standard;
        reducer->floats = floats;
        reducer->leaves = leaves;
        ddpm_reducer_interval(&reducer->first, &reducer->count, leaves, comm->rank, comm->size);
        reducer->height = stack_height(leaves, comm->rank, comm->size);
        status = allocate(reducer, bucket_floats);
    } else {
        status = ddpm_fail(DDPM_EOS, "no memory for a reducer");
    }
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK && reducer) status = connect(reducer, node_ranks);
    if (status == DDPM_OK)
        *out = reducer;
    else
        ddpm_reducer_free(reducer);
    return status;
}

ddpm_status ddpm_reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats, size_t leaves,
                                const ddpm_reducer_options *options)
{
    return ddpm_dist__reducer_create(out, comm, floats, leaves, options,
                                     ddpm_dist__bucket_floats(comm->size), 0);
}

void ddpm_reducer_free(ddpm_reducer *reducer)
{
    if (!reducer) return;
    ddpm_dist__courier_free(reducer->courier);
    if (reducer->comm->broken) return; /* MPI may still write to what was under way */
    ddpm_dist__exchange_free(reducer->exchange);
    ddpm_dist__cut_free(&reducer->cut);
    for (size_t k = 0; k < reducer->height && reducer->buffer; k++)
        ddpm_memory_free(reducer->buffer[k]);
    free(reducer->buffer);
    free(reducer->node);
    free(reducer->span);
    free(reducer->values);
    free(reducer->counts);
    free(reducer->offsets);
    free(reducer);
}
