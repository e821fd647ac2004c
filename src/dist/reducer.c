#include "ddpm/dist/reducer.h"

#include "comm_internal.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/memory.h"
#include "exchange.h"
#include "reducer_internal.h"
#include "tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ddpm_reducer {
    ddpm_comm *comm;
    ddpm_exchange *exchange;
    size_t floats, leaves;
    size_t first, count;  /* this rank's leaves */
    size_t next;          /* how many of them have begun in this step */
    size_t height, depth; /* of the stack: at most, now */
    ddpm_tree_node *node; /* [height]; partial sum k of the stack lies in buffer[k] */
    float **buffer;       /* [height] of [floats] */
    double *values;       /* [leaves * width] of sum_f64, grown on demand */
    size_t values_room;
    int *counts, *offsets; /* [size], for gathering values */
    ddpm_reducer_stats stats;
};

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

ddpm_reducer_needs ddpm_reducer_plan(size_t floats, size_t leaves, int rank, int size)
{
    return (ddpm_reducer_needs){
        .gradient_bytes = stack_height(leaves, rank, size) * floats * sizeof(float),
        .exchange_bytes = ddpm_dist__exchange_bytes(floats, leaves, rank, size,
                                                    ddpm_dist__piece_floats(size)),
    };
}

static ddpm_status allocate(ddpm_reducer *reducer, size_t piece_floats)
{
    const size_t size = (size_t)reducer->comm->size;
    reducer->node = calloc(reducer->height, sizeof *reducer->node);
    reducer->buffer = calloc(reducer->height, sizeof *reducer->buffer);
    reducer->counts = calloc(size, sizeof *reducer->counts);
    reducer->offsets = calloc(size, sizeof *reducer->offsets);
    if (!reducer->node || !reducer->buffer || !reducer->counts || !reducer->offsets)
        return ddpm_fail(DDPM_EOS, "no memory for a reducer");
    for (size_t k = 0; k < reducer->height; k++)
        DDPM_TRY(ddpm_memory_alloc(&reducer->buffer[k], reducer->floats, sizeof(float),
                                   DDPM_MEMORY_GRADIENTS));
    return ddpm_dist__exchange_create(&reducer->exchange, reducer->comm, reducer->floats,
                                      reducer->leaves, piece_floats);
}

ddpm_status ddpm_dist__reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats,
                                      size_t leaves, size_t piece_floats)
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
        reducer->floats = floats;
        reducer->leaves = leaves;
        ddpm_reducer_interval(&reducer->first, &reducer->count, leaves, comm->rank, comm->size);
        reducer->height = stack_height(leaves, comm->rank, comm->size);
        status = allocate(reducer, piece_floats);
    } else {
        status = ddpm_fail(DDPM_EOS, "no memory for a reducer");
    }
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK)
        *out = reducer;
    else
        ddpm_reducer_free(reducer);
    return status;
}

ddpm_status ddpm_reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats, size_t leaves)
{
    return ddpm_dist__reducer_create(out, comm, floats, leaves,
                                     ddpm_dist__piece_floats(comm->size));
}

void ddpm_reducer_free(ddpm_reducer *reducer)
{
    if (!reducer) return;
    ddpm_dist__exchange_free(reducer->exchange);
    for (size_t k = 0; k < reducer->height && reducer->buffer; k++)
        ddpm_memory_free(reducer->buffer[k]);
    free(reducer->buffer);
    free(reducer->node);
    free(reducer->values);
    free(reducer->counts);
    free(reducer->offsets);
    free(reducer);
}

float *ddpm_reducer_leaf_begin(ddpm_reducer *reducer)
{
    assert(reducer->next < reducer->count);
    if (reducer->next == 0) reducer->depth = 0;
    float *leaf = reducer->buffer[reducer->depth];
    memset(leaf, 0, reducer->floats * sizeof *leaf);
    return leaf;
}

void ddpm_reducer_leaf_done(ddpm_reducer *reducer)
{
    ddpm_tree_node *node = reducer->node;
    node[reducer->depth++] = (ddpm_tree_node){ reducer->first + reducer->next++, 1 };
    while (reducer->depth > 1) {
        const size_t left = reducer->depth - 2, right = reducer->depth - 1;
        if (!ddpm_dist__tree_joins(node[left], node[right], reducer->leaves)) break;
        ddpm_dist__add(reducer->buffer[left], reducer->buffer[right], reducer->floats);
        node[left].count += node[right].count;
        reducer->depth--;
    }
}

ddpm_status ddpm_reducer_finish(ddpm_reducer *reducer, float **sum)
{
    assert(reducer->next == reducer->count);
    reducer->next = 0;
    const uint64_t begin = ddpm_clock_ns();
    const ddpm_status status = ddpm_dist__exchange_run(reducer->exchange, reducer->buffer);
    const double seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
    reducer->stats.total_seconds += seconds;
    reducer->stats.exposed_seconds += seconds;
    reducer->stats.bytes_sent = ddpm_dist__exchange_bytes_sent(reducer->exchange);
    *sum = reducer->buffer[0];
    return status;
}

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
    DDPM_TRY(gather_values(reducer, mine, width));
    double *node = reducer->values;
    for (size_t m = 1; m < reducer->leaves; m *= 2)
        for (size_t i = 0; i + m < reducer->leaves; i += 2 * m)
            for (size_t k = 0; k < width; k++) node[i * width + k] += node[(i + m) * width + k];
    memcpy(sum, node, width * sizeof *sum);
    return DDPM_OK;
}

ddpm_reducer_stats ddpm_reducer_get_stats(const ddpm_reducer *reducer)
{
    return reducer->stats;
}
