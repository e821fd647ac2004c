/* A step's sum: the leaves of this rank, and the last one's buckets on their way. */
#include "reducer_internal.h"
#include "sources.h"
#include "watch.h"

#include <assert.h>
#include <string.h>

static bool is_last(const ddpm_reducer *reducer)
{
    return reducer->next + 1 == reducer->count;
}

/* Whether partial sum k of the stack completes the one below it. */
static bool joins(const ddpm_reducer *reducer, size_t k)
{
    return k > 0 && ddpm_dist__tree_joins(reducer->node[k - 1], reducer->node[k], reducer->leaves);
}

float *ddpm_reducer_leaf_begin(ddpm_reducer *reducer)
{
    assert(reducer->next < reducer->count);
    if (reducer->next == 0) reducer->depth = 0;
    float *leaf = reducer->buffer[reducer->depth];
    memset(leaf, 0, reducer->floats * sizeof *leaf);
    reducer->node[reducer->depth] = (ddpm_tree_node){ reducer->first + reducer->next, 1 };
    reducer->ready = reducer->floats;
    reducer->handed = 0;
    return leaf;
}

/* Pushes the leaf and joins what it completes; of the last leaf only the nodes, since its sums are
 * made bucket by bucket. */
static void push(ddpm_reducer *reducer, bool adds)
{
    ddpm_tree_node *node = reducer->node;
    size_t top = reducer->depth;
    reducer->joins = 0;
    for (; joins(reducer, top); top--, reducer->joins++) {
        if (adds)
            ddpm_dist__add_threaded(reducer->buffer[top - 1], reducer->buffer[top],
                                    reducer->floats);
        node[top - 1].count += node[top].count;
    }
    reducer->depth = top + 1;
}

/* Of the last leaf: adds up the buckets that lie in what is ready, and sends them on their way. The
 * leaf is still buffer[depth + joins - 1] there. */
static void hand_over(ddpm_reducer *reducer)
{
    const ddpm_cut *cut = &reducer->cut;
    size_t handed = reducer->handed;
    for (; handed < cut->count && cut->bucket[handed].offset >= reducer->ready; handed++) {
        const ddpm_span bucket = cut->bucket[handed];
        for (size_t top = reducer->depth + reducer->joins - 1; top >= reducer->depth; top--)
            ddpm_dist__add_threaded(reducer->buffer[top - 1] + bucket.offset,
                                    reducer->buffer[top] + bucket.offset, bucket.count);
    }
    if (handed == reducer->handed) return;
    reducer->handed = handed;
    ddpm_dist__courier_hand(reducer->courier, handed);
}

void ddpm_reducer_leaf_ready(ddpm_reducer *reducer, size_t offset, size_t count)
{
    assert(offset + count <= reducer->floats && offset <= reducer->ready);
    (void)count;
    if (!is_last(reducer)) return;
    if (!reducer->summing) {
        reducer->summing = true;
        push(reducer, false);
        ddpm_dist__courier_begin(reducer->courier, reducer->buffer,
                                 reducer->options.shard_grain ? DDPM_JOB_SUM_OWNED : DDPM_JOB_SUM);
    }
    reducer->ready = offset;
    hand_over(reducer);
}

void ddpm_reducer_leaf_done(ddpm_reducer *reducer)
{
    if (is_last(reducer))
        ddpm_reducer_leaf_ready(reducer, 0, reducer->ready);
    else
        push(reducer, true);
    reducer->next++;
}

ddpm_status ddpm_reducer_finish(ddpm_reducer *reducer, float **sum)
{
    assert(reducer->next == reducer->count && reducer->summing);
    reducer->next = 0;
    reducer->summing = false;
    *sum = reducer->buffer[0];
    const ddpm_call call = { .name = "sum of gradients",
                             .bytes = reducer->floats * sizeof **sum,
                             .root = -1 };
    DDPM_TRY(ddpm_dist__enter(reducer->comm, &call));
    return ddpm_dist__leave(reducer->comm, ddpm_dist__courier_finish(reducer->courier));
}

float *ddpm_reducer_buffer(ddpm_reducer *reducer)
{
    assert(reducer->next == 0);
    return reducer->buffer[0];
}

ddpm_reducer_stats ddpm_reducer_get_stats(const ddpm_reducer *reducer)
{
    ddpm_reducer_stats stats = {
        .bytes_sent = ddpm_dist__exchange_bytes_sent(reducer->exchange),
    };
    ddpm_dist__courier_seconds(reducer->courier, &stats.total_seconds, &stats.exposed_seconds);
    return stats;
}
